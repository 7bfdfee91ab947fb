"""Session templates, and what becomes of sessions that name them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from attrs import evolve

from ....core.errors import InvalidValue, SessionNotFound, TemplateNotFound
from ....core.identity import DEFAULT_TENANT, TenantId
from ....core.metadata import metadata_json
from ....core.templates import TemplateId
from ....ports.scope import EVERYTHING
from ....ports.storage import Change, Storage
from .examples import HOME, START, STRANGERS, OnStorage, a_session, a_template, put

__all__ = ("TemplateContract",)

_T1 = TemplateId("tmpl_1")
_THEIRS = TenantId("strangers")


@pytest.mark.anyio
class TemplateContract(OnStorage):
    """See `TemplateStore`."""

    async def test_a_template_comes_back_as_it_was_put(self, storage: Storage) -> None:
        plain = a_template()
        full = a_template(
            "tmpl_2",
            name="Bespräch",
            modality_profile="audio+camera",
            enabled_panels=("notes", 'it\'s "so"'),
            language="de",
            model="accurate",
            max_active_us=1,
            max_wall_clock_us=2,
            audio_budget_us=2**63 - 1,
            agent_metadata_json=metadata_json({"persona": "kind", "n": 1.5}),
        )
        none = a_template("tmpl_3", enabled_panels=())
        for template in (plain, full, none):
            await storage.templates.put(template)
            assert await storage.templates.get(template.id, HOME) == template

    async def test_a_template_is_replaced_and_keeps_when_it_was_made(
        self, storage: Storage
    ) -> None:
        await storage.templates.put(a_template(language="de"))
        later = START + timedelta(days=1)
        newer = a_template(name="Newer", created_at=later, updated_at=later)
        await storage.templates.put(newer)
        assert await storage.templates.get(_T1, HOME) == evolve(newer, created_at=START)

    async def test_a_template_is_its_tenants_alone(self, storage: Storage) -> None:
        await storage.templates.put(a_template())
        with pytest.raises(TemplateNotFound):
            await storage.templates.get(_T1, STRANGERS)
        with pytest.raises(TemplateNotFound):
            await storage.templates.delete(_T1, STRANGERS)
        with pytest.raises(InvalidValue, match="id"):
            await storage.templates.put(a_template(tenant_id=_THEIRS, name="stolen"))
        assert await storage.templates.get(_T1, HOME) == a_template()
        assert await storage.templates.get(_T1, EVERYTHING) == a_template()

    async def test_templates_are_listed_by_id_page_by_page(self, storage: Storage) -> None:
        ours = [a_template(f"tmpl_{n}") for n in range(5)]
        for template in (*reversed(ours), a_template("tmpl_2b", tenant_id=_THEIRS)):
            await storage.templates.put(template)
        assert list(await storage.templates.find(HOME)) == ours
        first = await storage.templates.find(HOME, limit=3)
        rest = await storage.templates.find(HOME, after=first[-1].id, limit=3)
        assert [*first, *rest] == ours
        assert len(await storage.templates.find(EVERYTHING)) == 6
        with pytest.raises(InvalidValue, match="limit"):
            await storage.templates.find(HOME, limit=0)

    async def test_a_deleted_template_is_gone(self, storage: Storage) -> None:
        await storage.templates.put(a_template())
        await storage.templates.delete(_T1, HOME)
        assert list(await storage.templates.find(HOME)) == []
        for call in (storage.templates.get, storage.templates.delete):
            with pytest.raises(TemplateNotFound):
                await call(_T1, HOME)

    async def test_sessions_lose_the_name_of_a_deleted_template_and_nothing_else(
        self, storage: Storage
    ) -> None:
        session = a_session(session_template_id=_T1, modality_profile="audio")
        other = a_session("s2", session_template_id="tmpl_2")
        await put(storage, session, other)
        await storage.templates.delete(_T1, HOME)
        assert await storage.sessions.load(session.id, HOME) == evolve(
            session, session_template_id=None
        )
        assert await storage.sessions.load(other.id, HOME) == other

    async def test_a_new_session_names_only_a_template_of_its_tenant(
        self, storage: Storage
    ) -> None:
        await storage.templates.put(a_template(tenant_id=_THEIRS))
        for named in (_T1, "tmpl_9"):
            session = a_session(session_template_id=named)
            with pytest.raises(TemplateNotFound):
                await storage.sessions.commit(Change(session=session, expected_seq=None))
            with pytest.raises(SessionNotFound):
                await storage.sessions.load(session.id, HOME)
        assert a_session().tenant_id == DEFAULT_TENANT
