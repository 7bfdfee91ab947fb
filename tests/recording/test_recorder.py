from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncGenerator
from errno import EIO
from pathlib import Path
from threading import Event
from urllib.parse import urlsplit

import anyio
import pytest

from voicesession.core.audio import AudioFormat, Encoding
from voicesession.core.errors import RecordingFailed, StoreError
from voicesession.core.pcm import to_s16_mono
from voicesession.core.timeline import Span, Track
from voicesession.ports.objects import ObjectStore
from voicesession.ports.recording import Gap, ProblemKind
from voicesession.recording import unsynced as unsynced_module, writer as writer_module
from voicesession.recording.file import FileObjectStore
from voicesession.recording.memory import MemoryObjectStore
from voicesession.recording.recorder import SpoolRecorder
from voicesession.recording.shipping import Shipping
from voicesession.recording.spool import Spool
from voicesession.runtime.clock import SystemClock
from voicesession.testing.contracts.recorded import RecorderSuite, Wav, steady
from voicesession.testing.contracts.recorder import RecorderContract
from voicesession.testing.contracts.recorder_ownership import RecorderOwnershipContract

MS = 1_000
FORMAT = AudioFormat()
USER, AGENT = Track


class OnThisDisk(RecorderSuite):
    @pytest.fixture
    def objects(self, tmp_path: Path) -> FileObjectStore:
        self.spools = tmp_path / "spools"
        return FileObjectStore(tmp_path / "objects")

    def make(self, objects: ObjectStore) -> SpoolRecorder:
        return SpoolRecorder(self.spools, objects)


class TestSpoolRecorder(OnThisDisk, RecorderContract):
    pass


class TestOwnershipOfSpoolRecordings(OnThisDisk, RecorderOwnershipContract):
    pass


class Elsewhere(RecorderSuite):
    """The finished files are on another machine, and so are the segments."""

    @pytest.fixture
    def objects(self, tmp_path: Path) -> MemoryObjectStore:
        self.spools = tmp_path / "spools"
        return MemoryObjectStore()

    def make(self, objects: ObjectStore) -> SpoolRecorder:
        return SpoolRecorder(self.spools, objects, shipping=Shipping(clock=SystemClock()))

    @pytest.fixture
    async def recorder(self, objects: ObjectStore) -> AsyncGenerator[SpoolRecorder]:
        recorder = self.make(objects)
        async with anyio.create_task_group() as group:
            group.start_soon(recorder.run)
            yield recorder
            group.cancel_scope.cancel()
        await recorder.aclose()


class TestShippingRecorder(Elsewhere, RecorderContract):
    pass


class TestOwnershipOfShippedRecordings(Elsewhere, RecorderOwnershipContract):
    pass


@pytest.fixture
async def recorder(tmp_path: Path) -> AsyncGenerator[SpoolRecorder]:
    recorder = SpoolRecorder.at(tmp_path)
    yield recorder
    await recorder.aclose()


def files_in(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


async def test_a_recording_is_one_file_under_the_root_and_nothing_else(
    recorder: SpoolRecorder, tmp_path: Path
) -> None:
    recording = recorder.open("s1", FORMAT)
    recording.write(USER, 0, steady(1, 20))
    recorded = await recording.close(20 * MS)
    assert files_in(tmp_path) == ["sessions/s1/audio.wav"]
    assert recorded.uri == (tmp_path / "sessions/s1/audio.wav").as_uri()


@pytest.mark.sox
async def test_soxi_reads_the_file(recorder: SpoolRecorder) -> None:
    recording = recorder.open("s1", AudioFormat(sample_rate=44_100))
    recording.write(AGENT, 0, steady(1, 20, rate_hz=44_100))
    recorded = await recording.close(1_500 * MS)
    path = urlsplit(recorded.uri).path
    said = await anyio.run_process(["soxi", path])
    assert "Channels       : 2\nSample Rate    : 44100\nPrecision      : 16-bit" in str(
        said.stdout, "utf-8"
    )
    assert "00:00:01.50 = 66150 samples" in str(said.stdout, "utf-8")


async def test_a_place_that_cannot_be_written_is_found_out_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    recorder = SpoolRecorder.at(tmp_path / "file")
    with pytest.raises(RecordingFailed, match="s1 cannot be recorded"):
        recorder.open("s1", FORMAT)
    assert await recorder.recover() == []
    await recorder.aclose()


async def test_a_disk_that_refuses_costs_a_gap_and_is_asked_again(
    recorder: SpoolRecorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Spool.write

    def refuse(self: Spool, track: Track, first_frame: int, samples: bytes) -> None:
        if first_frame == 320:
            raise OSError(EIO, "the disk is broken")
        write(self, track, first_frame, samples)

    monkeypatch.setattr(Spool, "write", refuse)
    recording = recorder.open("s1", FORMAT)
    for place in (0, 20, 40):
        recording.write(USER, place * MS, steady(place + 1, 20))
        recording.write(USER, 100 * MS, b"")  # not end to end: each is written by itself
    recorded = await recording.close(60 * MS)
    (problem,) = recorded.problems
    assert (problem.kind, problem.span) == (ProblemKind.WRITE_FAILED, Span(20 * MS, 40 * MS))
    assert (problem.dropped_bytes, "the disk is broken" in problem.detail) == (640, True)
    assert recording.problems == recorded.problems
    assert recorded.gaps == (Gap(USER, Span(20 * MS, 40 * MS)),)
    wav = Wav.of((tmp_path / "sessions/s1/audio.wav").read_bytes())
    assert wav.levels(wav.left) == [(1, 20), (0, 20), (41, 20)]


@pytest.fixture
def goes_on(monkeypatch: pytest.MonkeyPatch) -> Event:
    """Set it, and the disk, which hangs, goes on."""
    monkeypatch.setattr(writer_module, "_PATIENCE_S", 0.02)
    write, goes_on = Spool.write, Event()

    def hang(self: Spool, track: Track, first_frame: int, samples: bytes) -> None:
        goes_on.wait(30)
        write(self, track, first_frame, samples)

    monkeypatch.setattr(Spool, "write", hang)
    return goes_on


async def test_a_disk_that_hangs_drops_the_newest_and_never_blocks_for_long(
    recorder: SpoolRecorder, tmp_path: Path, goes_on: Event
) -> None:
    recording = recorder.open("s1", FORMAT)
    for n in range(500):
        recording.write(USER, n * 20 * MS, steady(1, 20))
    (problem,) = recording.problems
    goes_on.set()
    recorded = await recording.close(10_000 * MS)
    assert recorded.problems == (problem,)
    assert problem.kind is ProblemKind.TOO_SLOW
    (gap,) = recorded.gaps
    assert problem.span == gap.span
    assert problem.dropped_bytes == (gap.span.to_us - gap.span.from_us) * 16 // 500
    wav = Wav.of((tmp_path / "sessions/s1/audio.wav").read_bytes())
    kept_ms = gap.span.from_us // MS
    assert wav.levels(wav.left) == [(1, kept_ms), (0, 10_000 - kept_ms)]
    assert gap.span.to_us == 10_000 * MS
    assert kept_ms * 32 <= 65_536 * 2


async def test_a_disk_that_hangs_over_a_sync_costs_nothing(
    recorder: SpoolRecorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "_PATIENCE_S", 0.02)
    monkeypatch.setattr(writer_module, "_SYNC_S", 0)
    hangs, goes_on = Event(), Event()

    def hang(_file: int) -> None:
        hangs.set()
        goes_on.wait(30)

    monkeypatch.setattr(unsynced_module, "_fdatasync", hang)
    recording = recorder.open("s1", FORMAT)
    assert hangs.wait(10)
    for n in range(500):
        recording.write(USER, n * 20 * MS, steady(1, 20))
    assert recording.problems == ()
    goes_on.set()
    recorded = await recording.close(10_000 * MS)
    assert (recorded.problems, recorded.gaps) == ((), ())
    wav = Wav.of((tmp_path / "sessions/s1/audio.wav").read_bytes())
    assert wav.levels(wav.left) == [(1, 10_000)]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("encoding", Encoding)
async def test_a_chunk_that_is_more_than_all_that_may_wait_is_kept_whole(
    recorder: SpoolRecorder, tmp_path: Path, encoding: Encoding
) -> None:
    audio_format = AudioFormat(encoding=encoding, sample_rate=11_025)
    told = [os.urandom(audio_format.bytes_at(10_000 * MS)) for _ in range(2)]
    recording = recorder.open("s1", audio_format)
    for chunk, at_us in zip(told, (46, 10_000 * MS + 46), strict=True):  # hardly nearest to frame 1
        recording.write(USER, at_us, chunk)
    recorded = await recording.close(20_000 * MS)
    assert (recorded.problems, recorded.gaps) == ((), ())
    wav = (tmp_path / "sessions/s1/audio.wav").read_bytes()
    frames = bytes(2) + to_s16_mono(b"".join(told), audio_format)
    assert wav[44:] == frames[:-2]


async def test_a_long_chunk_that_finds_no_room_is_lost_from_where_there_is_none(
    recorder: SpoolRecorder, tmp_path: Path, goes_on: Event
) -> None:
    recording = recorder.open("s1", FORMAT)
    pieces_ms = 256 * 39
    recording.write(USER, 0, steady(1, pieces_ms))
    goes_on.set()
    recorded = await recording.close(pieces_ms * MS)
    (gap,) = recorded.gaps
    kept_ms = gap.span.from_us // MS
    assert gap.span.to_us == pieces_ms * MS
    assert 0 < kept_ms * 32 < 65_536 * 2
    wav = Wav.of((tmp_path / "sessions/s1/audio.wav").read_bytes())
    assert wav.levels(wav.left) == [(1, kept_ms), (0, pieces_ms - kept_ms)]


async def test_a_sync_that_fails_is_a_problem_but_no_gap(
    recorder: SpoolRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(file: int) -> None:
        tried.append(file)
        if len(tried) > 1:  # what became of the first is noted, and that is to be synced
            told.set()
        raise OSError(EIO, "the disk is broken")

    tried, told = list[int](), Event()
    monkeypatch.setattr(writer_module, "_SYNC_S", 0)
    monkeypatch.setattr(unsynced_module, "_fdatasync", fail)
    recording = recorder.open("s1", FORMAT)
    recording.write(USER, 0, steady(1, 20))
    await anyio.to_thread.run_sync(told.wait, 10)
    recorded = await recording.close(20 * MS)
    assert recorded.gaps == ()
    assert [(one.kind, one.dropped_bytes) for one in recorded.problems] == [
        (ProblemKind.WRITE_FAILED, 0)
    ]


async def test_a_mask_that_the_disk_refuses_still_holds_in_the_file(
    recorder: SpoolRecorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(EIO, "the disk is broken")

    recording = recorder.open("s1", FORMAT)
    recording.write(USER, 0, steady(1, 60))
    monkeypatch.setattr(Spool, "_wipe", fail)
    recording.mask(20 * MS, 40 * MS)
    recorded = await recording.close(60 * MS)
    assert [problem.kind for problem in recorded.problems] == [ProblemKind.WRITE_FAILED]
    wav = Wav.of((tmp_path / "sessions/s1/audio.wav").read_bytes())
    assert wav.levels(wav.left) == [(1, 20), (0, 20), (1, 20)]


async def test_a_defect_in_writing_is_reported(
    recorder: SpoolRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    recording = recorder.open("s1", FORMAT)
    with monkeypatch.context() as broken:
        broken.setattr(Spool, "write", fail)
        recording.write(USER, 0, steady(1, 60))
        await recorder.aclose()
    assert "ZeroDivisionError" in recording.problems[0].detail


async def test_what_cannot_be_finished_stays_for_recovery(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> str:
        raise StoreError("no room")

    recorder = SpoolRecorder.at(tmp_path)
    recording = recorder.open("s1", FORMAT)
    recording.write(USER, 0, steady(1, 100))
    with monkeypatch.context() as broken:
        broken.setattr(FileObjectStore, "put_pieces", fail)
        with pytest.raises(RecordingFailed, match="no room"):
            await recording.close(60 * MS)
    (report,) = await recorder.recover()
    assert report.recorded is not None
    assert (report.recorded.duration_us, report.recorded.partial) == (60 * MS, False)
    await recorder.aclose()


async def test_what_could_not_be_finished_can_also_be_gone_on_with(
    recorder: SpoolRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> str:
        raise StoreError("no room")

    recording = recorder.open("s1", FORMAT)
    recording.write(USER, 0, steady(1, 100))
    with monkeypatch.context() as broken:
        broken.setattr(FileObjectStore, "put_pieces", fail)
        with pytest.raises(RecordingFailed, match="no room"):
            await recording.close(60 * MS)
    again = recorder.open("s1", FORMAT)
    again.write(USER, 100 * MS, steady(2, 100))
    again.release()
    await recorder.aclose()
    (report,) = await SpoolRecorder.at(recorder._spools.parent).recover()
    assert report.recorded is not None
    assert (report.recorded.duration_us, report.recorded.partial) == (200 * MS, True)


async def test_a_recording_that_is_being_finished_cannot_be_opened(
    recorder: SpoolRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    put, begun, goes_on = FileObjectStore.put_pieces, anyio.Event(), anyio.Event()

    async def slow(self: FileObjectStore, key: str, pieces: object, /) -> str:
        begun.set()
        await goes_on.wait()
        return await put(self, key, pieces)  # type: ignore[arg-type]

    monkeypatch.setattr(FileObjectStore, "put_pieces", slow)
    recording = recorder.open("s1", FORMAT)
    async with anyio.create_task_group() as group:
        group.start_soon(recording.close, 20 * MS)
        await begun.wait()
        with pytest.raises(RecordingFailed, match="being finished"):
            recorder.open("s1", FORMAT)
        goes_on.set()
    assert recorder.open("s1", FORMAT).kept_until_us == 0


async def test_a_close_that_is_cancelled_can_be_made_good(
    recorder: SpoolRecorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(*_: object) -> str:
        scope.cancel()
        await anyio.sleep_forever()
        raise AssertionError

    recording = recorder.open("s1", FORMAT)
    recording.write(USER, 0, steady(1, 20))
    with monkeypatch.context() as broken, anyio.CancelScope() as scope:
        broken.setattr(FileObjectStore, "put_pieces", hang)
        await recording.close(20 * MS)
    assert scope.cancelled_caught
    (report,) = await recorder.recover()
    assert report.recorded is not None
    assert not report.recorded.partial
    assert files_in(tmp_path) == ["sessions/s1/audio.wav"]


async def test_something_that_cannot_be_removed_is_told(
    recorder: SpoolRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise StoreError("read-only")

    await recorder.open("s1", FORMAT).close(0)
    recording = recorder.open("s1", FORMAT)
    monkeypatch.setattr(FileObjectStore, "delete", fail)
    with pytest.raises(RecordingFailed, match="something of the recording is left: read-only"):
        await recording.discard()


async def test_discarding_what_was_released_leaves_nothing(
    recorder: SpoolRecorder, tmp_path: Path
) -> None:
    recording = recorder.open("s1", FORMAT)
    recording.write(USER, 0, steady(1, 20))
    await recorder.aclose()
    await recording.discard()
    assert files_in(tmp_path) == []


# Runs in a process of its own: a limit on file sizes holds for everything in it.
FULL_DISK = """
import anyio, json, resource, sys
from pathlib import Path
from voicesession.core.audio import AudioFormat, Encoding
from voicesession.core.errors import RecordingFailed
from voicesession.core.timeline import Track
from voicesession.recording.recorder import SpoolRecorder

async def main(root):
    recorder = SpoolRecorder.at(root)
    recording = recorder.open("s1", AudioFormat())
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    for n in range(250):
        recording.write(Track.USER, n * 20_000, b"\\1\\0" * 320)
    try:
        await recording.close(5_000_000)
    except RecordingFailed as error:
        print(error, file=sys.stderr)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    (report,) = await recorder.recover()
    recorded = report.recorded
    (problem,) = recorded.problems
    print(json.dumps([
        problem.kind, problem.dropped_bytes, problem.detail, recorded.partial,
        [(gap.track, gap.span.from_us, gap.span.to_us) for gap in recorded.gaps],
    ]))
    await recorder.aclose()

anyio.run(main, Path(sys.argv[1]))
"""


def test_a_full_disk_degrades_the_recording_and_what_was_written_is_kept(tmp_path: Path) -> None:
    done = subprocess.run(  # our own program
        [sys.executable, "-c", FULL_DISK, tmp_path], capture_output=True, check=True, text=True
    )
    assert "could not be finished" in done.stderr
    assert "File too large" in done.stderr
    assert done.stdout.strip() == (
        '["disk_full", 60000, "[Errno 27] File too large", false, [["user", 3125000, 5000000]]]'
    )
    wav = Wav.of((tmp_path / "sessions/s1/audio.wav").read_bytes())
    assert wav.levels(wav.left) == [(1, 3_125), (0, 1_875)]
