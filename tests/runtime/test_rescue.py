"""What crashes have left of recordings: whose session it is decides what becomes of it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest
from attrs import evolve

from voicesession.core.admission import AdmissionPolicy
from voicesession.core.audio import AudioFormat
from voicesession.core.deadlines import LifePolicy
from voicesession.core.errors import RecordingFailed, StoreUnavailable
from voicesession.core.identity import TenantId
from voicesession.core.results import SessionFolder
from voicesession.core.segments import Segment
from voicesession.core.timeline import Track
from voicesession.ports.objects import StoredObject
from voicesession.ports.scope import EVERYTHING, Scope
from voicesession.ports.storage import MAX_PAGE, SessionQuery
from voicesession.recording.memory import MemoryObjectStore
from voicesession.recording.recorder import SpoolRecorder
from voicesession.recording.segments import SegmentFolder
from voicesession.recording.shipping import Shipping
from voicesession.runtime.clock import SteppedClock
from voicesession.runtime.handle import SessionHandle
from voicesession.runtime.manager import SessionManager
from voicesession.runtime.orphans import Orphans
from voicesession.runtime.registry import Registry
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


async def an_ended_session(voice: SessionManager, **parameters: Any) -> str:
    session = await voice.create(store_audio=True, **parameters)
    await voice.end(session.id)
    return session.id


async def a_session_of_another_worker(services: Services, *, lease: timedelta) -> str:
    another = evolve(
        services,
        worker_id="another",
        lease=lease,
        recorder=None,  # its spools are on its own machine
        admission=AdmissionPolicy(per_user=None),
    )
    registry = Registry(
        another, Scope(TenantId("acme")), Orphans(another, lambda _id, _error: None)
    )
    session = await registry.create({"store_audio": True}, TenantId("acme"))
    await SessionHandle(another, await registry.take(session.id)).live()
    return session.id


async def everything(services: Services) -> tuple[object, ...]:
    """All that is stored: of sessions, and of recordings."""
    assert isinstance(services.objects, MemoryObjectStore)
    page = await services.storage.sessions.find(SessionQuery(), EVERYTHING)
    contents = {key: await services.objects.get(key) for key in await keys(services.objects)}
    return page.sessions, contents


class Away(MemoryObjectStore):
    """A bucket that does not answer."""

    async def find(
        self, prefix: str = "", /, *, after: str = "", limit: int = 1_000
    ) -> Sequence[StoredObject]:
        raise StoreUnavailable("the bucket is away")


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
    assert (await voice.rescuer.rescue()).swept == ()
    services.clock.advance(2 * HOUR_US)
    planned = await voice.rescuer.plan()
    assert len(planned.swept) == 2
    assert len(await keys(objects)) == 2
    assert (await voice.rescuer.rescue()).swept == planned.swept
    assert await keys(objects) == []


@pytest.mark.parametrize(("grace_s", "fate"), [(30, "ended"), (86_400, "paused")])
async def test_what_is_planned_is_what_is_done_and_planning_changes_nothing(
    services: Services, tmp_path: Path, grace_s: int, fate: str
) -> None:
    clock = SteppedClock(datetime.now(UTC) - timedelta(hours=1))  # noqa: TID251
    life = LifePolicy(reconnect_grace=timedelta(seconds=grace_s), idle_time=None)
    services = evolve(services, clock=clock, life=life)
    voice = SessionManager(services, tenant_id="acme")
    over = await an_ended_session(voice)
    expired = await an_ended_session(voice, retention_days=0)
    lost = await a_session_of_another_worker(services, lease=timedelta(microseconds=1))
    lives = await a_session_of_another_worker(services, lease=timedelta(hours=24))
    for session_id in (over, expired, lost, lives, "of-another-store"):
        await leave(services, tmp_path, session_id)
    clock.advance(2 * HOUR_US)

    before = await everything(services)
    planned = await voice.rescuer.plan()
    assert await everything(services) == before
    assert planned.fates == {expired: "erased", lost: fate}
    assert fates(planned) == {
        over: Fate.FINISHED,
        expired: Fate.REMOVED,
        lost: Fate.FINISHED if fate == "ended" else Fate.SPARED,
        lives: Fate.SPARED,
        "of-another-store": Fate.UNKNOWN,
    }

    done = await voice.rescuer.rescue()
    assert done.fates == planned.fates
    assert [evolve(one, detail=None) for one in done.recordings] == list(planned.recordings)
    assert (await voice.rescuer.rescue()).fates == {}


async def test_many_sessions_are_foreseen_page_by_page(services: Services) -> None:
    voice = SessionManager(services, tenant_id="acme")
    lost = {
        await a_session_of_another_worker(services, lease=timedelta(microseconds=1))
        for _ in range(MAX_PAGE + 1)
    }
    assert isinstance(services.clock, SteppedClock)
    services.clock.advance(HOUR_US)
    assert set((await voice.rescuer.plan()).sessions) == lost


async def test_sessions_are_looked_after_while_the_place_of_recordings_is_away(
    services: Services, tmp_path: Path
) -> None:
    services = evolve(
        services, recorder=SpoolRecorder(tmp_path, Away(), shipping=Shipping(clock=services.clock))
    )
    voice = SessionManager(services, tenant_id="acme")
    lost = await a_session_of_another_worker(services, lease=timedelta(microseconds=1))
    with pytest.raises(RecordingFailed, match="the bucket is away"):
        await voice.rescuer.rescue()
    assert (await voice.get(lost)).state == "PAUSED"
