from __future__ import annotations

from errno import ENOSPC
from pathlib import Path

import anyio
import pytest

from voicesession.core.audio import AudioFormat
from voicesession.core.timeline import Span, Track
from voicesession.ports.recording import Gap, RecoveryReport
from voicesession.recording.file import FileObjectStore
from voicesession.recording.recorder import SpoolRecorder
from voicesession.recording.recovery import Recovery
from voicesession.recording.spool import Spool
from voicesession.testing.contracts.recorded import Wav, steady

MS = 1_000
USER, AGENT = Track


@pytest.fixture
def objects(tmp_path: Path) -> FileObjectStore:
    return FileObjectStore(tmp_path / "objects")


@pytest.fixture
def spools(tmp_path: Path) -> Path:
    return tmp_path / "spools"


async def recover(spools: Path, objects: FileObjectStore) -> list[RecoveryReport]:
    return await Recovery(spools, objects, clock=None).finish()


async def leave_behind(spools: Path, objects: FileObjectStore, *session_ids: str) -> None:
    recorder = SpoolRecorder(spools, objects)
    for session_id in session_ids:
        recorder.open(session_id, AudioFormat()).write(USER, 0, steady(1, 20))
    await recorder.aclose()


async def test_two_workers_at_once_finish_each_recording_once(
    spools: Path, objects: FileObjectStore
) -> None:
    ids = [f"s{n}" for n in range(10)]
    await leave_behind(spools, objects, *ids)
    reports: list[RecoveryReport] = []

    async def work() -> None:
        reports.extend(await recover(spools, objects))

    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(work)
    assert sorted(report.session_id for report in reports) == ids
    assert [found.key for found in await objects.find()] == [
        f"sessions/{session_id}/audio.wav" for session_id in ids
    ]


async def test_one_that_cannot_be_finished_is_reported_and_the_others_are(
    spools: Path, objects: FileObjectStore
) -> None:
    await leave_behind(spools, objects, "s1", "s2", "s3")
    (spools / "open" / "s2" / "notes.jsonl").write_bytes(b"broken\n")
    reports = await recover(spools, objects)
    assert [(report.session_id, report.recorded is not None) for report in reports] == [
        *(("s1", True), ("s2", False), ("s3", True)),
    ]
    assert "cannot be read" in str(reports[1].problem)
    assert (spools / "open" / "s2" / "user.s16").stat().st_size == 640


async def test_something_else_among_the_spools_is_reported_and_left(
    spools: Path, objects: FileObjectStore
) -> None:
    await leave_behind(spools, objects, "s1")
    (spools / "open" / "notes.txt").touch()
    problems = [report.problem for report in await recover(spools, objects)]
    assert [problem is None for problem in problems] == [False, True]
    assert (spools / "open" / "notes.txt").exists()


async def test_what_is_known_to_be_missing_is_still_known(
    spools: Path, objects: FileObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Spool, track: Track, first_frame: int, samples: bytes) -> None:
        if first_frame == 320:
            raise OSError("refused")
        write(self, track, first_frame, samples)

    write = Spool.write

    recorder = SpoolRecorder(spools, objects)
    recording = recorder.open("s1", AudioFormat())
    recording.write(USER, 0, steady(1, 20))
    recording.mask(5 * MS, 10 * MS)
    with monkeypatch.context() as broken:
        broken.setattr(Spool, "write", refuse)
        recording.write(AGENT, 0, steady(2, 60))
        recording.mask(15 * MS, 16 * MS)
        recording.write(USER, 20 * MS, steady(1, 20))
        await recorder.aclose()
    (report,) = await recover(spools, objects)
    assert report.recorded is not None
    assert report.recorded.problems == recording.problems
    assert report.recorded.gaps == (Gap(USER, Span(20 * MS, 40 * MS)),)
    wav = Wav.of(await objects.get("sessions/s1/audio.wav"))
    assert wav.levels(wav.left) == [(1, 5), (0, 5), (1, 5), (0, 1), (1, 4), (0, 40)]
    assert wav.levels(wav.right) == [(2, 5), (0, 5), (2, 5), (0, 1), (2, 44)]


async def test_where_nothing_could_be_kept_there_is_no_file_but_the_reason(
    spools: Path, objects: FileObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(ENOSPC, "no room")

    recorder = SpoolRecorder(spools, objects)
    monkeypatch.setattr(Spool, "write", refuse)
    recorder.open("s1", AudioFormat()).write(USER, 0, steady(1, 20))
    await recorder.aclose()
    (report,) = await recover(spools, objects)
    assert report == RecoveryReport(
        session_id="s1", recorded=None, problem="disk_full: [Errno 28] no room"
    )
    assert await recover(spools, objects) == []
