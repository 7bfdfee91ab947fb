"""Each method of the client once, against a real server, and what the server refuses."""

from pathlib import Path
from typing import Any

import pytest
from tests.client.stage import House

from voicesession import (
    AccessDenied,
    InvalidConfig,
    InvalidValue,
    SessionNotFound,
    SessionState,
    TemplateNotFound,
    VersionConflict,
)
from voicesession.client import (
    IdempotencyConflict,
    NotFound,
    Unauthenticated,
    Unreachable,
    VoiceClient,
)
from voicesession.core.accounts import Scope
from voicesession.core.meters import Meter
from voicesession.core.windows import Window
from voicesession.schemas.requests import (
    ListQuery,
    NewRoom,
    NewSession,
    NewTemplate,
    SessionChanges,
    SetLimit,
)

NOWHERE = "http://127.0.0.1:1"


def new_session(**said: Any) -> NewSession:
    return NewSession.model_validate(said)


async def test_a_session_is_created_as_it_is_wanted_and_can_be_had_again(ada: VoiceClient) -> None:
    plain = await ada.create()
    assert (plain.state, plain.user_id, plain.mode) == (SessionState.CONNECTING, "ada", "LS1A")
    wanted = new_session(language="en", store_transcript=True, metadata={"call": "42"})
    session = await ada.create(wanted)
    assert (session.language, session.store_transcript) == ("en", True)
    assert await ada.get(session.id) == session


async def test_a_call_with_a_key_creates_one_session_however_often_it_is_made(
    ada: VoiceClient,
) -> None:
    first = await ada.create(new_session(language="en"), idempotency_key="mine")
    again = await ada.create(new_session(language="en"), idempotency_key="mine")
    assert again.id == first.id
    with pytest.raises(IdempotencyConflict):
        await ada.create(new_session(language="de"), idempotency_key="mine")


@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_all_sessions_come_each_once_whatever_the_size_of_a_page(
    ada: VoiceClient, order: str
) -> None:
    made = [(await ada.create()).id for _ in range(5)]
    query = ListQuery.model_validate({"limit": 2, "order": order, "state": "CONNECTING"})
    found = [row.id async for row in ada.each(query)]
    assert found == (made if order == "asc" else made[::-1])
    page = await ada.find(query)
    assert [row.id for row in page.sessions] == found[:2]
    assert page.pagination.has_more


async def test_a_list_may_begin_further_on(ada: VoiceClient) -> None:
    made = [(await ada.create()).id for _ in range(5)]
    query = ListQuery.model_validate({"limit": 2, "offset": 1})
    assert [row.id async for row in ada.each(query)] == made[::-1][1:]


async def test_details_are_changed_only_if_the_session_is_still_as_it_was(
    ada: VoiceClient,
) -> None:
    seen = await ada.create()
    changes = SessionChanges.model_validate({"metadata": {"call": "43"}})
    changed = await ada.change(seen.id, changes, expected_seq=seen.seq)
    assert changed.metadata == {"call": "43"}
    with pytest.raises(VersionConflict) as conflict:
        await ada.change(seen.id, changes, expected_seq=seen.seq + 99)
    assert (conflict.value.session_id, conflict.value.expected_seq) == (seen.id, seen.seq + 99)


async def test_a_session_is_paused_resumed_ended_and_deleted(
    house: House, ada: VoiceClient
) -> None:
    session = await ada.create()
    async with house.voice.for_tenant("acme").attach(session.id) as handle:
        await handle.live()
        assert (await ada.pause(session.id)).state is SessionState.PAUSED
        assert (await ada.resume(session.id)).state is SessionState.LIVE
    ended = await ada.end(session.id, reason="cancelled")
    assert (ended.state, ended.end_reason) == (SessionState.ENDED, "cancelled")
    assert (await ada.delete(session.id)).session_id == session.id
    with pytest.raises(SessionNotFound) as missing:
        await ada.get(session.id)
    assert missing.value.session_id == session.id


async def test_an_active_session_is_deleted_if_it_may_be_ended(ada: VoiceClient) -> None:
    session = await ada.create()
    with pytest.raises(Exception, match="end") as refused:
        await ada.delete(session.id)
    assert refused.value.code in {"invalid_state", "session_already_active"}  # type: ignore[attr-defined]
    assert (await ada.delete(session.id, end=True)).deleted


async def test_what_was_said_is_there_in_every_form(house: House, ada: VoiceClient) -> None:
    first = await house.finished_session()
    second = await house.finished_session(resume_session_id=first)
    words = "the treasure lies under the oak"
    assert (await ada.transcript(second)).text == words
    assert len((await ada.transcript(second, merge=True)).utterances) == 2
    assert (await ada.captions(second)).strip().endswith(words)
    assert (await ada.captions(second, "vtt")).startswith("WEBVTT")
    assert "00:00:00,000 --> 00:00:01,000" in await ada.captions(second, "srt", merge=True)


async def test_a_session_says_how_it_does_and_what_happened(house: House, ada: VoiceClient) -> None:
    session_id = await house.finished_session()
    stats = await ada.stats(session_id)
    assert stats.session_id_truncated == session_id[-8:]
    assert await ada.tasks(session_id) == []
    events = await ada.events(session_id)
    assert [event.seq for event in events.events] == list(range(1, events.last_seq + 1))
    assert (await ada.events(session_id, after=2, limit=1)).events == events.events[2:3]
    with pytest.raises(InvalidValue):
        await ada.events(session_id, after=-1)


async def test_a_ticket_names_its_session(ada: VoiceClient) -> None:
    session = await ada.create()
    ticket = await ada.ticket(session.id)
    assert f"/{session.id}/stream?ticket={ticket.ticket}" in ticket.websocket_url


async def test_a_session_is_started_in_a_room_and_its_token_refreshed(
    house: House, ada: VoiceClient
) -> None:
    template = await house.voice.for_tenant("acme").templates.create("Talk")
    room = await ada.start(NewRoom.model_validate({"session_template_id": template.id}))
    assert (await ada.refresh_token(room.session_id)).room_name == room.room_name


async def test_templates_are_kept_by_an_administrator(ada: VoiceClient, boss: VoiceClient) -> None:
    wanted = NewTemplate.model_validate({"name": "Interview", "language": "en"})
    template = await boss.templates.create(wanted)
    assert await ada.templates.get(template.id) == template
    assert [one.id for one in (await ada.templates.find()).templates] == [template.id]
    other = NewTemplate.model_validate({"name": "Talk"})
    assert (await boss.templates.replace(template.id, other)).name == "Talk"
    with pytest.raises(AccessDenied):
        await ada.templates.delete(template.id)
    assert (await boss.templates.delete(template.id)).template_id == template.id
    with pytest.raises(TemplateNotFound) as missing:
        await boss.templates.get(template.id)
    assert missing.value.template_id == template.id


@pytest.mark.parametrize("user", ["ada", "Ada Lovelace", "ada@example.org", "50% ?#"])
async def test_budgets_of_whatever_user_are_set_seen_and_dropped(
    boss: VoiceClient, user: str
) -> None:
    limit = SetLimit.model_validate_json(
        '{"meter": "audio_us", "window": "day", "amount": 60000000}'
    )
    await boss.budgets.set_limit(Scope.USER, user, limit)
    answer = await boss.budgets.get(Scope.USER, user)
    assert (answer.id, answer.budget["audio_minutes"].limit) == (user, 1.0)
    dropped = await boss.budgets.drop_limit(
        Scope.USER, user, meter=Meter.AUDIO_US, window=Window.DAY
    )
    assert dropped.budget["audio_minutes"].limit is None


async def test_a_server_says_whether_new_sessions_are_welcome(ada: VoiceClient) -> None:
    await ada.ready()


# --- refused ----------------------------------------------------------------------------------


async def test_strangers_find_nothing(house: House, ada: VoiceClient) -> None:
    session = await ada.create()
    async with house.client("eve") as eve, house.client("nobody") as nobody:
        with pytest.raises(SessionNotFound):
            await eve.get(session.id)
        with pytest.raises(Unauthenticated):
            await nobody.get(session.id)
    async with house.client("nothing") as nothing:
        with pytest.raises(AccessDenied):
            await nothing.create()


async def test_the_tenant_is_said_with_every_call(house: House) -> None:
    async with VoiceClient(house.url, api_key="boss", tenant_id="acme") as own:
        assert (await own.find()).sessions == []
        await own.ready()
    async with VoiceClient(house.url, api_key="boss", tenant_id="evil") as foreign:
        with pytest.raises(NotFound):
            await foreign.find()


async def test_a_value_that_the_server_refuses_is_named(ada: VoiceClient) -> None:
    with pytest.raises(InvalidValue) as refused:
        await ada.create(NewSession.model_construct(_fields_set={"language"}, language=""))
    assert refused.value.field == "language"


@pytest.mark.parametrize("session_id", ["", ".", "..", "a/b", "a?b", "a b", "x" * 129])
async def test_what_cannot_be_an_id_is_never_sent(session_id: str) -> None:
    async with VoiceClient(NOWHERE) as client:
        with pytest.raises(InvalidValue, match="session_id"):
            await client.delete(session_id)
        with pytest.raises(InvalidValue, match="session_id"):
            await client.download_audio(session_id, Path("never"))
        with pytest.raises(InvalidValue, match="session_id"):
            client.stream(session_id)


@pytest.mark.parametrize("account", ["", ".", ".."])
async def test_what_cannot_be_a_step_of_a_path_is_never_sent(account: str) -> None:
    async with VoiceClient(NOWHERE) as client:
        with pytest.raises(InvalidValue):
            await client.budgets.get(Scope.USER, account)


@pytest.mark.parametrize(
    "settings",
    [
        {"url": "voice.example"},
        {"url": "ftp://voice.example"},
        {"url": "https://"},
        {"url": "https://ada:hush@voice.example"},
        {"url": "https://voice.example?key=hush"},
        {"url": "https://voice.example", "prefix": "v1"},
        {"url": "https://voice.example", "token": "hush", "api_key": "hush"},
        {"url": "https://voice.example", "token": "hush\r\nx-more: 1"},
        {"url": "https://voice.example", "token": " "},
    ],
)
def test_a_client_that_cannot_work_is_refused_and_tells_no_secret(settings: Any) -> None:
    with pytest.raises(InvalidConfig) as refused:
        VoiceClient(**settings)
    assert "hush" not in str(refused.value)


async def test_a_server_that_is_not_there_is_unreachable() -> None:
    async with VoiceClient(NOWHERE, token="hush") as client:  # noqa: S106
        with pytest.raises(Unreachable, match="cannot be reached") as gone:
            await client.find()
    assert gone.value.retryable
    assert "hush" not in repr(gone.value)


async def test_an_answer_of_something_else_is_no_answer(house: House) -> None:
    async with VoiceClient(f"{house.url}/elsewhere", api_key="ada") as client:
        with pytest.raises(Unreachable, match="404, and not why"):
            await client.find()


async def test_what_the_client_does_is_logged_without_a_secret_or_a_word(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    async with VoiceClient(house.url, token="ada") as ada:  # noqa: S106
        session = await ada.create()
        async with ada.stream(session.id) as stream:
            await stream.send_text("open sesame")
            await stream.end()
            items = [item async for item in stream]
        token = stream.bookmark.resume_token
    assert items
    assert token
    logged = " ".join(
        record.getMessage()
        for record in caplog.records
        if not record.name.startswith(("voicesession.testing", "uvicorn", "websockets.server"))
    )
    assert token not in logged
    assert "Bearer" not in logged
    assert "sesame" not in logged
