"""Two workers on one machine, with one store and one folder for recordings."""

import wave
from datetime import timedelta
from pathlib import Path

import anyio
import pytest
from attrs import evolve

import voicesession
from voicesession import LeaseLost, SessionManager, Track

SECOND = bytes(32_000)
LEASE = timedelta(seconds=1)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def worker(folder: Path, worker_id: str) -> SessionManager:
    """Return a manager that is another worker than its neighbour in this process."""
    voice = voicesession.open(f"sqlite:///{folder}/voice.db", recordings=folder, lease=LEASE)
    return SessionManager(evolve(voice._services, worker_id=worker_id))


async def test_who_takes_a_session_over_waits_until_the_other_has_let_go_of_the_recording(
    tmp_path: Path,
) -> None:
    async with worker(tmp_path, "one") as one, worker(tmp_path, "two") as two:
        session = await one.create(store_audio=True)
        async with one.attach(session.id) as first:
            await first.live()
            first.audio(Track.USER, SECOND)
            async with two.attach(session.id) as second:
                assert second.ownership.is_torn
                with anyio.fail_after(20):
                    await second.live()
                assert first.is_over
                with pytest.raises(LeaseLost):
                    await first.pause()
                second.audio(Track.USER, SECOND)
                ended = await second.end()
    with wave.open(str(ended.audio_uri).removeprefix("file://")) as file:
        assert file.getnframes() == 2 * 16_000


async def test_a_session_that_was_handed_over_is_not_torn(tmp_path: Path) -> None:
    async with worker(tmp_path, "one") as one, worker(tmp_path, "two") as two:
        session = await one.create()
        async with one.attach(session.id) as first:
            await first.live()
        async with two.attach(session.id) as second:
            assert not second.ownership.is_torn


async def test_an_error_of_the_host_is_told_also_where_the_session_is_anothers_by_then(
    tmp_path: Path,
) -> None:
    async with worker(tmp_path, "one") as one, worker(tmp_path, "two") as two:
        session = await one.create()
        with pytest.raises(ZeroDivisionError):
            await _fail_while_taken_over(one, two, session.id)


async def _fail_while_taken_over(one: SessionManager, two: SessionManager, session_id: str) -> None:
    async with one.attach(session_id) as first:
        await first.live()
        async with two.attach(session_id) as second:
            await second.live()
            raise ZeroDivisionError
