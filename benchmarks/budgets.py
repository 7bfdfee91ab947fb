"""
What it costs to be charged: CPU per 20 ms frame of audio, and how often the ledger is asked.

Beside it the bare limit: a number that grows and is compared. A session *with prices* also books
money, and what its engines use for a reply every four seconds. Asking is included and spread over
the frames between; `entries` are round trips to the ledger in five seconds of audio.

    python benchmarks/budgets.py [--seconds 600] [--json]
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
from attrs import asdict, frozen

from voicesession.core.accounts import Limit
from voicesession.core.ledger import LedgerEntry, Posted
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
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
PRICES = """
currency = "USD"
price = [
    {engine = "host", meter = "audio_us", amount = "0.006", per = "minute", source = "-", date = 2026-11-21},
    {engine = "host", meter = "llm_input_tokens", amount = "0.15", per = "1M", source = "-", date = 2026-11-21},
    {engine = "host", meter = "llm_output_tokens", amount = "0.60", per = "1M", source = "-", date = 2026-11-21},
]
"""


@frozen
class Result:
    name: str
    frames: int
    us_a_frame: float
    entries_in_5_s: float


def main() -> None:
    options = _options()
    frames = options.seconds * FRAMES_A_SECOND
    results = [_counter(frames)]
    with tempfile.TemporaryDirectory() as folder:
        sqlite = f"sqlite:///{Path(folder) / 'voice.db'}"
        for name, url, prices in (
            ("in memory", "memory://", None),
            ("in memory, with prices and a limit", "memory://", PriceTable.parse(PRICES)),
            ("SQLite", sqlite, None),
            ("SQLite, with prices and a limit", sqlite, PriceTable.parse(PRICES)),
        ):
            results.append(anyio.run(_session, name, url, prices, frames))
    if options.json:
        print(json.dumps([asdict(result) for result in results], indent=2))
        return
    print(f"{'':38}{'frames':>8}{'µs a frame':>12}{'entries in 5 s':>16}")
    for one in results:
        print(f"{one.name:38}{one.frames:8}{one.us_a_frame:12.2f}{one.entries_in_5_s:16.2f}")


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


async def _session(name: str, url: str, prices: PriceBook | None, frames: int) -> Result:
    """Spend on *frames* of audio, as a live session does, and follow its worker's ticks."""
    async with _owned(url, prices) as (owned, asked):
        asked.clear()
        began = time.process_time()
        for second in range(frames // FRAMES_A_SECOND):
            if prices is not None and second % A_REPLY_S == 0:
                owned.listeners.tell(_a_reply())
            if second % A_TICK_S == 0:
                await owned.spending.pass_time()
            for _ in range(FRAMES_A_SECOND):
                if not owned.spending.has(FRAME_US):
                    await owned.spending.afford(FRAME_US)
                owned.spending.spend(FRAME_US)
            await anyio.lowlevel.checkpoint()
        us_a_frame = _us_since(began) / frames
        return Result(name, frames, us_a_frame, len(asked) * 5 * FRAMES_A_SECOND / frames)


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
