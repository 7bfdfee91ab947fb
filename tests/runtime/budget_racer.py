"""
A process whose sessions race for one budget; `test_budget_races.py` runs several of it.

    python budget_racer.py STORE PROCESS SESSIONS ROUNDS

Each session spends audio through a purse, as live ones do. On stdout stands what the ledger
has acknowledged, in microseconds: ``settled SESSION TOTAL`` after each settling, and
``settling SESSION TOTAL`` before it, so that a process that is killed in between can be told.
"""

import sys
from datetime import UTC, datetime
from random import Random

import anyio

from voicesession.core.accounts import Account, HoldId, Scope
from voicesession.core.errors import BudgetExhausted, StoreUnavailable
from voicesession.ports.ledger import BudgetLedger
from voicesession.runtime.clock import SteppedClock
from voicesession.runtime.purse import Purse
from voicesession.wiring.stores import storage_at

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
FRAME_US = 20_000


def say(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


async def settle(purse: Purse, name: str, total_us: int) -> None:
    say("settling", name, total_us)
    while True:
        try:
            await purse.settle(leave=True)
        except StoreUnavailable:
            continue
        say("settled", name, total_us)
        return


async def spend(ledger: BudgetLedger, name: str, rounds: int, dice: Random) -> None:
    """Be a session that starts and pauses a few times, and speaks in between."""
    session = Account(Scope.SESSION, name)
    total_us = drawn = 0

    def new_hold_id() -> HoldId:
        nonlocal drawn
        drawn += 1
        return HoldId(f"{name}_{drawn}")

    purse = Purse(
        ledger,
        SteppedClock(NOON),
        (session, Account(Scope.TENANT, "acme")),
        new_hold_id,
    )
    for _ in range(rounds):
        try:
            await purse.open()
            for _ in range(dice.randint(1, 400)):
                if purse.take(FRAME_US):
                    total_us += FRAME_US
                if purse.wants_more:
                    await purse.ask()
                if purse.is_dry:
                    break
        except (BudgetExhausted, StoreUnavailable):
            pass
        await settle(purse, name, total_us)


async def main(url: str, process: str, sessions: int, rounds: int) -> None:
    async with storage_at(url) as storage, anyio.create_task_group() as group:
        say("ready")
        for number in range(sessions):
            name = f"sess_{process}_{number}"
            group.start_soon(spend, storage.ledger, name, rounds, Random(name))


anyio.run(main, sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
