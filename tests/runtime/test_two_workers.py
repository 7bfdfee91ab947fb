"""Two workers on one machine, with one store and one folder for recordings."""

import wave
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest
from attrs import evolve
from tests.patience import PATIENCE_S

import voicesession
from voicesession import LeaseLost, SessionManager, Track
from voicesession.core.states import SessionState
from voicesession.ports.storage import Lease

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
                with anyio.fail_after(PATIENCE_S):
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


async def test_what_the_last_owner_writes_while_its_lease_is_being_taken_is_known_to_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with worker(tmp_path, "one") as one, worker(tmp_path, "two") as two:
        session = await one.create()
        async with one.attach(session.id) as first:
            await first.live()

            async def warn() -> None:
                await first.warn("at the last moment")

            _before_its_next_lease(two, warn, monkeypatch)
            async with two.attach(session.id) as second:
                assert second.session.seq == first.session.seq


async def test_whoever_had_a_session_before_its_lease_is_taken_has_left_it_as_it_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with worker(tmp_path, "one") as one, worker(tmp_path, "two") as two:
        session = await one.create()

        async def have_it() -> None:
            async with one.attach(session.id) as first:
                await first.live()

        _before_its_next_lease(two, have_it, monkeypatch)
        async with two.attach(session.id) as second:
            assert second.session.state is SessionState.PAUSED


def _before_its_next_lease(
    taker: SessionManager, work: Callable[[], Awaitable[None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Have *work* done after *taker* has loaded a session, and before it takes the lease."""
    sessions = taker._services.storage.sessions
    take_lease = sessions.take_lease

    async def take(*args: Any, **kwargs: Any) -> Lease:
        await work()
        return await take_lease(*args, **kwargs)

    monkeypatch.setattr(sessions, "take_lease", take)


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
