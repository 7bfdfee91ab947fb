"""All that is HTTP runs on either loop; the server has one of its own, in a thread."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import aclosing
from pathlib import Path

import anyio
import pytest
from anyio.from_thread import start_blocking_portal
from attrs import frozen
from tests.client.stage import House, open_house
from tests.patience import PATIENCE_S

from voicesession import SessionNotFound
from voicesession.client import VoiceClient
from voicesession.core.accounts import Scope
from voicesession.schemas.requests import ListQuery, NewSession, NewTemplate, SessionChanges


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Of the client."""
    backend: str = request.param
    return backend


@frozen
class Elsewhere:
    """A house whose loop is not the test's, and a session in it that is over."""

    house: House
    session_id: str


@pytest.fixture
def elsewhere(tmp_path: Path) -> Generator[Elsewhere]:
    with (
        start_blocking_portal("asyncio") as portal,
        portal.wrap_async_context_manager(open_house(tmp_path)) as house,
    ):
        yield Elsewhere(house, portal.call(house.finished_session))


async def test_a_session_is_made_found_changed_and_removed(elsewhere: Elsewhere) -> None:
    async with elsewhere.house.client() as ada:
        await ada.ready()
        session = await ada.create(NewSession.model_validate({"store_transcript": True}))
        changed = await ada.change(session.id, SessionChanges(metadata={"a": "b"}))
        assert changed.metadata == {"a": "b"}
        page = ListQuery.model_validate({"limit": 1})
        assert [row.id async for row in ada.each(page)] == [session.id, elsewhere.session_id]
        assert (await ada.end(session.id)).state == "ENDED"
        await ada.delete(session.id)
        with pytest.raises(SessionNotFound):
            await ada.get(session.id)


async def test_what_belongs_to_a_session_is_fetched(elsewhere: Elsewhere, tmp_path: Path) -> None:
    session_id, told = elsewhere.session_id, list[int]()
    async with elsewhere.house.client() as ada:
        file = await ada.download_audio(
            session_id, tmp_path / "call.wav", progress=lambda here, _: told.append(here)
        )
        words = await ada.transcript(session_id)
        captions = await ada.captions(session_id, "srt")
        assert (await ada.stats(session_id)).status == "completed"
    assert file.stat().st_size == told[-1] > 32_000
    assert words.text == "the treasure lies under the oak"
    assert words.text in captions


async def test_a_journal_is_followed_while_it_is_written(elsewhere: Elsewhere) -> None:
    async with elsewhere.house.client() as ada:
        session = await ada.create()
        seen: list[str] = []
        with anyio.fail_after(PATIENCE_S):
            async with aclosing(ada.follow(session.id)) as events:
                async for event in events:
                    seen.append(event.type)
                    if event.type == "connect_requested":
                        await ada.end(session.id)
    assert seen == ["connect_requested", "end_requested"]


async def test_templates_and_budgets_are_kept(elsewhere: Elsewhere) -> None:
    async with elsewhere.house.client("boss") as boss:
        made = await boss.templates.create(NewTemplate(name="shop"))
        assert [one.id for one in (await boss.templates.find()).templates] == [made.id]
        books = await boss.budgets.get(Scope.USER, "ada")
    assert books.budget["audio_minutes"].limit is None


async def test_a_server_that_is_not_there_is_found_out(elsewhere: Elsewhere) -> None:
    async with VoiceClient("http://127.0.0.1:1", patience_s=5) as nobody:
        with pytest.raises(Exception, match="cannot be reached") as caught:
            await nobody.get(elsewhere.session_id)
    assert caught.value.code == "unreachable"  # type: ignore[attr-defined]
