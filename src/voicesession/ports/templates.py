"""Where session templates are kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ..core.templates import SessionTemplate, TemplateId
from .scope import Scope

__all__ = ("TemplateStore",)


class TemplateStore(Protocol):
    """Keeps templates, each under its id; a session keeps its own snapshot of what it used."""

    async def put(self, template: SessionTemplate, /) -> None:
        """Store *template*, in place of the one of its tenant with this id.

        ``created_at`` stays what it was at first.

        Raises:
            InvalidValue: Another tenant's template has this id.
        """
        ...

    async def get(self, template_id: TemplateId, /, scope: Scope) -> SessionTemplate:
        """Return the template.

        Raises:
            TemplateNotFound: There is none in *scope*.
        """
        ...

    async def find(
        self, scope: Scope, /, *, after: TemplateId | None = None, limit: int = 100
    ) -> Sequence[SessionTemplate]:
        """Return at most *limit* templates by id, only those behind *after*."""
        ...

    async def delete(self, template_id: TemplateId, /, scope: Scope) -> None:
        """Remove the template; sessions that were made from it no longer name it.

        Raises:
            TemplateNotFound: There is none in *scope*.
        """
        ...
