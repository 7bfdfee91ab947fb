"""Tenants may have folders of their own, beside what was recorded without them."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from voicesession.core.audio import AudioFormat
from voicesession.core.errors import InvalidValue, RecordingFailed
from voicesession.core.results import SessionFolder
from voicesession.core.segments import Segment
from voicesession.core.timeline import Track
from voicesession.ports.objects import ObjectStore
from voicesession.recording.memory import MemoryObjectStore
from voicesession.recording.recorder import SpoolRecorder
from voicesession.recording.segments import SegmentFolder
from voicesession.recording.shipping import Shipping
from voicesession.testing.clock import SteppedClock

FORMAT = AudioFormat(sample_rate=16_000)
SECOND = bytes(range(250)) * 128
NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
WHOSE = [None, "acme", "globex"]


@pytest.fixture
def objects() -> MemoryObjectStore:
    return MemoryObjectStore()


def a_recorder(spools: Path, objects: ObjectStore, at: datetime = NOON) -> SpoolRecorder:
    clock = SteppedClock(at)
    return SpoolRecorder(spools, objects, shipping=Shipping(clock=clock))


def face(recorder: SpoolRecorder, tenant_id: str | None) -> SpoolRecorder:
    return recorder if tenant_id is None else recorder.for_tenant(tenant_id)


async def leave(spools: Path, objects: ObjectStore, whose: Sequence[str | None]) -> None:
    """A second of each tenant's, as a machine has shipped it that stopped."""
    recorder = a_recorder(spools, objects)
    for tenant_id in whose:
        recording = face(recorder, tenant_id).open(f"of-{tenant_id}", FORMAT)
        recording.write(Track.USER, 0, SECOND)
    await recorder.aclose()


def wav_keys(whose: Sequence[str | None]) -> list[str]:
    return sorted(f"{SessionFolder(f'of-{one}', one)}audio.wav" for one in whose)


async def keys(objects: ObjectStore) -> list[str]:
    return [found.key for found in await objects.find()]


@pytest.mark.parametrize("is_disk_lost", [False, True])
async def test_what_was_left_is_finished_in_the_folder_where_it_lies(
    tmp_path: Path, objects: MemoryObjectStore, is_disk_lost: bool
) -> None:
    await leave(tmp_path, objects, WHOSE)
    if is_disk_lost:
        shutil.rmtree(tmp_path)
    heir = a_recorder(tmp_path, objects)
    left = await heir.find_left()
    assert {one.session_id: one.tenant_id for one in left} == {f"of-{one}": one for one in WHOSE}
    reports = await heir.recover()
    assert [report.problem for report in reports] == [None] * len(WHOSE)
    assert await keys(objects) == wav_keys(WHOSE)
    await heir.aclose()


async def test_a_tenants_face_recovers_what_lies_in_its_folder_or_in_none(
    tmp_path: Path, objects: MemoryObjectStore
) -> None:
    await leave(tmp_path / "lost", objects, WHOSE)
    heir = a_recorder(tmp_path / "heir", objects)
    everything = [f"of-{one}" for one in WHOSE]
    reports = await heir.for_tenant("acme").recover_only(everything)
    assert sorted(report.session_id for report in reports) == ["of-None", "of-acme"]
    assert set(wav_keys([None, "acme"])) < set(await keys(objects))
    await heir.aclose()


async def test_a_tenants_face_purges_what_lies_in_its_folder_or_in_none(
    tmp_path: Path, objects: MemoryObjectStore
) -> None:
    await leave(tmp_path / "lost", objects, WHOSE)
    another = a_recorder(tmp_path / "another", objects)
    for tenant_id in WHOSE:
        await another.for_tenant("acme").purge(f"of-{tenant_id}")
    assert {SessionFolder.of(key) is not None for key in await keys(objects)} == {True}
    assert all(key.startswith("tenants/globex/") for key in await keys(objects))
    await another.aclose()


async def test_every_face_of_a_recorder_is_closed_with_it(
    tmp_path: Path, objects: MemoryObjectStore
) -> None:
    recorder = a_recorder(tmp_path, objects)
    tenants = recorder.for_tenant("acme")
    await recorder.aclose()
    with pytest.raises(RecordingFailed, match="closed"):
        tenants.open("s1", FORMAT)


async def test_a_session_is_recorded_once_whoevers_face_is_asked(
    tmp_path: Path, objects: MemoryObjectStore
) -> None:
    recorder = a_recorder(tmp_path, objects)
    first = recorder.open("s1", FORMAT)
    second = recorder.for_tenant("acme").open("s1", FORMAT)
    with pytest.raises(RecordingFailed, match="taken it over"):
        first.write(Track.USER, 0, SECOND)
    recorded = await second.close(0)
    assert recorded.uri.endswith("/sessions/s1/audio.wav")
    await recorder.aclose()


@pytest.mark.parametrize("tenant_id", ["", "..", "../acme", "a/b", "x" * 129, "ü"])
async def test_a_tenant_that_is_a_path_is_refused(
    tmp_path: Path, objects: MemoryObjectStore, tenant_id: str
) -> None:
    with pytest.raises(InvalidValue, match="tenant_id"):
        a_recorder(tmp_path, objects).for_tenant(tenant_id)


@pytest.mark.parametrize("tenant_id", [None, "acme"])
async def test_segments_that_nobody_can_finish_are_swept_once_they_are_a_day_old(
    tmp_path: Path, objects: MemoryObjectStore, tenant_id: str | None
) -> None:
    rubbish = SegmentFolder(objects, SessionFolder("s1", tenant_id))
    await rubbish.put(Segment(Track.USER, 0, 4, 1), b"12345678")
    (found,) = await objects.find()
    early = a_recorder(tmp_path, objects, at=found.kept_at + timedelta(hours=23))
    late = a_recorder(tmp_path, objects, at=found.kept_at + timedelta(hours=25))
    assert (await early.find_leftovers(), await early.sweep()) == ([], [])
    planned = await late.find_leftovers()
    assert [(one.kind, one.since) for one in planned] == [("segments", found.kept_at)]
    assert found.key.startswith(planned[0].key)
    assert len(await keys(objects)) == 1
    assert await late.sweep() == planned
    assert await late.sweep() == []
    assert await keys(objects) == []
