"""What a lost machine leaves: recorders here and elsewhere share one object store."""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest
from anyio import to_thread
from tests.patience import PATIENCE_S

from voicesession.core.audio import AudioFormat
from voicesession.core.backoff import Backoff
from voicesession.core.errors import (
    InvalidValue,
    RecordingFailed,
    StoreError,
    StoreTimeout,
    StoreUnavailable,
)
from voicesession.core.timeline import Span, Track
from voicesession.ports.objects import CredentialsExpired
from voicesession.ports.recording import Backlog, Gap, LeftRecording, ProblemKind
from voicesession.recording.memory import MemoryObjectStore
from voicesession.recording.recorder import SpoolRecorder, SpoolRecording
from voicesession.recording.shipping import Shipping
from voicesession.runtime.clock import SteppedClock
from voicesession.testing.contracts.recorded import MS, Wav, steady

FORMAT = AudioFormat()
USER, AGENT = Track
CHECKPOINT_US = 5_000_000
NOW = datetime(2030, 1, 1, tzinfo=UTC)
AUDIO = "sessions/s1/audio.wav"


class Harbour(MemoryObjectStore):
    """A store whose changes can be waited for, and that can be closed for a while."""

    def __init__(self) -> None:
        super().__init__()
        self.closed_by: StoreError | None = None
        self.refusals = 0
        self._changed = anyio.Event()

    async def put(self, key: str, data: bytes, /) -> str:
        if self.closed_by is not None:
            self.refusals += 1
            raise self.closed_by
        uri = await super().put(key, data)
        self._tell()
        return uri

    async def delete(self, key: str, /) -> None:
        await super().delete(key)
        self._tell()

    async def keys(self) -> list[str]:
        return [found.key for found in await self.find()]

    async def until(self, is_so: Callable[[list[str]], bool]) -> list[str]:
        with anyio.fail_after(PATIENCE_S):
            while not is_so(keys := await self.keys()):
                await self._changed.wait()
        return keys

    def _tell(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()


class Machine:
    """A recorder with a disk of its own."""

    def __init__(
        self, disk: Path, harbour: Harbour, *, limit_bytes: int = 1 << 30, now: datetime = NOW
    ) -> None:
        self.clock = SteppedClock(now)
        self.disk = disk
        self.harbour = harbour
        self.recorder = SpoolRecorder(
            disk,
            harbour,
            shipping=Shipping(
                clock=self.clock,
                checkpoint=timedelta(seconds=5),
                limit_bytes=limit_bytes,
                backoff=Backoff(first_us=1_000_000, longest_us=1_000_000, jitter=0),
            ),
        )

    async def checkpoint(self, *recordings: SpoolRecording) -> None:
        """Let a checkpoint pass; returns when everything of *recordings* has been shipped."""
        for recording in recordings:
            await written(recording)
        await self.tick()
        await self.tick(CHECKPOINT_US)
        assert self.recorder.backlog.unshipped_bytes == 0

    async def tick(self, passing_us: int = 1_000_000) -> None:
        """Let time pass; returns when what it set going is done."""
        shipper = self.recorder._shipper
        assert shipper is not None
        self.clock.advance(passing_us)
        rounds = 0
        with anyio.fail_after(PATIENCE_S):
            while rounds < 5 or any(one.is_under_way for one in shipper._shipments.values()):
                await anyio.lowlevel.checkpoint()
                rounds += 1


async def written(recording: SpoolRecording) -> None:
    done = threading.Event()
    recording._feed.have_done(done.set)
    await to_thread.run_sync(done.wait)


@pytest.fixture
def harbour() -> Harbour:
    return Harbour()


class Fleet:
    """Starts machines, and loses them."""

    def __init__(self, root: Path, harbour: Harbour) -> None:
        self._root = root
        self._harbour = harbour
        self._count = 0

    @asynccontextmanager
    async def machine(
        self, *, limit_bytes: int = 1 << 30, now: datetime = NOW
    ) -> AsyncGenerator[Machine]:
        self._count += 1
        disk = self._root / str(self._count)
        machine = Machine(disk, self._harbour, limit_bytes=limit_bytes, now=now)
        async with anyio.create_task_group() as group:
            group.start_soon(machine.recorder.run)
            await anyio.wait_all_tasks_blocked()
            yield machine
            group.cancel_scope.cancel()
        # Lost: nothing more of it gets into the store.
        closed_by, self._harbour.closed_by = self._harbour.closed_by, StoreUnavailable("lost")
        await machine.recorder.aclose()
        self._harbour.closed_by = closed_by


@pytest.fixture
def fleet(tmp_path: Path, harbour: Harbour) -> Fleet:
    return Fleet(tmp_path, harbour)


async def the_file(harbour: Harbour, key: str = AUDIO) -> Wav:
    return Wav.of(await harbour.get(key))


async def test_less_than_a_checkpoint_waits_to_be_sent(fleet: Fleet) -> None:
    async with fleet.machine() as machine:
        recording, most_us = machine.recorder.open("s1", FORMAT), 0
        for second in range(30):
            await machine.tick()
            recording.write(USER, second * 1_000 * MS, steady(1, 1_000))
            await written(recording)
            most_us = max(most_us, machine.recorder.backlog.lag_us)
    assert CHECKPOINT_US // 2 < most_us < CHECKPOINT_US


async def test_at_each_checkpoint_what_is_new_is_shipped(fleet: Fleet, harbour: Harbour) -> None:
    async with fleet.machine() as here:
        recording = here.recorder.open("s1", FORMAT)
        recording.write(USER, 0, steady(1, 100))
        await here.checkpoint(recording)
        recording.write(USER, 100 * MS, steady(2, 50))
        recording.write(AGENT, 20 * MS, steady(3, 20))
        await here.checkpoint(recording)
        await here.checkpoint(recording)
        folder = "sessions/s1/segments"
        assert await harbour.keys() == [
            f"{folder}/agent/000000000320-000000000640-000001.s16",
            f"{folder}/notes.jsonl",
            f"{folder}/user/000000000000-000000001600-000000.s16",
            f"{folder}/user/000000001600-000000002400-000001.s16",
        ]
        assert await harbour.get(f"{folder}/user/000000001600-000000002400-000001.s16") == (
            steady(2, 50)
        )
        assert here.recorder.backlog == Backlog()


async def test_who_closes_leaves_the_file_and_no_segments(fleet: Fleet, harbour: Harbour) -> None:
    async with fleet.machine() as here:
        recording = here.recorder.open("s1", FORMAT)
        recording.write(USER, 0, steady(1, 100))
        await here.checkpoint(recording)
        recording.write(USER, 100 * MS, steady(2, 50))
        recorded = await recording.close(150 * MS)
        assert (recorded.partial, recorded.gaps, recorded.problems) == (False, (), ())
        assert await harbour.keys() == [AUDIO]
        wav = await the_file(harbour)
        assert wav.levels(wav.left) == [(1, 100), (2, 50)]


async def test_of_a_lost_machine_all_is_found_up_to_the_last_checkpoint(
    fleet: Fleet, harbour: Harbour
) -> None:
    async with fleet.machine() as lost:
        recording = lost.recorder.open("s1", FORMAT)
        recording.write(USER, 0, steady(1, 100))
        recording.write(AGENT, 50 * MS, steady(2, 100))
        recording.mask(20 * MS, 30 * MS)
        recording.pause(90 * MS)
        recording.resume(95 * MS)
        await lost.checkpoint(recording)
        recording.write(USER, 100 * MS, steady(3, 100))
    async with fleet.machine() as other:
        (left,) = await other.recorder.find_left()
        assert left == LeftRecording(
            session_id="s1",
            duration_us=150 * MS,
            is_on_this_disk=False,
            shipped_at=left.shipped_at,
        )
        assert left.shipped_at is not None
        assert await other.recorder.recover(spare={"s1"}) == []
        (report,) = await other.recorder.recover_only({"s1", "another"})
        recorded = report.recorded
        assert recorded is not None
        assert (recorded.partial, recorded.gaps) == (True, ())
        assert recorded.cuts == (Span(90 * MS, 95 * MS),)
        assert await harbour.keys() == [AUDIO]
        wav = await the_file(harbour)
        assert wav.levels(wav.left) == [(1, 20), (0, 10), (1, 60), (0, 55)]
        assert wav.levels(wav.right) == [(0, 50), (2, 40), (0, 55)]
        assert await other.recorder.recover() == []
        assert await other.recorder.find_left() == []
        assert [path for path in other.disk.rglob("*") if path.is_file()] == []


async def test_a_machine_that_comes_back_does_not_make_a_second_file(
    fleet: Fleet, harbour: Harbour
) -> None:
    async with fleet.machine() as lost:
        recording = lost.recorder.open("s1", FORMAT)
        recording.write(USER, 0, steady(1, 100))
        await lost.checkpoint(recording)
    async with fleet.machine() as other:
        await other.recorder.recover()
    back = SpoolRecorder(lost.disk, harbour, shipping=Shipping(clock=lost.clock))
    assert [report.recorded for report in await back.recover()] == [None]
    assert await back.recover() == []
    assert await harbour.keys() == [AUDIO]
    await back.aclose()


async def test_where_the_spool_is_there_too_the_longer_one_wins(
    fleet: Fleet, harbour: Harbour
) -> None:
    async with fleet.machine() as killed:
        recording = killed.recorder.open("s1", FORMAT)
        recording.write(USER, 0, steady(1, 100))
        await killed.checkpoint(recording)
        recording.write(USER, 100 * MS, steady(2, 100))
        recording.write(USER, 50 * MS, steady(9, 10))
    again = SpoolRecorder(killed.disk, harbour, shipping=Shipping(clock=killed.clock))
    (report,) = await again.recover()
    assert report.recorded is not None
    wav = await the_file(harbour)
    assert wav.levels(wav.left) == [(1, 50), (9, 10), (1, 40), (2, 100)]
    assert await harbour.keys() == [AUDIO]
    await again.aclose()


async def test_a_session_that_goes_on_elsewhere_is_one_recording(
    fleet: Fleet, harbour: Harbour
) -> None:
    async with fleet.machine() as lost:
        recording = lost.recorder.open("s1", FORMAT)
        recording.write(USER, 0, steady(1, 100))
        recording.mask(40 * MS, 50 * MS)
        await lost.checkpoint(recording)
        recording.write(USER, 100 * MS, steady(9, 40))
    async with fleet.machine() as other:
        recording = other.recorder.open("s1", FORMAT)
        recording.write(USER, 120 * MS, steady(2, 80))
        await other.checkpoint(recording)
        recorded = await recording.close(200 * MS)
        wav = await the_file(harbour)
        assert wav.levels(wav.left) == [(1, 40), (0, 10), (1, 50), (0, 20), (2, 80)]
        assert recorded.gaps == (Gap(USER, Span(100 * MS, 120 * MS)),)
        assert not recorded.partial
        assert await harbour.keys() == [AUDIO]


async def test_what_a_later_owner_shipped_holds_over_the_spool_of_the_former(
    fleet: Fleet, harbour: Harbour
) -> None:
    async with fleet.machine() as former:
        recording = former.recorder.open("s1", FORMAT)
        recording.write(USER, 0, steady(1, 100))
        await former.checkpoint(recording)
        recording.write(USER, 100 * MS, steady(9, 40))
    async with fleet.machine() as later:
        recording = later.recorder.open("s1", FORMAT)
        recording.write(USER, 100 * MS, steady(2, 100))
        await later.checkpoint(recording)
    back = SpoolRecorder(former.disk, harbour, shipping=Shipping(clock=former.clock))
    (report,) = await back.recover()
    assert report.recorded is not None
    wav = await the_file(harbour)
    assert wav.levels(wav.left) == [(1, 100), (2, 100)]
    await back.aclose()


@pytest.mark.parametrize("resumes", [False, True])
async def test_a_pause_goes_on_on_the_next_machine(
    fleet: Fleet, harbour: Harbour, resumes: bool
) -> None:
    async with fleet.machine() as lost:
        recording = lost.recorder.open("s1", FORMAT)
        recording.write(USER, 0, steady(1, 100))
        recording.pause(60 * MS)
        await lost.checkpoint(recording)
    async with fleet.machine() as other:
        recording = other.recorder.open("s1", FORMAT)
        recording.write(USER, 100 * MS, steady(2, 100))
        if resumes:
            recording.resume(150 * MS)
        await other.checkpoint(recording)
        recorded = await recording.close(200 * MS)
        wav = await the_file(harbour)
        assert wav.levels(wav.left) == [(1, 60), (2, 50)][: 1 + resumes]
        assert recorded.cuts == (Span(60 * MS, (150 if resumes else 200) * MS),)


async def test_what_is_masked_leaves_the_store_before_the_next_checkpoint(
    fleet: Fleet, harbour: Harbour
) -> None:
    async with fleet.machine() as here:
        recording = here.recorder.open("s1", FORMAT)
        recording.write(USER, 0, steady(1, 100))
        recording.write(AGENT, 0, steady(2, 10))
        await here.checkpoint(recording)
        recording.mask(0, 40 * MS)
        await written(recording)
        here.clock.advance(1_000_000)
        rest = "sessions/s1/segments/user/000000000640-000000001600-000000.s16"
        await harbour.until(lambda keys: keys == ["sessions/s1/segments/notes.jsonl", rest])
        assert await harbour.get(rest) == steady(1, 60)


@pytest.mark.parametrize(
    "closed_by",
    [
        StoreUnavailable("the harbour is closed"),
        StoreTimeout("the harbour is closed"),
        CredentialsExpired("the harbour is closed"),
        StoreError("the harbour is closed"),  # as where there is no such bucket
    ],
    ids=repr,
)
async def test_while_the_store_is_away_the_recording_goes_on_and_tells(
    fleet: Fleet, harbour: Harbour, closed_by: StoreError
) -> None:
    async with fleet.machine() as here:
        recording = here.recorder.open("s1", FORMAT)
        recording.write(USER, 0, steady(1, 100))
        await written(recording)
        harbour.closed_by = closed_by
        await here.tick(CHECKPOINT_US)
        while harbour.refusals < 3:
            await here.tick()
        assert here.recorder.backlog == Backlog(unshipped_bytes=3_200, lag_us=100 * MS)
        (problem,) = recording.problems
        assert (problem.kind, problem.dropped_bytes) == (ProblemKind.NOT_SHIPPED, 0)
        assert (problem.span, problem.detail) == (Span(0, 100 * MS), "the harbour is closed")
        harbour.closed_by = None
        recording.write(USER, 100 * MS, steady(2, 100))
        await here.checkpoint(recording)
        recorded = await recording.close(200 * MS)
        assert recorded.gaps == ()
        wav = await the_file(harbour)
        assert wav.levels(wav.left) == [(1, 100), (2, 100)]


async def test_at_the_limit_it_says_what_was_dropped_and_goes_on_when_there_is_room(
    fleet: Fleet, harbour: Harbour
) -> None:
    async with fleet.machine(limit_bytes=4_000) as here:
        recording = here.recorder.open("s1", FORMAT)
        for n in range(3):
            recording.write(USER, n * 100 * MS, steady(n + 1, 100))
            await written(recording)
        await here.checkpoint()
        recording.write(USER, 300 * MS, steady(4, 100))
        recorded = await recording.close(400 * MS)
        (problem,) = recorded.problems
        assert problem.kind is ProblemKind.SPOOL_FULL
        assert (problem.span, problem.dropped_bytes) == (Span(100 * MS, 300 * MS), 6_400)
        assert recorded.gaps == (Gap(USER, Span(100 * MS, 300 * MS)),)
        wav = await the_file(harbour)
        assert wav.levels(wav.left) == [(1, 100), (0, 200), (4, 100)]


async def test_who_releases_a_recording_ships_the_rest_of_it(
    fleet: Fleet, harbour: Harbour
) -> None:
    async with fleet.machine() as former:
        recording = former.recorder.open("s1", FORMAT)
        recording.write(USER, 0, steady(1, 100))
        await written(recording)
        recording.release()
        former.clock.advance(1_000_000)
        await harbour.until(lambda keys: len(keys) == 2)
    async with fleet.machine() as other:
        recording = other.recorder.open("s1", FORMAT)
        recording.write(USER, 100 * MS, steady(2, 100))
        await recording.close(200 * MS)
        wav = await the_file(harbour)
        assert wav.levels(wav.left) == [(1, 100), (2, 100)]


async def test_a_recorder_that_is_closed_ships_what_it_has(
    tmp_path: Path, harbour: Harbour
) -> None:
    machine = Machine(tmp_path, harbour)
    machine.recorder.open("s1", FORMAT).write(USER, 0, steady(1, 100))
    await machine.recorder.aclose()
    assert len(await harbour.keys()) == 2


async def test_many_machines_at_once_make_one_file(fleet: Fleet, harbour: Harbour) -> None:
    async with fleet.machine() as lost:
        for n in range(5):
            recording = lost.recorder.open(f"s{n}", FORMAT)
            recording.write(USER, 0, steady(n + 1, 100))
            await lost.checkpoint(recording)
    async with AsyncExitStack() as stack:
        machines = [await stack.enter_async_context(fleet.machine()) for _ in range(3)]
        async with anyio.create_task_group() as group:
            for machine in machines:
                group.start_soon(machine.recorder.recover)
        for machine in machines:
            await machine.recorder.recover()
            assert await machine.recorder.find_left() == []
    assert await harbour.keys() == [f"sessions/s{n}/audio.wav" for n in range(5)]
    for n in range(5):
        wav = await the_file(harbour, f"sessions/s{n}/audio.wav")
        assert wav.levels(wav.left) == [(n + 1, 100)]


async def test_of_a_purged_session_nothing_is_left_and_nothing_comes_back(
    fleet: Fleet, harbour: Harbour
) -> None:
    async with fleet.machine() as lost:
        recording = lost.recorder.open("s1", FORMAT)
        recording.write(USER, 0, steady(1, 100))
        await lost.checkpoint(recording)
    async with fleet.machine() as other:
        recording = other.recorder.open("s1", FORMAT)
        recording.write(USER, 100 * MS, steady(2, 100))
        await other.checkpoint(recording)
        await other.recorder.purge("s1")
        await other.recorder.purge("s1")
        assert await harbour.keys() == []
        assert await other.recorder.recover() == []
        with pytest.raises(RecordingFailed, match="closed"):
            await recording.close(0)


async def test_rubbish_is_removed_when_it_is_a_day_old(fleet: Fleet, harbour: Harbour) -> None:
    rubbish = "sessions/s1/segments/user/000000000000-000000000001-000000.s16"
    await harbour.put(rubbish, b"\1\0")
    await harbour.put("sessions/s2/transcript.json", b"{}")
    (found,) = await harbour.find(rubbish)
    for hours, left in ((23, 2), (25, 1)):
        async with fleet.machine(now=found.kept_at + timedelta(hours=hours)) as here:
            assert await here.recorder.recover() == []
            assert len(await harbour.keys()) == left


async def test_what_was_made_but_not_tidied_up_is_reported_again(
    fleet: Fleet, harbour: Harbour, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise StoreUnavailable("gone for a moment")

    async with fleet.machine() as here:
        recording = here.recorder.open("s1", FORMAT)
        recording.write(USER, 0, steady(1, 100))
        recording.write(AGENT, 0, steady(1, 100))
        recording.pause(80 * MS)
        await here.checkpoint(recording)
        with monkeypatch.context() as broken:
            broken.setattr(Harbour, "delete", fail)
            recorded = await recording.close(100 * MS)
    async with fleet.machine() as other:
        (report,) = await other.recorder.recover()
        assert report.recorded == recorded
        assert await harbour.keys() == [AUDIO]


async def test_a_store_that_cannot_be_listed_is_told_and_nothing_is_done(
    fleet: Fleet, harbour: Harbour, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise StoreUnavailable("no answer")

    async with fleet.machine() as here:
        monkeypatch.setattr(Harbour, "find", fail)
        for attempt in (here.recorder.recover, here.recorder.find_left):
            with pytest.raises(RecordingFailed, match="cannot be found: no answer"):
                await attempt()


def test_a_checkpoint_is_every_thirty_seconds_and_not_more_often_than_every_five() -> None:
    assert Shipping(clock=SteppedClock(NOW)).checkpoint == timedelta(seconds=30)
    with pytest.raises(InvalidValue, match="checkpoint"):
        Shipping(clock=SteppedClock(NOW), checkpoint=timedelta(seconds=4))
    with pytest.raises(InvalidValue, match="at_once"):
        Shipping(clock=SteppedClock(NOW), at_once=0)
