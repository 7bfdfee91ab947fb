"""Templates in memory."""

from __future__ import annotations

from collections.abc import Sequence

from anyio.lowlevel import checkpoint
from attrs import evolve

from ...core.errors import TemplateNotFound
from ...core.templates import SessionTemplate, TemplateId
from ...ports.scope import Scope
from ..arguments import check_page
from ..changes import template_is_taken
from .shelves import Shelves

__all__ = ("MemoryTemplates",)


class MemoryTemplates:
    """See `TemplateStore`."""

    def __init__(self, shelves: Shelves) -> None:
        self._shelves = shelves

    async def put(self, template: SessionTemplate, /) -> None:
        await checkpoint()
        stored = self._shelves.templates.get(template.id)
        if stored is not None:
            if stored.tenant_id != template.tenant_id:
                raise template_is_taken(template.id)
            template = evolve(template, created_at=stored.created_at)
        self._shelves.templates[template.id] = template

    async def get(self, template_id: TemplateId, /, scope: Scope) -> SessionTemplate:
        await checkpoint()
        template = self._shelves.templates.get(template_id)
        if template is None or scope.tenant_id not in (None, template.tenant_id):
            raise TemplateNotFound(template_id)
        return template

    async def find(
        self, scope: Scope, /, *, after: TemplateId | None = None, limit: int = 100
    ) -> Sequence[SessionTemplate]:
        await checkpoint()
        check_page(limit)
        found = (
            template
            for template_id, template in sorted(self._shelves.templates.items())
            if scope.tenant_id in (None, template.tenant_id)
            and (after is None or template_id > after)
        )
        return tuple(template for template, _ in zip(found, range(limit), strict=False))

    async def delete(self, template_id: TemplateId, /, scope: Scope) -> None:
        await self.get(template_id, scope)
        del self._shelves.templates[template_id]
        for kept in self._shelves.sessions.values():
            if kept.session.session_template_id == template_id:
                kept.session = evolve(kept.session, session_template_id=None)
