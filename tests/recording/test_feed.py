from __future__ import annotations

from collections.abc import Generator
from errno import EIO
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from attrs import define, field, frozen
from hypothesis import given, settings, strategies as st

from voicesession.core.audio import AudioFormat
from voicesession.core.errors import RecordingFailed
from voicesession.core.results import SessionFolder
from voicesession.core.timeline import Span, Track
from voicesession.ports.recording import ProblemKind
from voicesession.recording import unsynced as unsynced_module, writer as writer_module
from voicesession.recording.feed import Feed
from voicesession.recording.keeper import Keeper
from voicesession.recording.spool import FRAME_BYTES, Spool, open_spool
from voicesession.recording.voice import Run
from voicesession.recording.writer import Writer
from voicesession.testing.contracts.recorded import MS
from voicesession.testing.effort import examples

RATES_HZ = (8_000, 11_025, 16_000, 44_100, 48_000)
MASK_US = 50 * MS


@frozen
class Chunks:
    """So many of one size, end to end as a clock of microseconds tells it.

    Attributes:
        at_us: None where they go on with what was given last.
        is_masked: Then the beginning of all is masked.
    """

    track: Track
    at_us: int | None
    frames: int
    count: int
    is_masked: bool


RUNS = st.lists(
    st.builds(
        Chunks,
        st.sampled_from(Track),
        st.none() | st.integers(0, 200 * MS),
        st.integers(0, 99),
        st.integers(1, 30),
        st.booleans(),
    ),
    max_size=6,
)


@settings(max_examples=examples(30))
@given(st.sampled_from(RATES_HZ), RUNS)
def test_each_chunk_lands_on_the_frame_nearest_to_its_time(
    rate_hz: int, runs: list[Chunks]
) -> None:
    spoken = AudioFormat(sample_rate=rate_hz)
    expected: dict[Track, dict[int, int]] = {track: {} for track in Track}
    next_us = dict.fromkeys(Track, 0)
    level = silent_until = 0
    with TemporaryDirectory() as folder:
        spool = open_spool(Path(folder), SessionFolder("s1"), rate_hz)
        feed = Feed(Keeper(spool), spoken, Writer())
        owned = dict(zip(Track, feed.hand_to(None), strict=True))
        for run in runs:
            at_us = next_us[run.track] if run.at_us is None else run.at_us
            for _ in range(run.count):
                level += 1
                chunk = level.to_bytes(2, "little") * run.frames
                if not owned[run.track].takes(at_us, chunk):
                    feed.give(None, run.track, at_us, chunk)
                first = spoken.nearest_frame(at_us)
                expected[run.track] |= dict.fromkeys(range(first, first + run.frames), level)
                at_us += spoken.time_of(run.frames)
            next_us[run.track] = at_us
            if run.is_masked:
                feed.mask(Span(0, MASK_US))
                silent_until = spoken.nearest_frame(MASK_US)
        feed.write_out()
        for track, frames in expected.items():
            end = max(frames, default=-1) + 1
            kept = memoryview(spool.read(track, range(end))).cast("h").tolist()
            assert kept[:silent_until] == [0] * min(end, silent_until)
            assert kept[silent_until:] == [frames.get(n, 0) for n in range(silent_until, end)]
        spool.release()


CHUNK = bytes(640)


@define
class Hurried:
    """Gives as much as is taken: 20 ms of the caller, and of the agent in two of three."""

    feed: Feed
    given: int = 0
    waiting: list[Track] = field(factory=list)
    runs: dict[Track, Run] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.runs = dict(zip(Track, self.feed.hand_to(None), strict=True))

    def go_on(self) -> None:
        while self._has_given(self._next()):
            del self.waiting[0]

    def _next(self) -> Track:
        if not self.waiting:
            self.waiting = [Track.USER, Track.AGENT][: 2 if self.given % 3 else 1]
            self.given += 1
        return self.waiting[0]

    def _has_given(self, track: Track) -> bool:
        dropped, at_us = self.feed.keeper.losses.changes, (self.given - 1) * 20 * MS
        if not self.runs[track].takes(at_us, CHUNK):
            self.feed.give(None, track, at_us, CHUNK)
        return self.feed.keeper.losses.changes == dropped

    def unwritten(self) -> int:
        """How many chunks of time would be lost to a kill."""
        ends = (self.feed.keeper.spool.end_frame(track) for track in Track)
        return self.given - min(ends) * FRAME_BYTES // len(CHUNK)


def most_unwritten(disk_waits: list[bool]) -> int:
    """Return what a kill costs at worst where the one who records goes on while the disk waits."""
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patched:
        patched.setattr(writer_module, "_PATIENCE_S", 0)
        spool = open_spool(Path(folder), SessionFolder("s1"), 16_000)
        hurried = Hurried(Feed(Keeper(spool), AudioFormat(), Writer()))
        waits, unwritten = iter(disk_waits), [0]
        write = Spool.write

        def slowly(self: Spool, track: Track, first_frame: int, samples: bytes) -> None:
            if next(waits, False):
                hurried.go_on()
            unwritten.append(hurried.unwritten())
            write(self, track, first_frame, samples)

        patched.setattr(Spool, "write", slowly)
        for _ in range(5):
            hurried.go_on()
            unwritten.append(hurried.unwritten())
            hurried.feed.write_out()
        spool.release()
    return max(unwritten)


MOST_UNWRITTEN = 122
"""All that may wait, of the agent alone: `WAITING_CHUNKS` of the tests that kill."""


@settings(max_examples=examples(20))
@given(st.lists(st.booleans(), max_size=100))
def test_a_kill_costs_no_more_than_may_wait_of_one_voice(disk_waits: list[bool]) -> None:
    assert most_unwritten(disk_waits) <= MOST_UNWRITTEN


def test_what_waits_may_be_more_of_one_voice_than_of_the_other() -> None:
    in_step = most_unwritten([])
    assert in_step < most_unwritten([True] * 100) <= MOST_UNWRITTEN


def test_what_may_not_survive_a_power_cut_is_told_and_is_not_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_file: int) -> None:
        raise OSError(EIO, "the disk is broken")

    spool = open_spool(tmp_path, SessionFolder("s1"), 16_000)
    feed = Feed(Keeper(spool), AudioFormat(), Writer())
    feed.give(None, Track.USER, 40 * MS, CHUNK)
    feed.write_out()
    finish = feed.begin_sync()
    assert not feed.is_unsynced
    monkeypatch.setattr(unsynced_module, "_fdatasync", refuse)
    finish()
    losses = feed.keeper.losses
    (problem,) = losses.problems
    assert (problem.kind, problem.dropped_bytes) == (ProblemKind.WRITE_FAILED, 0)
    assert problem.span == Span(40 * MS, 60 * MS)
    assert losses.gaps == ()
    feed.write_out()
    assert feed.is_unsynced  # that is noted too
    assert spool.take_unsynced().has_new  # and the names of the files get another try
    spool.release()


def test_what_was_removed_need_not_be_made_durable(tmp_path: Path) -> None:
    spool = open_spool(tmp_path, SessionFolder("s1"), 16_000)
    feed = Feed(Keeper(spool), AudioFormat(), Writer())
    feed.give(None, Track.USER, 0, CHUNK)
    feed.write_out()
    finish = feed.begin_sync()
    spool.remove()
    finish()
    assert feed.keeper.losses.problems == ()


@pytest.fixture
def spool(tmp_path: Path) -> Generator[Spool]:
    spool = open_spool(tmp_path, SessionFolder("s1"), 16_000)
    yield spool
    spool.release()


def test_a_run_takes_only_what_comes_as_it_came_before(spool: Spool) -> None:
    feed = Feed(Keeper(spool), AudioFormat(), Writer())
    user, agent = feed.hand_to(None)
    assert not user.takes(0, CHUNK)
    feed.give(None, Track.USER, 0, CHUNK)
    assert not user.takes(40 * MS, CHUNK)  # later
    assert not user.takes(20 * MS, CHUNK[2:])  # shorter
    assert not agent.takes(20 * MS, CHUNK)
    assert user.takes(20 * MS, CHUNK)
    assert not user.takes(20 * MS, CHUNK)  # twice


@pytest.mark.parametrize(("rate_hz", "frames"), [(48_000, 128), (44_100, 160), (11_025, 221)])
def test_a_run_takes_chunks_that_last_no_whole_microsecond(
    tmp_path: Path, rate_hz: int, frames: int
) -> None:
    spoken, chunk = AudioFormat(sample_rate=rate_hz), bytes(frames * FRAME_BYTES)
    spool = open_spool(tmp_path, SessionFolder("s1"), rate_hz)
    feed = Feed(Keeper(spool), spoken, Writer())
    user, _ = feed.hand_to(None)
    feed.give(None, Track.USER, 0, chunk)
    assert all(user.takes(spoken.time_of(n * frames), chunk) for n in range(1, 20))
    feed.hand_to(None)
    assert feed.kept_until_us == spoken.time_of(20 * frames)
    spool.release()


def test_who_is_in_a_run_gives_nothing_once_another_one_records(spool: Spool) -> None:
    feed, old, new = Feed(Keeper(spool), AudioFormat(), Writer()), object(), object()
    was_its_own, _ = feed.hand_to(old)
    feed.give(old, Track.USER, 0, CHUNK)
    its_own, _ = feed.hand_to(new)
    assert not was_its_own.takes(20 * MS, CHUNK)
    feed.give(new, Track.USER, 20 * MS, CHUNK)
    assert not was_its_own.takes(40 * MS, CHUNK)
    with pytest.raises(RecordingFailed, match="somebody else has taken it over"):
        feed.give(old, Track.USER, 40 * MS, CHUNK)
    assert its_own.takes(40 * MS, CHUNK)
    feed.hand_to(None)
    assert feed.kept_until_us == 60 * MS


def test_a_run_ends_with_a_pause(spool: Spool) -> None:
    feed = Feed(Keeper(spool), AudioFormat(), Writer())
    user, _ = feed.hand_to(None)
    sounding = b"\1\1" * 320
    feed.pause(0)
    feed.give(None, Track.USER, 0, sounding)
    feed.resume(20 * MS)
    assert not user.takes(20 * MS, sounding)
    feed.give(None, Track.USER, 20 * MS, sounding)
    feed.write_out()
    assert spool.read(Track.USER, range(640)) == bytes(640) + sounding


@pytest.mark.parametrize("begins", [[], list(Track)])
def test_room_that_is_kept_for_chunks_that_do_not_come_is_there_for_others(
    spool: Spool, monkeypatch: pytest.MonkeyPatch, begins: list[Track]
) -> None:
    monkeypatch.setattr(writer_module, "_PATIENCE_S", 0)
    feed, taken = Feed(Keeper(spool), AudioFormat(), Writer()), 0
    for _ in range(100):
        for track in begins:
            feed.give(None, track, 0, CHUNK)
        feed.write_out()
    for track in begins:
        feed.give(None, track, 0, CHUNK)
    while not feed.keeper.losses.changes:
        taken += 1
        feed.give(None, Track.USER, 20 * MS * taken, CHUNK)
    assert taken * len(CHUNK) > 0.85 * feed.limit_bytes
