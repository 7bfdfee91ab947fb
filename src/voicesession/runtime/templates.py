"""The templates of one tenant: what sessions of one kind begin with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, TypedDict, Unpack

from attrs import evolve

from ..core.errors import TemplateNotFound
from ..core.identity import RANDOM_BYTES, TenantId, uuid7_hex
from ..core.instants import duration_us
from ..core.metadata import metadata_json
from ..core.templates import SessionTemplate, TemplateId
from ..ports.scope import EVERYTHING, Scope
from .home import Home, at_home
from .services import Services

__all__ = ("TemplateFields", "Templates")


class TemplateFields(TypedDict, total=False):
    """What a template says; see `voicesession.core.templates.SessionTemplate`.

    ``audio_budget`` is how much audio a session may use, ``agent_metadata`` a JSON object for
    the agent, at most 16 KiB.
    """

    modality_profile: str
    enabled_panels: Sequence[str] | None
    language: str | None
    model: str | None
    max_active_us: int | None
    max_wall_clock_us: int | None
    audio_budget: timedelta | None
    agent_metadata: Mapping[str, Any]


@at_home
class Templates:
    """`SessionManager.templates`. Every method raises StoreError where the store fails."""

    def __init__(self, services: Services, home: Home, tenant_id: TenantId) -> None:
        self._services = services
        self._home = home
        self._store = services.storage.templates
        self._tenant_id = tenant_id
        self._scope = Scope(tenant_id)

    async def create(
        self, name: str, *, template_id: str | None = None, **fields: Unpack[TemplateFields]
    ) -> SessionTemplate:
        """Store a template, in place of one with this id, and return it.

        Args:
            template_id: Drawn, unless one is given.

        Raises:
            InvalidValue: A field is not allowed, or the id is another tenant's.
        """
        now = self._services.clock.now()
        drawn = f"tmpl_{uuid7_hex(now, self._services.entropy(RANDOM_BYTES))}"
        template = SessionTemplate(
            id=TemplateId(template_id or drawn),
            tenant_id=self._tenant_id,
            created_at=now,
            updated_at=now,
            name=name,
            **_stored(fields),
        )
        await self._store.put(template)
        return await self._store.get(template.id, self._scope)

    async def update(
        self, template_id: str, *, name: str | None = None, **fields: Unpack[TemplateFields]
    ) -> SessionTemplate:
        """Change what is given; sessions that were made from the template keep what they had.

        Raises:
            InvalidValue: A field is not allowed.
            TemplateNotFound: There is none of this id for this tenant.
        """
        before = await self.get(template_id)
        changes = _stored(fields) | ({} if name is None else {"name": name})
        template = evolve(before, updated_at=self._services.clock.now(), **changes)
        await self._store.put(template)
        return template

    async def get(self, template_id: str) -> SessionTemplate:
        """Return a template.

        Raises:
            TemplateNotFound: There is none of this id for this tenant.
        """
        return await self._store.get(TemplateId(template_id), self._scope)

    async def is_known(self, template_id: str) -> bool:
        """Whether any tenant has a template of this id: a reason to say no, and nothing else."""
        try:
            await self._store.get(TemplateId(template_id), EVERYTHING)
        except TemplateNotFound:
            return False
        return True

    async def find(
        self, *, after: str | None = None, limit: int = 100
    ) -> Sequence[SessionTemplate]:
        """Return at most *limit* templates by id, only those behind *after*."""
        behind = None if after is None else TemplateId(after)
        return await self._store.find(self._scope, after=behind, limit=limit)

    async def delete(self, template_id: str) -> None:
        """Remove a template; sessions that were made from it go on, and no longer name it.

        Raises:
            TemplateNotFound: There is none of this id for this tenant.
        """
        await self._store.delete(TemplateId(template_id), self._scope)


def _stored(fields: Mapping[str, Any]) -> dict[str, Any]:
    stored = dict(fields)
    if "audio_budget" in stored:
        budget = stored.pop("audio_budget")
        stored["audio_budget_us"] = None if budget is None else duration_us(budget)
    if "agent_metadata" in stored:
        stored["agent_metadata_json"] = metadata_json(stored.pop("agent_metadata"))
    return stored
