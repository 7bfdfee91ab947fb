"""Sessions whose worker is gone: noticed, given back, finished, and in the end erased."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint
from attrs import evolve
from tests.patience import PATIENCE_S

from voicesession.core.accounts import Account, HoldId, Scope as SpendingScope
from voicesession.core.deadlines import LifePolicy
from voicesession.core.errors import AccessDenied, LeaseLost, SessionNotFound, StoreUnavailable
from voicesession.core.events import DetailsChanged, WorkerLost
from voicesession.core.identity import DEFAULT_TENANT, SessionId
from voicesession.core.journal import JournalEntry
from voicesession.core.ledger import LedgerEntry, Want
from voicesession.core.meters import Meter
from voicesession.core.session import Session
from voicesession.core.states import PauseReason, SessionState
from voicesession.core.timeline import Track
from voicesession.core.utterance import Speaker, Utterance, UtteranceId
from voicesession.ports.scope import EVERYTHING, Scope
from voicesession.ports.storage import Change, DueSession
from voicesession.recording.file import FileObjectStore
from voicesession.recording.recorder import SpoolRecorder
from voicesession.runtime.clock import SteppedClock
from voicesession.runtime.handle import SessionHandle
from voicesession.runtime.manager import SessionManager
from voicesession.runtime.orphans import Orphans
from voicesession.runtime.registry import Registry
from voicesession.runtime.services import Services
from voicesession.stores.memory import MemoryStorage
from voicesession.stores.memory.sessions import MemorySessions

LEASE = timedelta(seconds=15)
LEASE_US = 15_000_000
HOME = Scope(DEFAULT_TENANT)
ONE_SECOND = bytes(32_000)
SAID = Utterance(
    id=UtteranceId("utt_1"), speaker=Speaker.USER, start_us=0, end_us=500_000, text="hello there"
)


@pytest.fixture
def clock() -> SteppedClock:
    # The store stamps real time, so the session's clock begins there.
    return SteppedClock(datetime.now(UTC) + timedelta(seconds=1))  # noqa: TID251


@pytest.fixture
async def services(tmp_path: Path, clock: SteppedClock) -> AsyncGenerator[Services]:
    objects = FileObjectStore(tmp_path)
    recorder = SpoolRecorder(tmp_path / ".spool", objects)
    async with MemoryStorage() as storage:
        yield Services(
            storage=storage,
            recorder=recorder,
            objects=objects,
            clock=clock,
            worker_id="w2",
            lease=LEASE,
            life=LifePolicy(reconnect_grace=timedelta(seconds=30)),
        )
    await recorder.aclose()


@pytest.fixture
def orphans(services: Services) -> Orphans:
    def fail(session_id: SessionId | None, error: Exception) -> None:
        raise error

    return Orphans(services, fail)


async def stored(services: Services, session: Session) -> Session:
    return await services.storage.sessions.load(session.id, EVERYTHING)


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def dies(
    services: Services,
    meanwhile: Callable[[SessionHandle], Awaitable[object]] | None = None,
    **parameters: Any,
) -> Session:
    """Let a worker begin a session, and be gone for longer than its lease."""
    recorder = SpoolRecorder(Path(services.recorder._spools), services.objects)  # type: ignore[union-attr,arg-type]
    doomed = evolve(services, worker_id="w1", lease=timedelta(microseconds=1), recorder=recorder)
    registry = Registry(doomed, HOME, Orphans(doomed, lambda _id, _error: None))
    session = await registry.create(parameters, DEFAULT_TENANT)
    handle = SessionHandle(doomed, await registry.take(session.id))
    await handle.live()
    if meanwhile is not None:
        await meanwhile(handle)
    await recorder.aclose()
    return handle.session


async def test_a_session_whose_worker_is_gone_is_paused_and_can_be_resumed_elsewhere(
    services: Services, orphans: Orphans
) -> None:
    session = await dies(services)
    assert await orphans.sweep() == (session.id,)
    lost = await stored(services, session)
    assert (lost.state, set(lost.pause_reasons), lost.worker_id) == (
        SessionState.PAUSED,
        {PauseReason.WORKER_LOST},
        None,
    )
    async with (
        SessionManager(services) as voice,
        voice.attach(session.id) as handle,
    ):
        assert (await handle.live()).state == "LIVE"


async def test_the_grace_counts_from_when_the_worker_was_last_heard_of(
    services: Services, orphans: Orphans, clock: SteppedClock
) -> None:
    session = await dies(services)
    lapsed = (await stored(services, session)).lease_expires_at
    assert lapsed is not None
    clock.advance(10_000_000)
    await orphans.sweep()
    (*_, entry) = await services.storage.sessions.journal(session.id, HOME)
    assert entry.event == WorkerLost(at=lapsed)


async def test_a_session_that_nobody_resumes_ends_as_interrupted_with_what_was_kept(
    services: Services, orphans: Orphans, clock: SteppedClock, tmp_path: Path
) -> None:
    async def speak(handle: SessionHandle) -> None:
        handle.audio(Track.USER, ONE_SECOND)
        await handle.final(SAID)

    session = await dies(services, speak, store_audio=True, store_transcript=True)
    clock.advance(60_000_000)
    assert await orphans.sweep() == (session.id,)
    ended = await stored(services, session)
    assert (ended.state, ended.status, ended.end_reason) == ("ENDED", "interrupted", "worker_lost")
    assert (ended.audio_partial, ended.transcript_final) == (True, "hello there")
    folder = tmp_path / "sessions" / session.id
    assert sorted(path.name for path in folder.iterdir()) == ["audio.wav", "transcript.json"]
    assert (folder / "audio.wav").read_bytes()[44:] == ONE_SECOND
    assert await orphans.sweep() == ()


async def test_what_a_lost_worker_had_reserved_is_given_back(
    services: Services, orphans: Orphans
) -> None:
    session = await dies(services)
    account = Account(SpendingScope.SESSION, session.id)
    entry = LedgerEntry(
        at=session.created_at,
        accounts=[account],
        reserve=[Want(hold_id=HoldId("h1"), meter=Meter.AUDIO_US, amount=5)],
    )
    await services.storage.ledger.post(entry)
    await orphans.sweep()
    (standing,) = await services.storage.ledger.standings(
        [account], [Meter.AUDIO_US], at=session.created_at
    )
    assert standing.held == 0


async def test_a_session_whose_worker_renews_is_left_alone(
    services: Services, orphans: Orphans, clock: SteppedClock
) -> None:
    async with SessionManager(evolve(services, worker_id="w1")) as voice:
        session = await voice.create()
        async with voice.attach(session.id) as handle:
            await handle.live()
            clock.advance(3_600_000_000)
            assert await orphans.sweep() == ()
            assert handle.is_live


async def test_a_session_that_nobody_connects_to_ends_although_nobody_asks(
    services: Services, orphans: Orphans, clock: SteppedClock
) -> None:
    registry = Registry(services, HOME, orphans)
    long_ago = evolve(services, clock=SteppedClock(clock.now() - timedelta(minutes=1)))
    session = await Registry(long_ago, HOME, orphans).create({}, DEFAULT_TENANT)
    fresh = await registry.create({}, DEFAULT_TENANT)
    assert await orphans.sweep() == (session.id,)
    assert (await stored(services, session)).end_reason == "connect_timeout"
    assert (await stored(services, fresh)).state == "CONNECTING"


async def test_a_session_that_was_ended_from_outside_is_finished_if_its_worker_never_comes(
    services: Services, orphans: Orphans, tmp_path: Path
) -> None:
    async def speak(handle: SessionHandle) -> None:
        handle.audio(Track.USER, ONE_SECOND)
        await handle.final(SAID)

    session = await dies(services, speak, store_audio=True, store_transcript=True)
    impatient = evolve(services, lease=timedelta(microseconds=1))
    impatient = evolve(
        impatient,
        clock=SteppedClock(datetime.now(UTC) - timedelta(minutes=5)),  # noqa: TID251
    )
    async with SessionManager(impatient) as voice:
        ended = await voice.end(session.id)
    assert (ended.state, ended.end_reason, ended.audio_uri) == ("ENDED", "completed", None)
    assert await orphans.sweep() == (session.id,)
    finished = await stored(services, session)
    assert (finished.end_reason, finished.transcript_final) == ("completed", "hello there")
    assert finished.audio_uri is not None
    assert finished.deadline_at == finished.ended_at + timedelta(days=30)  # type: ignore[operator]
    assert (tmp_path / "sessions" / session.id / "audio.wav").exists()
    assert await orphans.sweep() == ()


async def test_when_its_days_are_over_nothing_is_left_of_a_session(
    services: Services, orphans: Orphans, tmp_path: Path
) -> None:
    async def speak_and_end(handle: SessionHandle) -> None:
        handle.audio(Track.USER, ONE_SECOND)
        await handle.final(SAID)
        await handle.end()

    session = await dies(
        services, speak_and_end, store_audio=True, store_transcript=True, retention_days=0
    )
    long_ago = evolve(session, deadline_at=datetime(2026, 1, 1, tzinfo=UTC))
    assert session.state == long_ago.state == "ENDED"
    swept: tuple[SessionId, ...] = ()
    while not swept:  # until the clock of the store has reached ours
        swept = await orphans.sweep()
    assert swept == (session.id,)
    with pytest.raises(SessionNotFound):
        await stored(services, session)
    assert not files_in(tmp_path)
    (tombstone,) = await services.storage.sessions.tombstones(HOME)  # type: ignore[attr-defined]
    assert tombstone.reason == "retention"


async def test_a_legal_hold_keeps_a_session_from_everybody(services: Services) -> None:
    async with SessionManager(services) as voice:
        session = await voice.create(retention_days=0)
        await voice.end(session.id)
        held = await voice.set_legal_hold(session.id, True)
        assert (held.legal_hold, held.deadline_at) == (True, None)
        with pytest.raises(AccessDenied, match="legal hold"):
            await voice.delete(session.id)
        lifted = await voice.set_legal_hold(session.id, False)
        assert lifted.deadline_at == lifted.ended_at
        await voice.delete(session.id)


class DeafStore(MemorySessions):
    """Does not answer sweepers while ``is_away``."""

    is_away = False
    sweeps = 0

    async def take_due(self, **which: Any) -> list[DueSession]:
        self.sweeps += 1
        if self.is_away:
            raise StoreUnavailable("away")
        return []


@pytest.fixture
def deaf(services: Services) -> DeafStore:
    storage: Any = services.storage
    storage.sessions = DeafStore(storage.sessions._shelves)
    deaf: DeafStore = storage.sessions
    return deaf


async def passes(clock: SteppedClock, ticks: int, event_loop_turns: int = 20) -> None:
    """Let *ticks* thirds of a lease pass, and everybody act in each."""
    for _ in range(ticks):
        clock.advance(LEASE_US // 3)
        for _ in range(event_loop_turns):
            await checkpoint()


async def test_a_new_worker_waits_for_one_lease_before_it_sweeps(
    services: Services, deaf: DeafStore, clock: SteppedClock
) -> None:
    async with SessionManager(services):
        await passes(clock, 2)
        assert deaf.sweeps == 0
        await passes(clock, 2)
        assert deaf.sweeps > 0


async def test_after_an_outage_of_the_store_nothing_is_swept_for_one_lease(
    services: Services, deaf: DeafStore, clock: SteppedClock
) -> None:
    async with SessionManager(services):
        await passes(clock, 4)
        deaf.is_away = True
        await passes(clock, 1)
        deaf.is_away, deaf.sweeps = False, 0
        await passes(clock, 2)
        assert deaf.sweeps == 0
        await passes(clock, 2)
        assert deaf.sweeps > 0


async def test_a_session_that_cannot_be_looked_after_does_not_keep_the_others_waiting(
    services: Services,
) -> None:
    failed: list[tuple[SessionId | None, Exception]] = []
    first, second = [await dies(services) for _ in range(2)]

    class StolenOnce(MemorySessions):
        async def take_due(self, **which: Any) -> list[DueSession]:
            found = await super().take_due(**which)
            if found:
                await self.take_lease(
                    found[0].session.id, EVERYTHING, worker_id="thief", duration=LEASE
                )
            return list(found)

    storage: Any = services.storage
    storage.sessions = StolenOnce(storage.sessions._shelves)
    swept = await Orphans(services, lambda one, error: failed.append((one, error))).sweep()
    assert sorted(swept) == sorted([first.id, second.id])
    ((stolen, error),) = failed
    assert isinstance(error, LeaseLost)
    (other,) = {first.id, second.id} - {stolen}
    assert (await services.storage.sessions.load(other, HOME)).pause_reasons == {"worker_lost"}


async def test_a_clock_behind_the_stores_does_not_keep_a_sweep_from_coming_to_its_end(
    services: Services, orphans: Orphans, clock: SteppedClock
) -> None:
    registry = Registry(services, HOME, orphans)
    session = await registry.create({}, DEFAULT_TENANT)
    # By the store's time the connect window is over; by ours, it is not.
    early = evolve(session, deadline_at=datetime.now(UTC) - timedelta(seconds=1))  # noqa: TID251
    event = DetailsChanged(at=clock.now(), fields=())
    await services.storage.sessions.commit(
        Change(
            session=evolve(early, seq=session.seq + 1),
            expected_seq=session.seq,
            entries=(JournalEntry(session.seq + 1, event),),
        )
    )
    with anyio.fail_after(PATIENCE_S):
        assert await orphans.sweep() == (session.id,)
    assert (await stored(services, session)).state is SessionState.CONNECTING
    assert (await stored(services, session)).worker_id is None
