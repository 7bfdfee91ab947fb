"""A worker that is killed with SIGKILL, and what others make of the sessions it ran."""

import signal
import subprocess
import sys
import wave
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import anyio
import pytest
from tests.patience import PATIENCE_S

import voicesession
from voicesession import SessionManager
from voicesession.core.deadlines import LifePolicy
from voicesession.core.session import Session
from voicesession.core.states import PauseReason
from voicesession.runtime.rescue import Fate

WORKER = Path(__file__).with_name("doomed_worker.py")
LEASE_S = 3.0


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def store(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'voice.db'}"


@pytest.fixture
def orphaned(store: str, tmp_path: Path) -> Iterator[list[str]]:
    """The ids of sessions whose worker was killed while it recorded them."""
    arguments = [WORKER, store, tmp_path / "kept", "3", str(LEASE_S)]
    with subprocess.Popen(
        [sys.executable, *map(str, arguments)], stdout=subprocess.PIPE, text=True
    ) as worker:
        assert worker.stdout is not None
        ids: list[str] = []
        while (line := worker.stdout.readline().strip()) != "ready":
            assert line, "the worker has failed"
            ids.append(line)
        worker.send_signal(signal.SIGKILL)
        worker.wait()
        yield ids


def opened(store: str, tmp_path: Path, grace_s: float) -> SessionManager:
    return voicesession.open(
        store,
        recordings=tmp_path / "kept",
        lease=timedelta(seconds=LEASE_S),
        life=LifePolicy(reconnect_grace=timedelta(seconds=grace_s)),
    )


async def all_of(voice: SessionManager, ids: list[str]) -> list[Session]:
    return [await voice.get(session_id) for session_id in ids]


async def fates(voice: SessionManager) -> dict[str, Fate]:
    return {one.session_id: one.fate for one in (await voice.rescuer.plan()).recordings}


def seconds_of(path: str) -> float:
    with wave.open(path) as file:
        return float(file.getnframes() / file.getframerate())


async def test_a_killed_workers_sessions_are_swept_by_another_and_can_be_resumed(
    orphaned: list[str], store: str, tmp_path: Path
) -> None:
    async with opened(store, tmp_path, grace_s=600) as voice:
        with anyio.fail_after(PATIENCE_S):
            while any(  # noqa: ASYNC110  # it happens by the clock of the store
                session.state == "LIVE" for session in await all_of(voice, orphaned)
            ):
                await anyio.sleep(0.05)
        for session in await all_of(voice, orphaned):
            assert session.pause_reasons == {PauseReason.WORKER_LOST}
        async with voice.attach(orphaned[0]) as call:
            assert (await call.live()).state == "LIVE"
            # What the dead worker had recorded goes on behind what it had kept.
            assert call.media_us >= 1_000_000


async def test_one_rescue_makes_a_killed_servers_sessions_whole(
    orphaned: list[str], store: str, tmp_path: Path
) -> None:
    async with opened(store, tmp_path, grace_s=0) as voice:
        looked_after: set[str] = set()
        with anyio.fail_after(PATIENCE_S):
            while looked_after != set(orphaned):  # as their leases lapse
                looked_after |= set((await voice.rescuer.rescue()).sessions)
        for number, session in enumerate(await all_of(voice, orphaned)):
            assert (session.status, session.end_reason) == ("interrupted", "worker_lost")
            assert session.transcript_final == f"hello from {number}"
            assert session.audio_partial
            folder = tmp_path / "kept" / "sessions" / session.id
            assert seconds_of(str(folder / "audio.wav")) >= 1.0
            assert (folder / "transcript.json").exists()
        again = await voice.rescuer.rescue()
        assert (again.sessions, again.recordings) == ((), ())


async def test_a_rescue_leaves_the_recording_of_a_session_that_may_come_back(
    orphaned: list[str], store: str, tmp_path: Path
) -> None:
    async with opened(store, tmp_path, grace_s=600) as voice:
        planned = (await voice.rescuer.plan()).recordings
        assert {one.fate for one in planned} == {Fate.SPARED}
        assert {one.session_id for one in planned} == set(orphaned)
        assert all(one.duration_us >= 1_000_000 for one in planned)
        rescued = await voice.rescuer.rescue()
        assert {one.fate for one in rescued.recordings} == {Fate.SPARED}


async def test_a_rescue_with_the_wrong_store_touches_nothing(
    orphaned: list[str], tmp_path: Path
) -> None:
    wrong = f"sqlite:///{tmp_path / 'other.db'}"
    async with opened(wrong, tmp_path, grace_s=0) as voice:
        rescued = await voice.rescuer.rescue()
        assert {one.fate for one in rescued.recordings} == {Fate.UNKNOWN}
        assert len((await voice.rescuer.plan()).recordings) == len(orphaned)


async def test_what_a_deleted_session_has_left_is_removed(
    orphaned: list[str], store: str, tmp_path: Path
) -> None:
    async with opened(store, tmp_path, grace_s=0) as voice:
        # Without its recordings, as by a host whose disk was away.
        without = voicesession.open(store, lease=timedelta(seconds=LEASE_S))
        async with without:
            await without.delete(orphaned[0], end=True)
        assert (await fates(voice))[orphaned[0]] is Fate.REMOVED
        await voice.rescuer.rescue()
        assert orphaned[0] not in await fates(voice)
        assert not (tmp_path / "kept" / "sessions" / orphaned[0]).exists()
