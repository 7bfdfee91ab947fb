"""The books in memory."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from anyio.lowlevel import checkpoint

from ...core import budget
from ...core.accounts import Account, Hold, Limit, Line, Scope, Standing
from ...core.budget import Books
from ...core.identity import SessionId, TenantId
from ...core.instants import as_utc
from ...core.ledger import LedgerEntry, Posted, accounts_of, lines_of, post
from ...core.meters import Meter
from ...core.windows import Window
from ..bookkeeping import changes_of, holds_named, holds_of, lines_shown, shown, zone_named
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
        before = self._books(accounts_of(entry, held), held)
        before = self._with_balances(before, lines_of(entry, before))
        after, posted = post(before, entry)
        self._write(before, after)
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
        before = self._with_balances(
            self._books((), held), {line for hold in held for line in hold.lines}
        )
        after = budget.settle_session(before, session, audio_used_us=audio_used_us)
        self._write(before, after)

    async def expire_holds(self, at: datetime, /) -> int:
        await checkpoint()
        at = as_utc(at)
        due = [
            hold
            for hold in self._shelves.holds.values()
            if hold.expires_at is not None and hold.expires_at <= at
        ]
        for hold in due:
            before = self._with_balances(self._books((), [hold]), hold.lines)
            self._write(before, budget.release(before, hold.id))
        return len(due)

    async def standings(
        self, accounts: Iterable[Account], meters: Iterable[Meter], /, *, at: datetime
    ) -> Sequence[Standing]:
        await checkpoint()
        accounts, meters = tuple(accounts), tuple(meters)
        books = self._books(accounts)
        books = self._with_balances(books, lines_shown(books, accounts, meters, at))
        return shown(books, accounts, meters, at)

    async def set_limit(self, limit: Limit, /, *, at: datetime) -> Sequence[Standing]:
        await checkpoint()
        before = self._standing(limit.account, limit.meter, at)
        armed = budget.set_limit(before, limit, at=at)
        self._arm(limit)
        return armed.risen

    async def raise_limit(
        self, account: Account, meter: Meter, window: Window, /, *, by: int, at: datetime
    ) -> Sequence[Standing]:
        await checkpoint()
        before = self._standing(account, meter, at)
        raised = budget.raise_limit(before, account, meter, window, by, at=at)
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
            holds={hold.id: hold for hold in held},
        )

    def _with_balances(self, books: Books, lines: Iterable[Line]) -> Books:
        kept = self._shelves.balances
        balances = {line: kept[line] for line in lines if line in kept}
        return Books(zones=books.zones, limits=books.limits, balances=balances, holds=books.holds)

    def _standing(self, account: Account, meter: Meter, at: datetime) -> Books:
        books = self._books([account])
        return self._with_balances(books, lines_shown(books, [account], [meter], at))

    def _arm(self, limit: Limit) -> None:
        self._shelves.limits.setdefault(limit.account, {})[limit.meter, limit.window] = limit

    def _write(self, before: Books, after: Books) -> None:
        changes = changes_of(before, after)
        self._shelves.balances.update(changes.balances)
        for hold_id in changes.closed:
            del self._shelves.holds[hold_id]
        self._shelves.holds.update((hold.id, hold) for hold in changes.opened)
