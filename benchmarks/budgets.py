"""
What it costs to be charged: CPU per 20 ms frame of audio, and how often the ledger is asked.

Beside it the bare limit: a number that grows and is compared. A session *with prices* also books
money, and what its engines use for a reply every four seconds. Asking is included and spread over
the frames between; `entries` are round trips to the ledger in five seconds of audio. *The driver
alone* writes the rows of the same entries, in as many transactions, and decides nothing. What is
measured comes after a minute of audio, when every statement has been compiled; the turns of the
event loop that audio takes without being charged are left out.

    python benchmarks/budgets.py [--seconds 600] [--json]
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
from attrs import asdict, frozen

from voicesession.core.accounts import Limit
from voicesession.core.books import Books
from voicesession.core.ledger import LedgerEntry, Posted, lines_of
from voicesession.core.meters import Meter
from voicesession.core.price import Money
from voicesession.ports.prices import EngineModel, PriceBook
from voicesession.ports.storage import Storage
from voicesession.pricing import PriceTable
from voicesession.runtime.clock import SteppedClock
from voicesession.runtime.happenings import EngineUsed, Stage
from voicesession.runtime.manager import SessionManager
from voicesession.runtime.ownership import Ownership
from voicesession.runtime.services import Services
from voicesession.wiring.stores import storage_at

FRAME_US = 20_000
FRAMES_A_SECOND = 50
A_TICK_S = 5
A_REPLY_S = 4
WARM_UP_S = 60
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
PRICES = """
currency = "USD"
price = [
    {engine = "host", meter = "audio_us", amount = "0.006", per = "minute", source = "-", date = 2026-11-21},
    {engine = "host", meter = "llm_input_tokens", amount = "0.15", per = "1M", source = "-", date = 2026-11-21},
    {engine = "host", meter = "llm_output_tokens", amount = "0.60", per = "1M", source = "-", date = 2026-11-21},
]
"""


# The rows of one entry, as a file holds them; what stands in them is of no matter here.
DRIVER_READS = """
select spent, held from voice_balances
where tenant_id = ? and scope = ? and account_id = ? and meter = ? and window = ? and period = ?
"""
DRIVER_WRITES = """
insert into voice_balances
(tenant_id, scope, account_id, meter, window, period, spent, held) values (?, ?, ?, ?, ?, ?, 1, 1)
on conflict do update set spent = spent + 1, held = held + 1
"""
DRIVER_OPENS = """
insert into voice_holds (id, tenant_id, meter, amount, lines) values (?, 'default', ?, ?, '[]')
"""
DRIVER_CLOSES = "delete from voice_holds where id = ?"


@frozen
class Result:
    name: str
    frames: int
    us_a_frame: float
    entries_in_5_s: float


@frozen(kw_only=True)
class Spent:
    """What came of a session: CPU, and the entries that it posted for so many frames."""

    cpu_us: float
    frames: int
    entries: Sequence[LedgerEntry]

    def result(self, name: str) -> Result:
        entries_in_5_s = len(self.entries) * 5 * FRAMES_A_SECOND / self.frames
        return Result(name, self.frames, self.cpu_us / self.frames, entries_in_5_s)


def main() -> None:
    options = _options()
    results = list(_results(options.seconds * FRAMES_A_SECOND))
    if options.json:
        print(json.dumps([asdict(result) for result in results], indent=2))
        return
    print(f"{'':38}{'frames':>8}{'µs a frame':>12}{'entries in 5 s':>16}")
    for one in results:
        print(f"{one.name:38}{one.frames:8}{one.us_a_frame:12.2f}{one.entries_in_5_s:16.2f}")


def _results(frames: int) -> Iterator[Result]:
    yield _counter(frames)
    for what, prices in (("", None), (", with prices and a limit", PriceTable.parse(PRICES))):
        yield anyio.run(_session, "memory://", prices, frames).result(f"in memory{what}")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "voice.db"
            spent = anyio.run(_session, f"sqlite:///{path}", prices, frames)
            yield spent.result(f"SQLite{what}")
            yield _driver_alone(path, spent).result("  the driver alone")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="What it costs to be charged.")
    parser.add_argument("--seconds", type=int, default=600, help="of audio, for each")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args()


def _counter(frames: int) -> Result:
    used_us, limit_us = 0, frames * FRAME_US
    began = time.process_time()
    for _ in range(frames):
        if used_us + FRAME_US <= limit_us:
            used_us += FRAME_US
    return Result("a number", frames, _us_since(began) / frames, 0.0)


async def _session(url: str, prices: PriceBook | None, frames: int) -> Spent:
    """Spend on *frames* of audio, as a live session does."""
    async with _owned(url, prices) as (owned, asked):
        await _spend(owned, seconds=WARM_UP_S, replies=prices is not None)
        asked.clear()
        seconds = frames // FRAMES_A_SECOND
        uncharged_us = await _turns(seconds)
        began = time.process_time()
        await _spend(owned, seconds=seconds, replies=prices is not None)
        cpu_us = _us_since(began) - uncharged_us
        return Spent(cpu_us=cpu_us, frames=frames, entries=tuple(asked))


async def _turns(seconds: int) -> float:
    """Let audio come that nobody charges; return the CPU that it takes."""
    began = time.process_time()
    for _ in range(seconds):
        for _ in range(FRAMES_A_SECOND):
            pass
        await anyio.lowlevel.checkpoint()
    return _us_since(began)


async def _spend(owned: Ownership, *, seconds: int, replies: bool) -> None:
    """Let audio come, and follow the ticks of the session's worker."""
    for second in range(seconds):
        if replies and second % A_REPLY_S == 0:
            owned.listeners.tell(_a_reply())
        if second % A_TICK_S == 0:
            await owned.spending.pass_time()
        for _ in range(FRAMES_A_SECOND):
            if not owned.spending.has(FRAME_US):
                await owned.spending.afford(FRAME_US)
            owned.spending.spend(FRAME_US)
        await anyio.lowlevel.checkpoint()


def _driver_alone(path: Path, spent: Spent) -> Spent:
    """Write the rows of the same entries with nothing but the driver, as durably."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("pragma synchronous = full")
        rows = [(_row_keys(entry), entry) for entry in spent.entries]
        began = time.process_time()
        for keys, entry in rows:
            connection.execute("begin immediate")
            for key in keys:
                connection.execute(DRIVER_READS, key).fetchone()
            connection.executemany(DRIVER_WRITES, keys)
            connection.executemany(DRIVER_CLOSES, [(hold_id,) for hold_id in entry.settle])
            opened = [(f"{want.hold_id}!", want.meter, want.amount) for want in entry.reserve]
            connection.executemany(DRIVER_OPENS, opened)
            connection.execute("commit")
        return Spent(cpu_us=_us_since(began), frames=spent.frames, entries=spent.entries)


def _row_keys(entry: LedgerEntry) -> list[tuple[str, ...]]:
    lines = lines_of(entry, Books())
    return [
        (who.tenant_id, who.scope, who.id, line.meter, line.window, line.period)
        for line in lines
        for who in [line.account]
    ]


def _a_reply() -> EngineUsed:
    used = {Meter.LLM_INPUT_TOKENS: 900, Meter.LLM_OUTPUT_TOKENS: 60}
    return EngineUsed(stage=Stage.AGENT, engine=EngineModel("host"), used=used)


@asynccontextmanager
async def _owned(
    url: str, prices: PriceBook | None
) -> AsyncGenerator[tuple[Ownership, list[LedgerEntry]]]:
    storage = storage_at(url)
    services = Services(storage=storage, clock=SteppedClock(NOON), worker_id="bench", prices=prices)
    async with SessionManager(services) as voice:
        asked = _counted(storage)
        if prices is not None:
            month = Limit(
                account=voice.budgets.account("tenant"),
                meter=Meter.MONEY_USD,
                window="month",
                amount=Money(1_000, "USD").units,
            )
            await voice.budgets.set_limit(month)
        session = await voice.create(user_id="ada")
        async with voice.attach(session.id) as handle:
            await handle.live()
            yield handle.ownership, asked


def _counted(storage: Storage) -> list[LedgerEntry]:
    asked: list[LedgerEntry] = []
    ledger: Any = storage.ledger
    post: Callable[[LedgerEntry], Awaitable[Posted]] = ledger.post

    async def counted(entry: LedgerEntry, /) -> Posted:
        asked.append(entry)
        return await post(entry)

    ledger.post = counted
    return asked


def _us_since(began: float) -> float:
    return (time.process_time() - began) * 1e6


if __name__ == "__main__":
    main()
