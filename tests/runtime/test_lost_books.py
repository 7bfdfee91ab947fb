"""What becomes of the budget of a session whose worker is gone: nothing is held, little is lost."""

import signal
import subprocess
import sys
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import pytest

import voicesession
from voicesession import SessionManager
from voicesession.core.accounts import Limit
from voicesession.core.deadlines import LifePolicy
from voicesession.core.meters import Meter
from voicesession.core.timeline import Track
from voicesession.core.windows import Window
from voicesession.runtime.clock import SteppedClock
from voicesession.runtime.services import Services
from voicesession.stores.memory import MemoryStorage

WORKER = Path(__file__).with_name("doomed_worker.py")
LEASE_S = 1.0
SECOND = bytes(32_000)
SECOND_US = 1_000_000


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def stands(
    voice: SessionManager, scope: str, name: str, meter: Meter = Meter.AUDIO_US
) -> tuple[int, int]:
    account = voice.budgets.account(scope, name)
    first, *_ = await voice.budgets.standings(account, [meter])
    return first.spent, first.held


@pytest.fixture
def store(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'voice.db'}"


@pytest.fixture
def orphaned(store: str, tmp_path: Path) -> list[str]:
    """The ids of sessions whose worker was killed while it spent."""
    arguments = [WORKER, store, tmp_path / "kept", "3", str(LEASE_S)]
    ids: list[str] = []
    with subprocess.Popen(
        [sys.executable, *map(str, arguments)], stdout=subprocess.PIPE, text=True
    ) as worker:
        assert worker.stdout is not None
        while (line := worker.stdout.readline().strip()) != "ready":
            assert line, "the worker has failed"
            ids.append(line)
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    return ids


async def test_what_a_killed_worker_had_used_is_booked_as_far_as_it_had_told(
    orphaned: list[str], store: str
) -> None:
    life = LifePolicy(reconnect_grace=timedelta(minutes=10))
    async with voicesession.open(store, lease=timedelta(seconds=LEASE_S), life=life) as voice:
        with anyio.fail_after(30):
            while any(  # noqa: ASYNC110  # it happens by the clock of the store
                [(await stands(voice, "session", name))[1] for name in orphaned]
            ):
                await anyio.sleep(0.05)
        for number, name in enumerate(orphaned):
            told_us = (await voice.get(name)).audio_used_us
            assert told_us >= SECOND_US
            assert await stands(voice, "session", name) == (told_us, 0)
            assert await stands(voice, "user", f"user_{number}") == (told_us, 0)
            assert await stands(voice, "session", name, Meter.SESSIONS) == (0, 0)


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock(datetime(2026, 6, 30, 12, tzinfo=UTC))


@pytest.fixture
async def storage() -> AsyncGenerator[MemoryStorage]:
    async with MemoryStorage() as storage:
        yield storage


def a_worker(storage: MemoryStorage, clock: SteppedClock, name: str) -> SessionManager:
    return SessionManager(Services(storage=storage, clock=clock, worker_id=name))


async def test_whoever_takes_a_session_over_gives_back_what_its_last_worker_held(
    storage: MemoryStorage, clock: SteppedClock
) -> None:
    one, other = (a_worker(storage, clock, name) for name in ("one", "other"))
    seat = Limit(
        account=one.budgets.account("user", "ada"),
        meter=Meter.SESSIONS,
        window=Window.SESSION,
        amount=1,
    )
    async with storage:
        await one.budgets.set_limit(seat)
        session = await one.create(user_id="ada")
        taken = await one._registry.take(session.id)
        await taken.spending.open()
        assert taken.spending.spend(3 * SECOND_US)
        await storage.sessions.write_stats({session.id: taken.running_stats()})
        async with other.attach(session.id) as handle:  # the first one knows of nothing
            await handle.live()
            assert await stands(other, "user", "ada", Meter.SESSIONS) == (0, 1)
            assert await stands(other, "user", "ada") == (3 * SECOND_US, 5 * SECOND_US)
            assert handle.audio(Track.USER, SECOND)
            await taken.spending.settle(leave=True)  # it finds that nothing is left to settle
            await handle.end()
        assert await stands(other, "user", "ada") == (4 * SECOND_US, 0)
        assert await stands(other, "user", "ada", Meter.SESSIONS) == (0, 0)


async def test_what_a_fenced_worker_reserves_too_late_does_not_outlive_the_session(
    storage: MemoryStorage, clock: SteppedClock
) -> None:
    one, other = (a_worker(storage, clock, name) for name in ("one", "other"))
    async with storage:
        session = await one.create(user_id="ada")
        taken = await one._registry.take(session.id)
        await taken.spending.open()
        async with other.attach(session.id) as handle:
            await handle.live()
            await taken.spending.top_up()
            assert (await stands(other, "user", "ada"))[1] > 5 * SECOND_US
            await handle.end()
        assert await stands(other, "user", "ada") == (0, 0)
