"""The end of a session comes once, however often storing it fails, and holds up nobody else."""

from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import pytest

from voicesession.core.accounts import Limit, Scope as Payer
from voicesession.core.deadlines import LifePolicy
from voicesession.core.errors import (
    QuotaExceeded,
    RecordingFailed,
    StoreError,
    StoreTimeout,
    StoreUnavailable,
)
from voicesession.core.events import EndRequested, SessionEvent
from voicesession.core.identity import SessionId
from voicesession.core.journal import JournalEntry
from voicesession.core.ledger import LedgerEntry, Posted
from voicesession.core.meters import Meter
from voicesession.core.states import EndReason, SessionState
from voicesession.core.timeline import Track
from voicesession.core.windows import Window
from voicesession.ports.storage import Change
from voicesession.recording.memory import MemoryObjectStore
from voicesession.recording.recorder import SpoolRecorder
from voicesession.runtime.clock import SteppedClock
from voicesession.runtime.manager import SessionManager
from voicesession.runtime.pipeline import SessionConfig
from voicesession.runtime.services import Services
from voicesession.stores.memory import MemoryStorage
from voicesession.testing.stage import PATIENT, START, Stage

SECOND_US = 1_000_000
A_TICK_US = 5 * SECOND_US


class FaultyStorage(MemoryStorage):
    """Stores the end of no session while there are ``faults``: each is raised by one attempt."""

    def __init__(self, *faults: StoreError) -> None:
        super().__init__()
        self.faults = list(faults)
        self.attempts = 0
        self._commit = self.sessions.commit
        self.sessions.commit = self._commit_or_fail  # type: ignore[method-assign]

    async def _commit_or_fail(self, change: Change, /) -> None:
        if not any(isinstance(entry.event, EndRequested) for entry in change.entries):
            await self._commit(change)
            return
        self.attempts += 1
        fault = self.faults.pop(0) if self.faults else None
        if fault is None or isinstance(fault, StoreTimeout):  # of that the outcome is unknown
            await self._commit(change)
        if fault is not None:
            raise fault


class ObjectStoreWithDoor(MemoryObjectStore):
    """Takes nothing while its door is shut, and counts what it is brought."""

    def __init__(self) -> None:
        super().__init__()
        self.door = anyio.Event()
        self.brought: list[str] = []

    async def put(self, key: str, data: bytes, /) -> str:
        self.brought.append(key)
        await self.door.wait()
        return await super().put(key, data)


@asynccontextmanager
async def a_manager(
    storage: MemoryStorage,
    objects: MemoryObjectStore | None = None,
    *,
    recorder: SpoolRecorder | None = None,
    worker: str = "w1",
) -> AsyncGenerator[tuple[SessionManager, SteppedClock]]:
    # The store stamps real time, so the session's clock begins there.
    clock = SteppedClock(datetime.now(UTC) + timedelta(seconds=1))  # noqa: TID251
    life = LifePolicy(idle_time=None)
    services = Services(
        storage=storage,
        objects=objects,
        recorder=recorder,
        clock=clock,
        worker_id=worker,
        life=life,
    )
    async with SessionManager(services) as voice:
        yield voice, clock


async def pass_time(clock: SteppedClock, duration_us: int) -> None:
    clock.advance(duration_us)
    await anyio.wait_all_tasks_blocked()


def ends(journal: Collection[JournalEntry]) -> list[SessionEvent]:
    return [entry.event for entry in journal if isinstance(entry.event, EndRequested)]


FAULTS = [
    [StoreUnavailable("gone fishing")],
    [StoreUnavailable("gone fishing")] * 3,
    [StoreTimeout("no answer")],
    [StoreUnavailable("gone fishing"), StoreTimeout("no answer")],
]


@pytest.mark.parametrize("faults", FAULTS)
async def test_an_end_that_could_not_be_stored_is_tried_again_until_it_is(
    faults: list[StoreError],
) -> None:
    storage = FaultyStorage(*faults)
    config = SessionConfig(floor=PATIENT, max_wall_clock=timedelta(seconds=5))
    async with Stage(storage=storage) as stage:
        async with stage.call(config=config, turns=20) as (call, phone):
            await phone.wait(9 * SECOND_US)
            assert call.session.state is SessionState.ENDED
        assert call.session.end_reason is EndReason.LIMIT_REACHED
        assert storage.attempts <= len(faults) + 1  # twice a second, and not without a pause
        (ended,) = ends(await stage.voice.journal(call.session.id))
        assert ended.at >= START + timedelta(seconds=5)


@pytest.mark.parametrize("faults", FAULTS)
async def test_the_supervisor_tries_again_where_nobody_else_does_and_the_reason_stays(
    faults: list[StoreError],
) -> None:
    storage = FaultyStorage(*faults)
    async with a_manager(storage) as (voice, clock):
        session = await voice.create()
        async with voice.attach(session.id) as handle:
            await handle.live()
            with pytest.raises(StoreError):
                await handle.end(EndReason.CANCELLED)
            assert not handle.is_over
            for _ in faults:
                await pass_time(clock, A_TICK_US)
            assert handle.is_over
        (ended,) = ends(await voice.journal(session.id))
        assert isinstance(ended, EndRequested)
        assert ended.reason is EndReason.CANCELLED


class Witness(MemoryObjectStore):
    """Writes down which files were brought, and refuses the audio if it ``refuses`` that."""

    def __init__(self, *, refuses: bool) -> None:
        super().__init__()
        self.steps: list[str] = []
        self._refuses = refuses

    async def put(self, key: str, data: bytes, /) -> str:
        self.steps.append(key.rpartition("/")[2])
        if self._refuses and key.endswith(".wav"):
            raise StoreUnavailable("no room")
        return await super().put(key, data)


@pytest.mark.parametrize("refuses", [False, True])
async def test_an_end_has_its_order_and_a_step_that_fails_keeps_no_other_from_running(
    tmp_path: Path, refuses: bool
) -> None:
    objects, storage = Witness(refuses=refuses), FaultyStorage()
    recorder = SpoolRecorder(tmp_path, objects)
    async with a_manager(storage, objects, recorder=recorder) as (voice, _):
        session = await voice.create(
            store_audio=True, recording_consent=True, store_transcript=True, enhance_on_end=True
        )
        async with voice.attach(session.id) as handle:
            await handle.live()
            handle.audio(Track.USER, bytes(32_000))
            objects.steps.clear()
            handle.subscribe(lambda told: objects.steps.append(type(told).__name__))
            ended = await handle.end()
        assert storage.attempts == 1
        assert list(dict.fromkeys(objects.steps)) == [
            "audio.wav",
            "transcript.json",
            "SessionChanged",  # it is told once it is stored: all of it, in one commit
        ]
        assert ended.audio_duration_us == SECOND_US
        assert ended.transcript_uri is not None
        assert ended.enhancement_job_id is not None
        assert (ended.audio_uri is None, ended.audio_partial) == (refuses, refuses)
        assert (ended.error is not None and "recording_failed" in ended.error) == refuses
        stored = await voice.get(session.id)
        assert (stored.seq, stored.transcript_uri) == (ended.seq, ended.transcript_uri)
    await recorder.aclose()


async def test_a_seat_is_free_as_soon_as_nobody_speaks_and_waits_for_no_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    objects, storage = ObjectStoreWithDoor(), MemoryStorage()
    entries: list[LedgerEntry] = []
    post = storage.ledger.post

    async def noted(entry: LedgerEntry, /) -> Posted:
        entries.append(entry)
        return await post(entry)

    monkeypatch.setattr(storage.ledger, "post", noted)
    async with a_manager(storage, objects) as (voice, _):
        tenant = voice.budgets.account(Payer.TENANT)
        await voice.budgets.set_limit(
            Limit(account=tenant, meter=Meter.SESSIONS, window=Window.SESSION, amount=1)
        )
        last, next_one = await voice.create(store_transcript=True), await voice.create()
        async with voice.attach(last.id) as over, voice.attach(next_one.id) as waiting:
            await over.live()
            with pytest.raises(QuotaExceeded):
                await waiting.live()
            entries.clear()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(over.end)
                await anyio.wait_all_tasks_blocked()
                assert not over.is_over  # its transcript is at the door
                assert len(entries) == 1  # audio and seat in one go
                assert (await waiting.live()).state is SessionState.LIVE
                entries.clear()
                objects.door.set()
            assert over.is_over
            assert entries == []


async def test_what_an_end_leaves_behind_is_made_once_however_often_it_is_stored() -> None:
    objects = ObjectStoreWithDoor()
    objects.door.set()
    storage = FaultyStorage(*[StoreUnavailable("gone fishing")] * 2)
    async with a_manager(storage, objects) as (voice, _):
        session = await voice.create(store_transcript=True, enhance_on_end=True)
        async with voice.attach(session.id) as handle:
            await handle.live()
            for _ in range(2):
                with pytest.raises(StoreUnavailable):
                    await handle.end()
            ended = await handle.end()
        assert ended.state is SessionState.ENDED
        assert objects.brought == [f"sessions/{session.id}/transcript.json"]
        (task,) = await voice.jobs.of(session.id)
        assert ended.enhancement_job_id == task.id


async def test_a_session_that_takes_long_to_finish_costs_no_other_its_lease(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    objects, storage = ObjectStoreWithDoor(), MemoryStorage()
    renewed: list[Collection[SessionId]] = []
    renew = storage.sessions.renew_leases

    async def noted(
        held: Mapping[SessionId, int], /, *, duration: timedelta
    ) -> Mapping[SessionId, int]:
        renewed.append(set(held))
        return await renew(held, duration=duration)

    monkeypatch.setattr(storage.sessions, "renew_leases", noted)
    async with (
        a_manager(storage, objects) as (voice, clock),
        a_manager(storage, worker="w2") as (
            elsewhere,
            _,
        ),
    ):
        long, limited = await voice.create(store_transcript=True), await voice.create()
        async with voice.attach(long.id) as slow, voice.attach(limited.id) as other:
            await slow.live()
            await other.live()
            await elsewhere.end(long.id)
            await elsewhere.pause(limited.id)
            await pass_time(clock, A_TICK_US)
            assert not other.is_live  # a command is learned of within 5 s
            for _ in range(11):  # a minute in all, which is four leases
                await pass_time(clock, A_TICK_US)
            deadline = (await elsewhere.get(long.id)).deadline_at
            assert deadline is not None
            assert deadline > clock.now()  # nobody sweeps what its owner is at
            assert objects.brought == [f"sessions/{long.id}/transcript.json"]
            assert len(renewed) == 12
            assert all(limited.id in held for held in renewed)
            assert other.session.state is SessionState.PAUSED  # and it is looked after
            objects.door.set()
            await anyio.wait_all_tasks_blocked()
            assert slow.is_over


async def test_what_goes_wrong_with_one_session_keeps_no_other_from_being_looked_after(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    storage = MemoryStorage()
    async with (
        a_manager(storage) as (voice, clock),
        a_manager(storage, worker="w2") as (
            elsewhere,
            _,
        ),
    ):
        first, second = await voice.create(), await voice.create()
        async with voice.attach(first.id) as broken, voice.attach(second.id) as sound:
            await broken.live()
            await sound.live()

            async def refuse() -> None:
                raise RecordingFailed("the disk is gone")

            monkeypatch.setattr(broken.ownership, "catch_up", refuse)
            for session in (first, second):
                await elsewhere.pause(session.id)
            await pass_time(clock, A_TICK_US)
            assert not sound.is_live
            await elsewhere.resume(second.id)
            await pass_time(clock, A_TICK_US)
            assert sound.is_live
