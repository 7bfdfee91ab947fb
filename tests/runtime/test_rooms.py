"""Sessions in rooms that another server runs: how they start, and what its news does to them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from tests.servers.redis_server import RedisServer

from voicesession.core.accounts import Scope as Payer
from voicesession.core.admission import AdmissionPolicy
from voicesession.core.errors import (
    Draining,
    InvalidConfig,
    InvalidState,
    InvalidValue,
    ProviderUnavailable,
    QuotaExceeded,
    SessionExpired,
    SessionNotActive,
    SessionNotFound,
    StoreError,
    TemplateNotFound,
)
from voicesession.core.meters import Meter
from voicesession.core.states import EndReason, PauseReason, SessionState
from voicesession.ports.rooms import RoomTerms
from voicesession.ports.storage import Change, Storage
from voicesession.runtime.clock import SteppedClock
from voicesession.runtime.manager import SessionManager
from voicesession.runtime.room_names import RoomNames
from voicesession.runtime.rooms import RoomAccess
from voicesession.runtime.services import Services
from voicesession.stores.documents import DocumentStorage
from voicesession.stores.documents.memory import MemoryDocumentDriver
from voicesession.stores.documents.redis import RedisDocumentDriver
from voicesession.stores.memory import MemoryStorage
from voicesession.stores.memory.sessions import MemorySessions
from voicesession.stores.memory.shelves import Shelves
from voicesession.stores.sql import PostgresStorage
from voicesession.stores.sql.sqlite import SqliteStorage

START = datetime(2026, 11, 21, 7, 5, 9, 250_000, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Door:
    """A server of rooms that writes its tokens in plain words."""

    url = "wss://rooms.example"
    token_life = HOUR

    def __init__(self) -> None:
        self.opened: dict[str, RoomTerms] = {}
        self.tokens: list[tuple[str, str, Mapping[str, Any], RoomTerms]] = []
        self.fault: Callable[[], Awaitable[object]] = anyio.lowlevel.checkpoint

    def generate_access_token(
        self, room_name: str, identity: str, metadata: Mapping[str, Any], *, terms: RoomTerms
    ) -> str:
        self.tokens.append((room_name, identity, metadata, terms))
        return f"token-{len(self.tokens)}"

    async def open_room(self, room_name: str, *, terms: RoomTerms) -> None:
        await self.fault()
        self.opened[room_name] = terms


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock(START)


@pytest.fixture
def door() -> Door:
    return Door()


def a_manager(
    storage: Storage, clock: SteppedClock, door: Door | None, **more: Any
) -> SessionManager:
    return SessionManager(
        Services(storage=storage, clock=clock, rooms=door, worker_id="w1", **more)
    )


@pytest.fixture
async def voice(clock: SteppedClock, door: Door) -> AsyncGenerator[SessionManager]:
    async with a_manager(MemoryStorage(), clock, door) as manager:
        yield manager


async def a_template(voice: SessionManager, **fields: Any) -> str:
    return (await voice.templates.create("Visit", template_id="tmpl_visit", **fields)).id


async def in_room(voice: SessionManager, **create: Any) -> RoomAccess:
    return await voice.start(await a_template(voice), **({"user_id": "ada"} | create))


async def events_of(voice: SessionManager, session_id: str) -> list[str]:
    return [entry.type for entry in await voice.journal(session_id)]


# --- start --------------------------------------------------------------------------------------


async def test_a_started_session_has_a_room_and_waits_as_long_as_its_token_is_good(
    voice: SessionManager, door: Door, clock: SteppedClock
) -> None:
    template = await a_template(voice, modality_profile="audio+camera", enabled_panels=["notes"])
    access = await voice.start(template, user_id="ada")
    session = access.session
    assert access.room_name.startswith("session_20261121_070509_")
    assert access.token_expiry == START.replace(microsecond=0) + HOUR
    assert (access.access_token, access.livekit_url) == ("token-1", door.url)
    assert session == await voice.get(session.id)
    assert (session.state, session.user_id) == (SessionState.CONNECTING, "ada")
    assert (session.room_name, session.session_template_id) == (access.room_name, template)
    assert session.token_expiry == session.deadline_at == access.token_expiry
    (token,) = door.tokens
    assert token[:3] == (
        access.room_name,
        "ada",
        {
            "session_id": session.id,
            "session_template_id": template,
            "user_id": "ada",
            "modality_profile": "audio+camera",
            "enabled_panels": ["notes"],
        },
    )
    assert door.opened == {access.room_name: token[3]}
    assert token[3].departure_grace >= timedelta(seconds=30)
    clock.advance(3_600_000_000)
    assert (await voice.get(session.id)).end_reason is EndReason.CONNECT_TIMEOUT


async def test_a_caller_without_a_name_goes_by_that_of_the_session(
    voice: SessionManager, door: Door
) -> None:
    access = await voice.start(await a_template(voice))
    ((_, identity, metadata, _),) = door.tokens
    assert identity == access.session.id
    assert metadata["user_id"] is None


async def test_a_token_is_shown_to_nobody_by_chance(voice: SessionManager) -> None:
    assert "token-1" not in repr(await in_room(voice))


async def test_a_session_keeps_what_it_took_of_its_template(
    voice: SessionManager, door: Door
) -> None:
    template = await a_template(
        voice,
        language="de",
        audio_budget=timedelta(minutes=5),
        agent_metadata={"persona": "nurse"},
    )
    session = (await voice.start(template, user_id="ada")).session
    await voice.templates.update(template, language="fr", agent_metadata={}, name="Other")
    await voice.templates.delete(template)
    session = await voice.get(session.id)
    assert (session.language, session.session_template_id) == ("de", None)
    assert session.metadata == {"persona": "nurse"}
    await voice.rooms.refresh_token(session.id)
    assert [terms.agent["agent_metadata"] for *_, terms in door.tokens] == [
        {"persona": "nurse"},
        {"persona": "nurse"},
    ]
    account = voice.budgets.account(Payer.SESSION, session.id)
    (standing,) = await voice.budgets.standings(account, [Meter.AUDIO_US])
    assert standing.remaining == 5 * 60_000_000


async def test_a_template_that_is_gone_or_somebody_elses_starts_nothing(
    voice: SessionManager, door: Door
) -> None:
    template = await a_template(voice)
    with pytest.raises(TemplateNotFound):
        await voice.for_tenant("strangers").start(template)
    await voice.templates.delete(template)
    with pytest.raises(TemplateNotFound):
        await voice.start(template)
    assert (await voice.find()).sessions == ()
    assert door.tokens == []


async def test_a_quota_holds_for_started_sessions_too(clock: SteppedClock, door: Door) -> None:
    quota = AdmissionPolicy(per_user=1)
    async with a_manager(MemoryStorage(), clock, door, admission=quota) as voice:
        await in_room(voice)
        with pytest.raises(QuotaExceeded):
            await in_room(voice)


async def test_a_worker_that_is_leaving_starts_nothing(voice: SessionManager) -> None:
    template = await a_template(voice)
    await voice.drain()
    with pytest.raises(Draining):
        await voice.start(template)


async def test_without_a_server_of_rooms_there_is_nothing_to_start(clock: SteppedClock) -> None:
    async with a_manager(MemoryStorage(), clock, None) as voice:
        assert not voice.rooms.is_configured
        with pytest.raises(InvalidConfig, match="rooms"):
            await in_room(voice)
        with pytest.raises(InvalidConfig, match="rooms"):
            await voice.rooms.refresh_token("sess_1")


# --- names --------------------------------------------------------------------------------------


def test_a_process_repeats_no_name_within_a_second() -> None:
    names = RoomNames(lambda size: b"\xff" * size)
    drawn = [names.draw(START) for _ in range(300)]
    assert len(set(drawn)) == 300
    assert drawn[:2] == ["session_20261121_070509_ffffff", "session_20261121_070509_000000"]
    assert names.draw(START + timedelta(seconds=1)) == "session_20261121_070510_ffffff"


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Generator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(params=["memory", "documents", "sqlite", "postgres", "redis"])
def storage(request: pytest.FixtureRequest, tmp_path: Path, anyio_backend_name: str) -> Storage:
    medium = request.param
    if medium == "documents":
        return DocumentStorage(MemoryDocumentDriver())
    if medium == "memory" or anyio_backend_name != "asyncio":  # the others need it
        return MemoryStorage()
    if medium == "sqlite":
        return SqliteStorage(tmp_path / "voice.db")
    if medium == "postgres":
        return PostgresStorage(request.getfixturevalue("postgres_url"))
    server: RedisServer = request.getfixturevalue("redis")
    return DocumentStorage(RedisDocumentDriver(server.url, prefix=server.new_prefix()))


async def test_a_name_that_another_process_has_taken_is_drawn_again(
    storage: Storage, clock: SteppedClock, door: Door
) -> None:
    async with a_manager(storage, clock, door, entropy=numbered()) as voice:
        await voice.create(room_name="session_20261121_070509_000001")
        await voice.for_tenant("strangers").create(room_name="session_20261121_070509_000002")
        assert (await in_room(voice)).room_name == "session_20261121_070509_000003"
        assert list(door.opened) == ["session_20261121_070509_000003"]


def numbered() -> Callable[[int], bytes]:
    """Randomness for which rooms are numbered from 1, and everything else is different."""
    drawn = iter(range(1, 1_000_000))
    rooms = iter(range(1, 1_000))
    return lambda size: next(rooms if size == 3 else drawn).to_bytes(size)


async def test_when_every_name_is_taken_nothing_is_stored(clock: SteppedClock, door: Door) -> None:
    async with a_manager(MemoryStorage(), clock, door, entropy=numbered()) as voice:
        template = await a_template(voice)
        for number in range(1, 21):
            await voice.create(
                user_id=str(number), room_name=f"session_20261121_070509_{number:06x}"
            )
        with pytest.raises(StoreError, match="names"):
            await voice.start(template, user_id="ada")
        assert (await voice.find(user_id="ada")).sessions == ()


async def test_a_user_that_cannot_be_one_is_refused_at_once(voice: SessionManager) -> None:
    with pytest.raises(InvalidValue, match="user_id"):
        await in_room(voice, user_id="")


# --- a room that cannot be had --------------------------------------------------------------------


async def test_a_session_whose_room_cannot_be_made_does_not_go_on(
    voice: SessionManager, door: Door
) -> None:
    async def away() -> None:
        raise ProviderUnavailable("livekit", "no answer from 10.1.2.3")

    door.fault = away
    with pytest.raises(ProviderUnavailable):
        await in_room(voice)
    (session,) = (await voice.find()).sessions
    assert (session.end_reason, session.error) == (
        EndReason.ERROR,
        "no room: provider_unavailable",
    )


async def test_a_caller_who_gives_up_meanwhile_leaves_no_session_behind(
    voice: SessionManager, door: Door
) -> None:
    with anyio.CancelScope() as scope:

        async def given_up() -> None:
            scope.cancel()
            await anyio.sleep_forever()

        door.fault = given_up
        await in_room(voice)
    (session,) = (await voice.find()).sessions
    assert (session.state, session.end_reason) == (SessionState.ENDED, EndReason.ERROR)


# --- refresh --------------------------------------------------------------------------------------


async def test_a_fresh_token_is_good_for_as_long_again_and_so_waits_the_session(
    voice: SessionManager, clock: SteppedClock
) -> None:
    access = await in_room(voice)
    clock.advance(3_000_000_000)
    fresh = await voice.rooms.refresh_token(access.session.id)
    assert (fresh.access_token, fresh.room_name) == ("token-2", access.room_name)
    assert fresh.token_expiry == access.token_expiry + timedelta(seconds=3_000)
    clock.advance(3_000_000_000)
    waiting = await voice.get(access.session.id)
    assert (waiting.state, waiting.token_expiry) == (SessionState.CONNECTING, fresh.token_expiry)
    assert await events_of(voice, waiting.id) == ["connect_requested", "details_changed"]


async def test_only_a_session_of_ones_own_that_goes_on_in_a_room_has_tokens(
    voice: SessionManager, clock: SteppedClock
) -> None:
    access = await in_room(voice)
    with pytest.raises(SessionNotFound):
        await voice.for_tenant("strangers").rooms.refresh_token(access.session.id)
    await voice.end(access.session.id)
    with pytest.raises(SessionNotActive):
        await voice.rooms.refresh_token(access.session.id)
    without = await voice.create(user_id="ada")
    with pytest.raises(InvalidState, match="without a room"):
        await voice.rooms.refresh_token(without.id)
    old = await in_room(voice)
    await voice.room_news.joined(old.room_name, "ada", joined_at=clock.now())
    clock.advance(25 * 3_600_000_000)
    with pytest.raises(SessionExpired):
        await voice.rooms.refresh_token(old.session.id)


# --- news -----------------------------------------------------------------------------------------


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


async def test_the_caller_comes_goes_and_comes_back(
    voice: SessionManager, clock: SteppedClock
) -> None:
    access = await in_room(voice)
    news, room = voice.room_news, access.room_name
    clock.advance(10_000_000)
    live = await news.joined(room, "ada", joined_at=after(9))
    assert live is not None
    assert (live.state, live.live_at) == (SessionState.LIVE, after(9))
    paused = await news.left(room, "ada", joined_at=after(9), left_at=after(10))
    assert paused is not None
    assert paused.pause_reasons == {PauseReason.DISCONNECTED}
    assert paused.deadline_at == after(40)
    back = await news.joined(room, "ada", joined_at=after(12))
    assert back is not None
    assert back.state is SessionState.LIVE
    over = await news.closed(room, closed_at=after(20))
    assert over is not None
    assert (over.state, over.end_reason) == (SessionState.ENDED, EndReason.COMPLETED)


async def test_a_session_that_no_worker_runs_keeps_to_the_limits_of_its_template_too(
    clock: SteppedClock, door: Door
) -> None:
    async with MemoryStorage() as storage:
        voice = a_manager(storage, clock, door)  # not entered: it sweeps nothing by itself
        limits = {"max_active_us": 60_000_000, "max_wall_clock_us": 90_000_000}
        access = await voice.start(await a_template(voice, **limits), user_id="ada")
        await voice.room_news.joined(access.room_name, "ada", joined_at=after(9))
        clock.advance(68_900_000)
        assert (await voice.get(access.session.id)).state is SessionState.LIVE
        clock.advance(100_000)
        full = await voice.get(access.session.id)
        assert full.pause_reasons == {PauseReason.LIMIT_REACHED}
        clock.advance(21_000_000)
        assert (await voice.get(access.session.id)).end_reason is EndReason.LIMIT_REACHED


async def test_others_in_the_room_move_nothing(voice: SessionManager) -> None:
    access = await in_room(voice)
    await voice.room_news.joined(access.room_name, "supervisor", joined_at=after(1))
    session = await voice.room_news.left(
        access.room_name, "supervisor", joined_at=after(1), left_at=after(2)
    )
    assert session == access.session


@pytest.mark.parametrize("room", ["lobby", "session_20261121_070509_abcdef", ""])
async def test_news_of_a_room_that_is_not_ours_is_no_error(
    voice: SessionManager, room: str
) -> None:
    news = voice.room_news
    assert await news.joined(room, "ada", joined_at=START) is None
    assert await news.left(room, "ada", joined_at=START, left_at=START) is None
    assert await news.closed(room, closed_at=START) is None
    assert await news.recorded(room, uri="s3://x", is_whole=True) is None


async def test_a_room_is_found_among_many_of_its_second_whosever_it_is(
    storage: Storage, clock: SteppedClock, door: Door
) -> None:
    nobody_waits = AdmissionPolicy(per_user=None)
    async with a_manager(storage, clock, door, admission=nobody_waits) as voice:
        for _ in range(55):
            await voice.create()
        stranger = voice.for_tenant("strangers")
        access = await in_room(stranger)
        for _ in range(55):
            await voice.create()
        session = await voice.room_news.joined(access.room_name, "ada", joined_at=after(1))
        assert session is not None
        assert (session.id, session.tenant_id) == (access.session.id, "strangers")
        assert session.state is SessionState.LIVE


async def test_of_the_same_news_at_once_to_two_workers_one_counts(
    storage: Storage, clock: SteppedClock, door: Door
) -> None:
    async with a_manager(storage, clock, door) as voice:
        other = a_manager(storage, clock, door)  # on the storage that is open already
        access = await in_room(voice)

        async def tell(manager: SessionManager) -> None:
            news, room = manager.room_news, access.room_name
            await news.joined(room, "ada", joined_at=after(1))
            await news.left(room, "ada", joined_at=after(1), left_at=after(2))
            await news.joined(room, "ada", joined_at=after(3))

        async with anyio.create_task_group() as tasks:
            for manager in chain.from_iterable(repeat((voice, other), 3)):
                tasks.start_soon(tell, manager)
        session = await voice.get(access.session.id)
        assert session.state is SessionState.LIVE
        assert await events_of(voice, session.id) == [
            "connect_requested",
            "transport_ready",
            "transport_lost",
            "transport_ready",
        ]


class Overtaken(MemorySessions):
    """A store in which somebody else is faster, once."""

    def __init__(self, shelves: Shelves) -> None:
        super().__init__(shelves)
        self.first: Callable[[], Awaitable[object]] | None = None

    async def commit(self, change: Change, /) -> None:
        if self.first is not None:
            first, self.first = self.first, None
            await first()
        await super().commit(change)


async def test_news_that_is_overtaken_while_it_is_stored_is_old_by_then(
    clock: SteppedClock, door: Door
) -> None:
    storage: Any = MemoryStorage()
    storage.sessions = Overtaken(storage.sessions._shelves)
    async with a_manager(storage, clock, door) as voice:
        access = await in_room(voice)
        news, room = voice.room_news, access.room_name
        await news.joined(room, "ada", joined_at=after(1))
        storage.sessions.first = lambda: news.joined(room, "ada", joined_at=after(3))
        session = await news.left(room, "ada", joined_at=after(1), left_at=after(2))
        assert session is not None
        assert session.state is SessionState.LIVE
        assert storage.sessions.first is None


async def test_a_worker_in_the_room_says_itself_who_is_there_but_not_whether_it_is(
    voice: SessionManager,
) -> None:
    access = await in_room(voice)
    async with voice.attach(access.session.id) as call:
        await call.live()
        left = await voice.room_news.left(
            access.room_name, "ada", joined_at=START, left_at=after(9)
        )
        assert left is not None
        assert left.state is SessionState.LIVE
        await voice.room_news.closed(access.room_name, closed_at=after(10))
        assert call.session.end_reason is EndReason.COMPLETED


async def test_a_caller_who_never_came_to_a_room_that_is_gone_is_no_longer_waited_for(
    voice: SessionManager,
) -> None:
    access = await in_room(voice)
    session = await voice.room_news.closed(access.room_name, closed_at=after(10))
    assert session is not None
    assert session.end_reason is EndReason.CONNECT_TIMEOUT
    again = await voice.room_news.closed(access.room_name, closed_at=after(10))
    assert again == session


# --- recordings of the room -------------------------------------------------------------------------


@pytest.fixture
async def recording(clock: SteppedClock, door: Door) -> AsyncGenerator[SessionManager]:
    defaults = {"store_audio": True}
    async with a_manager(MemoryStorage(), clock, door, defaults=defaults) as manager:
        yield manager


@pytest.mark.parametrize("is_first", [True, False])
async def test_a_recording_is_linked_whether_the_session_is_over_or_not(
    recording: SessionManager, is_first: bool
) -> None:
    access = await in_room(recording)
    news, room = recording.room_news, access.room_name
    await news.joined(room, "ada", joined_at=after(1))
    for _ in range(2):
        if is_first:
            await news.recorded(room, uri="s3://calls/1.ogg", is_whole=True)
        await news.closed(room, closed_at=after(9))
        await news.recorded(room, uri="s3://calls/1.ogg", is_whole=True)
    await news.recorded(room, uri="s3://calls/another.ogg", is_whole=False)
    session = await recording.get(access.session.id)
    assert (session.state, session.audio_uri) == (SessionState.ENDED, "s3://calls/1.ogg")
    assert not session.audio_partial


async def test_what_is_cut_off_or_lost_is_flagged(recording: SessionManager) -> None:
    for uri in ("s3://calls/1.ogg", None):
        access = await in_room(recording)
        await recording.room_news.recorded(access.room_name, uri=uri, is_whole=False)
        session = await recording.get(access.session.id)
        assert (session.audio_uri, session.audio_partial) == (uri, True)


async def test_a_recording_of_a_caller_who_refused_is_not_linked(recording: SessionManager) -> None:
    access = await in_room(recording)
    async with recording.attach(access.session.id) as call:
        await call.set_consent(given=False)
    session = await recording.room_news.recorded(
        access.room_name, uri="s3://calls/1.ogg", is_whole=True
    )
    assert session is not None
    assert session.audio_uri is None
