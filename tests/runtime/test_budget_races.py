"""
Processes race for one budget, some of them are killed, and the books balance to the unit.

What the processes say that the ledger has acknowledged is an independent count. With
``VOICESESSION_PROFILE=proof`` there are 8 processes of 50 sessions; otherwise a few.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import anyio
import pytest
from attrs import define, field
from tests.servers.redis_server import RedisServer

from voicesession.core.accounts import Account, Limit, Scope
from voicesession.core.identity import DEFAULT_TENANT, SessionId
from voicesession.core.meters import Meter
from voicesession.core.windows import Window
from voicesession.ports.ledger import BudgetLedger
from voicesession.wiring.stores import storage_at

RACER = Path(__file__).with_name("budget_racer.py")
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
ACME = Account(Scope.TENANT, "acme")
IS_PROOF = os.environ.get("VOICESESSION_PROFILE") == "proof"
PROCESSES, SESSIONS, ROUNDS = (8, 50, 6) if IS_PROOF else (3, 5, 3)
KILLED = PROCESSES // 3


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=["sqlite", "redis", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'voice.db'}"
    elif request.param == "postgresql":
        yield request.getfixturevalue("postgres_url")
    else:
        with RedisServer(tmp_path) as server:
            yield server.url


@define
class Racer:
    """One process, and what it has said."""

    process: subprocess.Popen[str]
    settling: dict[str, int] = field(factory=dict)
    settled: dict[str, int] = field(factory=dict)

    def listen(self, *, lines: int | None = None) -> None:
        """Read *lines* of what it says, or all of it."""
        assert self.process.stdout is not None
        for number, line in enumerate(self.process.stdout, 1):
            if not line.endswith("\n"):
                break  # killed in the middle of a line
            word, *said = line.split()
            if word in {"settling", "settled"}:
                (self.settling if word == "settling" else self.settled)[said[0]] = int(said[1])
            if number == lines:
                break


def started(url: str, number: int) -> Racer:
    arguments = [RACER, url, number, SESSIONS, ROUNDS]
    process = subprocess.Popen(
        [sys.executable, *map(str, arguments)], stdout=subprocess.PIPE, text=True
    )
    return Racer(process)


async def stands(ledger: BudgetLedger) -> tuple[int, int]:
    (day, _month) = await ledger.standings([ACME], [Meter.AUDIO_US], at=NOON)
    return day.spent, day.held


async def watch(ledger: BudgetLedger, limit_us: int) -> None:
    while True:
        spent_us, held_us = await stands(ledger)
        assert spent_us + held_us <= limit_us
        await anyio.sleep(0.02)


@pytest.mark.parametrize("share", [0.5, 5.0] if IS_PROOF else [0.5])
async def test_whoever_races_and_whoever_dies_the_books_balance(url: str, share: float) -> None:
    # A session speaks for about four seconds a round.
    limit_us = int(share * PROCESSES * SESSIONS * ROUNDS * 4_000_000)
    async with storage_at(url) as storage:
        ledger = storage.ledger
        limit = Limit(account=ACME, meter=Meter.AUDIO_US, window=Window.DAY, amount=limit_us)
        await ledger.set_limit(limit, at=NOON)
        racers = [started(url, number) for number in range(PROCESSES)]
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(watch, ledger, limit_us)
                for racer in racers[:KILLED]:
                    await anyio.to_thread.run_sync(partial(racer.listen, lines=8))
                    racer.process.send_signal(signal.SIGKILL)
                for racer in racers:
                    await anyio.to_thread.run_sync(racer.listen)
                    await anyio.to_thread.run_sync(racer.process.wait)
                group.cancel_scope.cancel()
        finally:
            for racer in racers:
                racer.process.kill()
                racer.process.wait()
                assert racer.process.stdout is not None
                racer.process.stdout.close()
        assert [racer.process.returncode for racer in racers[KILLED:]] == [0] * (PROCESSES - KILLED)
        await sweep(ledger, racers)
        spent_us, held_us = await stands(ledger)
        assert held_us == 0
        assert spent_us <= limit_us
        for racer in racers[KILLED:]:
            assert await spent_by(ledger, racer.settled) == racer.settled
        for racer in racers[:KILLED]:
            for name, booked_us in (await spent_by(ledger, racer.settling)).items():
                assert racer.settled.get(name, 0) <= booked_us
        every_session = [
            f"sess_{process}_{number}" for process in range(PROCESSES) for number in range(SESSIONS)
        ]
        assert sum((await spent_by(ledger, every_session)).values()) == spent_us


async def spent_by(ledger: BudgetLedger, names: Iterable[str]) -> dict[str, int]:
    accounts = [Account(Scope.SESSION, name) for name in names]
    found = await ledger.standings(accounts, [Meter.AUDIO_US], at=NOON)
    return {standing.line.account.id: standing.spent for standing in found}


async def sweep(ledger: BudgetLedger, racers: list[Racer]) -> None:
    """Give back what the killed processes held, as a sweep of their sessions does."""
    for number in range(len(racers)):
        for session in range(SESSIONS):
            name = SessionId(f"sess_{number}_{session}")
            await ledger.release_session(DEFAULT_TENANT, name)
