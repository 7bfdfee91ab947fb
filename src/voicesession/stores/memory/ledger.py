"""The books in memory."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from anyio.lowlevel import checkpoint

from ...core import budget
from ...core.accounts import Account, Hold, Limit, Scope, Standing
from ...core.books import Books, Moves
from ...core.identity import SessionId, TenantId
from ...core.instants import as_utc
from ...core.ledger import LedgerEntry, Posted, accounts_of, decide
from ...core.meters import Meter
from ...core.windows import Window
from ..bookkeeping import holds_named, holds_of, shown, zone_named
from .shelves import Shelves

__all__ = ("MemoryLedger",)


class MemoryLedger:
    """See `BudgetLedger`."""

    def __init__(self, shelves: Shelves) -> None:
        self._shelves = shelves

    async def post(self, entry: LedgerEntry, /) -> Posted:
        await checkpoint()
        kept = self._shelves.holds
        held = holds_of(entry, (kept[name] for name in holds_named(entry) if name in kept))
        moves, posted = decide(self._books(accounts_of(entry, held), held), entry)
        self._write(moves)
        return posted

    async def release_session(
        self, tenant_id: TenantId, session_id: SessionId, /, *, audio_used_us: int = 0
    ) -> None:
        await checkpoint()
        session = Account(Scope.SESSION, session_id, tenant_id)
        held = [
            hold
            for hold in self._shelves.holds.values()
            if any(line.account == session for line in hold.lines)
        ]
        self._write(budget.wind_up(self._books((), held), session, audio_used_us=audio_used_us))

    async def expire_holds(self, at: datetime, /) -> int:
        await checkpoint()
        at = as_utc(at)
        due = [hold for hold in self._shelves.holds.values() if hold.is_due(at)]
        self._write(budget.give_back(due))
        return len(due)

    async def standings(
        self, accounts: Iterable[Account], meters: Iterable[Meter], /, *, at: datetime
    ) -> Sequence[Standing]:
        await checkpoint()
        accounts = tuple(accounts)
        return shown(self._books(accounts), accounts, meters, at)

    async def set_limit(self, limit: Limit, /, *, at: datetime) -> Sequence[Standing]:
        await checkpoint()
        armed = budget.set_limit(self._books([limit.account]), limit, at=at)
        self._arm(limit)
        return armed.risen

    async def raise_limit(
        self, account: Account, meter: Meter, window: Window, /, *, by: int, at: datetime
    ) -> Sequence[Standing]:
        await checkpoint()
        raised = budget.raise_limit(self._books([account]), account, meter, window, by, at=at)
        self._arm(raised.books.limits[account, meter, window])
        return raised.risen

    async def drop_limit(self, account: Account, meter: Meter, window: Window, /) -> None:
        await checkpoint()
        self._shelves.limits.get(account, {}).pop((meter, window), None)

    async def set_zone(self, account: Account, zone: str, /) -> None:
        await checkpoint()
        zone_named(zone)
        self._shelves.zones[account] = zone

    # --- inside --------------------------------------------------------------------------------

    def _books(self, accounts: Collection[Account], held: Iterable[Hold] = ()) -> Books:
        zones = self._shelves.zones
        return Books(
            zones={account: zone_named(zones[account]) for account in accounts if account in zones},
            limits={
                (account, *key): limit
                for account in accounts
                for key, limit in self._shelves.limits.get(account, {}).items()
            },
            balances=self._shelves.balances,
            holds={hold.id: hold for hold in held},
        )

    def _arm(self, limit: Limit) -> None:
        self._shelves.limits.setdefault(limit.account, {})[limit.meter, limit.window] = limit

    def _write(self, moves: Moves) -> None:
        self._shelves.balances.update(moves.balances(self._shelves.balances))
        for hold_id in moves.closed:
            del self._shelves.holds[hold_id]
        self._shelves.holds.update((hold.id, hold) for hold in moves.opened)
