"""What becomes of the budget of a session whose worker is gone: nothing is held, little is lost."""

import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import pytest
from tests.patience import PATIENCE_S

import voicesession
from voicesession import SessionManager
from voicesession.core.accounts import Account, Limit, Scope, Standing
from voicesession.core.deadlines import LifePolicy
from voicesession.core.identity import SessionId
from voicesession.core.meters import Meter
from voicesession.core.session import Session
from voicesession.core.timeline import Track
from voicesession.core.windows import Window
from voicesession.ports.scope import EVERYTHING
from voicesession.ports.storage import Storage
from voicesession.runtime.clock import SteppedClock
from voicesession.runtime.orphans import Orphans
from voicesession.runtime.services import Services
from voicesession.stores.memory import MemoryStorage
from voicesession.stores.sql.sqlite import SqliteStorage, database

WORKER = Path(__file__).with_name("doomed_worker.py")
LEASE_S = 3.0
LEASE, A_SWEEP = timedelta(seconds=15), timedelta(seconds=5)
WORKERS, SESSIONS = (5, 20) if os.environ.get("VOICESESSION_PROFILE") == "proof" else (1, 3)
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
def file(tmp_path: Path) -> Path:
    return tmp_path / "voice.db"


@pytest.fixture
def store(file: Path) -> str:
    return f"sqlite:///{file}"


def killed(store: str, kept: Path, *, sessions: int, lease_s: float) -> list[str]:
    """Return the ids of sessions whose worker was killed while it spent."""
    arguments = [WORKER, store, kept, sessions, lease_s]
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
    store: str, tmp_path: Path
) -> None:
    orphaned = killed(store, tmp_path / "kept", sessions=3, lease_s=LEASE_S)
    life = LifePolicy(reconnect_grace=timedelta(minutes=10))
    async with voicesession.open(store, lease=timedelta(seconds=LEASE_S), life=life) as voice:
        with anyio.fail_after(PATIENCE_S):
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


class SweepersClock(SteppedClock):
    """Goes on only when the sweeper has done what was to be done."""

    def __init__(self, start: datetime) -> None:
        super().__init__(start)
        self._rests = anyio.Event()
        self._until_us = 0

    async def sleep_until(self, monotonic_us: int, /) -> None:
        self._until_us = monotonic_us
        self._rests.set()
        await super().sleep_until(monotonic_us)

    async def next_sweep(self) -> None:
        """Let time pass until the sweeper wakes, and wait until it sleeps again."""
        await self._rests.wait()
        self._rests = anyio.Event()
        self.advance(self._until_us - self.monotonic_us())
        await self._rests.wait()


async def books_of(storage: Storage, session: Session, scope: Scope) -> list[Standing]:
    """Return where the session or its user stands, on audio and on seats."""
    name = session.id if scope is Scope.SESSION else session.user_id or ""
    account = Account(scope, name, session.tenant_id)
    found = await storage.ledger.standings(
        [account], [Meter.AUDIO_US, Meter.SESSIONS], at=session.created_at
    )
    return [one for one in found if one.line.window is not Window.MONTH]


def fail(_session_id: SessionId | None, error: Exception) -> None:
    raise error


async def test_no_hold_survives_its_session_by_more_than_a_lease_and_a_sweep(
    file: Path, store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, lease_s = tmp_path / "kept", LEASE.total_seconds()
    workers = [killed(store, kept, sessions=SESSIONS, lease_s=lease_s) for _ in range(WORKERS)]
    names = [SessionId(name) for worker in workers for name in worker]
    async with SqliteStorage(file) as storage, anyio.create_task_group() as group:
        left = [await storage.sessions.load(name, EVERYTHING) for name in names]
        lapses = {one.id: one.lease_expires_at for one in left if one.lease_expires_at is not None}
        clock = SweepersClock(min(lapses.values()) - 2 * LEASE)
        monkeypatch.setattr(database, "present", clock.now)  # of the store, and of the sweeper
        services = Services(storage=storage, clock=clock, worker_id="sweeper", lease=LEASE)
        group.start_soon(Orphans(services, fail).run)
        freed: dict[SessionId, datetime] = {}
        while clock.now() < max(lapses.values()) + A_SWEEP:
            await clock.next_sweep()
            for session in left:
                audio, seat = await books_of(storage, session, Scope.SESSION)
                assert (audio.held > 0, seat.held) in {(True, 1), (False, 0)}
                if not seat.held:
                    freed.setdefault(session.id, clock.now())
        for session in left:
            for scope in (Scope.SESSION, Scope.USER):
                audio, seat = await books_of(storage, session, scope)
                assert audio.held == seat.held == 0
            (audio, _) = await books_of(storage, session, Scope.SESSION)
            assert audio.spent == session.audio_used_us >= SECOND_US
        group.cancel_scope.cancel()
    assert sorted(lapses) == sorted(freed) == sorted(names)
    assert all(lapses[name] <= freed[name] <= lapses[name] + A_SWEEP for name in names)


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
