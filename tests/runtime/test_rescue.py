"""What crashes have left of recordings: whose session it is decides what becomes of it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import pytest
from attrs import evolve

from voicesession.core.audio import AudioFormat
from voicesession.core.results import SessionFolder
from voicesession.core.segments import Segment
from voicesession.core.timeline import Track
from voicesession.recording.memory import MemoryObjectStore
from voicesession.recording.recorder import SpoolRecorder
from voicesession.recording.segments import SegmentFolder
from voicesession.recording.shipping import Shipping
from voicesession.runtime.clock import SteppedClock
from voicesession.runtime.manager import SessionManager
from voicesession.runtime.rescue import Fate, Rescue
from voicesession.runtime.services import Services
from voicesession.stores.memory import MemoryStorage

HOUR_US = 3_600_000_000
ONE_SECOND = bytes(32_000)


@pytest.fixture
def objects() -> MemoryObjectStore:
    return MemoryObjectStore()


@pytest.fixture(params=[False, True], ids=["together", "tenants"])
async def services(
    tmp_path: Path, objects: MemoryObjectStore, request: pytest.FixtureRequest
) -> AsyncGenerator[Services]:
    # The stores stamp real time, so the session's clock begins there.
    clock = SteppedClock(datetime.now(UTC) + timedelta(seconds=1))  # noqa: TID251
    async with MemoryStorage() as storage:
        recorder = a_recorder(tmp_path / "here", objects, clock)
        yield Services(
            storage=storage,
            objects=objects,
            recorder=recorder,
            tenant_folders=request.param,
            clock=clock,
            worker_id="w1",
        )
        await recorder.aclose()


def a_recorder(spools: Path, objects: MemoryObjectStore, clock: SteppedClock) -> SpoolRecorder:
    return SpoolRecorder(spools, objects, shipping=Shipping(clock=clock))


async def leave(services: Services, tmp_path: Path, session_id: str) -> None:
    """A second of audio in the object store, of a machine that is gone."""
    assert isinstance(services.objects, MemoryObjectStore)
    assert isinstance(services.clock, SteppedClock)
    recorder = a_recorder(tmp_path / "gone", services.objects, services.clock)
    face = recorder.for_tenant("acme") if services.tenant_folders else recorder
    face.open(session_id, AudioFormat()).write(Track.USER, 0, ONE_SECOND)
    await recorder.aclose()


async def an_ended_session(voice: SessionManager) -> str:
    session = await voice.create(store_audio=True)
    await voice.end(session.id)
    return session.id


def fates(rescue: Rescue) -> dict[str, Fate]:
    return {one.session_id: one.fate for one in rescue.recordings}


async def keys(objects: MemoryObjectStore) -> list[str]:
    return [found.key for found in await objects.find()]


async def test_the_recording_of_an_ended_session_is_finished_and_linked_to_it(
    services: Services, objects: MemoryObjectStore, tmp_path: Path
) -> None:
    voice = SessionManager(services, tenant_id="acme")
    session_id = await an_ended_session(voice)
    await leave(services, tmp_path, session_id)
    planned = await voice.rescuer.plan()
    assert [(one.session_id, one.fate) for one in planned] == [(session_id, Fate.FINISHED)]
    assert fates(await voice.rescuer.rescue()) == {session_id: Fate.FINISHED}
    ended = await voice.get(session_id)
    folder = SessionFolder(session_id, "acme" if services.tenant_folders else None)
    assert ended.audio_uri == f"memory:///{folder}audio.wav"
    assert ended.audio_partial
    assert fates(await voice.rescuer.rescue()) == {}


async def test_of_two_workers_at_once_one_finishes_it(
    services: Services, objects: MemoryObjectStore, tmp_path: Path
) -> None:
    assert isinstance(services.clock, SteppedClock)
    voice = SessionManager(services, tenant_id="acme")
    session_id = await an_ended_session(voice)
    await leave(services, tmp_path, session_id)
    another = a_recorder(tmp_path / "another", objects, services.clock)
    both = (voice, SessionManager(evolve(services, recorder=another, worker_id="w2")))
    found: list[Rescue] = []

    async def rescue(by: SessionManager) -> None:
        found.append(await by.rescuer.rescue())

    async with anyio.create_task_group() as group:
        for manager in both:
            group.start_soon(rescue, manager)
    await another.aclose()
    assert Fate.FINISHED in [fates(one).get(session_id) for one in found]
    assert [key.rpartition("/")[2] for key in await keys(objects)] == ["audio.wav"]


async def test_what_may_go_on_or_is_not_ours_is_left_alone(
    services: Services, objects: MemoryObjectStore, tmp_path: Path
) -> None:
    voice = SessionManager(services, tenant_id="acme")
    session = await voice.create(store_audio=True)
    for session_id in (session.id, "of-another-store"):
        await leave(services, tmp_path, session_id)
    before = await keys(objects)
    assert fates(await voice.rescuer.rescue()) == {
        session.id: Fate.SPARED,
        "of-another-store": Fate.UNKNOWN,
    }
    assert await keys(objects) == before


async def test_what_is_left_of_a_deleted_session_goes_once_it_is_a_day_old(
    services: Services, objects: MemoryObjectStore, tmp_path: Path
) -> None:
    assert isinstance(services.clock, SteppedClock)
    voice = SessionManager(services, tenant_id="acme")
    session_id = await an_ended_session(voice)
    await voice.delete(session_id)
    await leave(services, tmp_path, session_id)
    services.clock.advance(23 * HOUR_US)
    assert fates(await voice.rescuer.rescue()) == {session_id: Fate.SPARED}
    assert await keys(objects) != []
    services.clock.advance(2 * HOUR_US)
    assert fates(await voice.rescuer.rescue()) == {session_id: Fate.REMOVED}
    assert await keys(objects) == []


async def test_segments_of_no_recording_are_swept_once_they_are_a_day_old(
    services: Services, objects: MemoryObjectStore
) -> None:
    assert isinstance(services.clock, SteppedClock)
    voice = SessionManager(services)
    for tenant_id in (None, "acme"):
        folder = SegmentFolder(objects, SessionFolder("s1", tenant_id))
        await folder.put(Segment(Track.USER, 0, 4, 1), b"12345678")
    services.clock.advance(23 * HOUR_US)
    assert (await voice.rescuer.rescue()).swept == 0
    services.clock.advance(2 * HOUR_US)
    assert (await voice.rescuer.rescue()).swept == 2
    assert await keys(objects) == []
