"""
The books over documents.

* An ``accounts`` document holds the zone and the limits of one account: what is read with every
  entry and seldom written.
* ``balances`` documents hold what stands in one line; see `balances`.
* A ``holds`` document is one open hold.

An entry is decided by the core on what was read, and written in one batch that names the
revision of everything it was decided on. If anything has changed meanwhile nothing is
written, and it is decided anew. Entries of one tenant nearly always share a line, so those of one
process take turns: as many at once as that line has shards.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from datetime import datetime
from functools import partial
from typing import Final, TypeVar

from attrs import evolve

from ...core import budget
from ...core.accounts import Account, Hold, HoldId, Limit, Line, Scope, Standing
from ...core.books import Books, Moves
from ...core.errors import InvalidValue
from ...core.identity import SessionId, TenantId
from ...core.instants import as_utc, to_us
from ...core.ledger import LedgerEntry, Posted, accounts_of, decide, lines_of
from ...core.meters import Meter
from ...core.text import storable_text
from ...core.windows import Window
from ...ports.documents import Body, DocumentDriver, DocumentKey, DocumentQuery
from ..bookkeeping import holds_named, holds_of, lines_shown, shown, zone_named
from ..records import (
    account_document,
    hold_document,
    limit_document,
    parse_hold,
    parse_limit,
)
from . import layout
from .balances import Balances, account_name
from .contention import persistently
from .transactions import Transaction
from .turns import Turns

__all__ = ("DocumentLedger",)

T = TypeVar("T")

_HOLDS_AT_ONCE: Final = 50  # with five lines each they fit into one batch


class DocumentLedger:
    """See `BudgetLedger`. An entry may touch at most 500 accounts, lines and holds."""

    def __init__(self, driver: DocumentDriver, *, shards: int) -> None:
        self._driver = driver
        self._balances = Balances(shards)
        self._turns = Turns(at_once=shards)

    async def post(self, entry: LedgerEntry, /) -> Posted:
        async def book(books: Transaction) -> Posted:
            names = [_hold_key(name) for name in sorted(holds_named(entry))]
            await books.get([*names, *map(_account_key, entry.accounts)])
            stored = await books.get(names)
            held = holds_of(entry, (parse_hold(one.body) for one in stored if one is not None))
            before = await _books(books, accounts_of(entry, held), held)
            before = await self._with_balances(books, before, lines_of(entry, before))
            moves, posted = decide(before, entry)
            self._write(books, before, moves)
            return posted

        async with self._turns.turn(entry.tenant_id):
            return await self._transact(book)

    async def release_session(
        self, tenant_id: TenantId, session_id: SessionId, /, *, audio_used_us: int = 0
    ) -> None:
        session = Account(Scope.SESSION, session_id, tenant_id)
        equal = {"tenant_id": tenant_id, "session_id": session_id}
        await self._give_back(
            DocumentQuery(index=layout.HOLDS_OF_SESSION, equal=equal),
            partial(budget.wind_up, session=session, audio_used_us=audio_used_us),
        )

    async def expire_holds(self, at: datetime, /) -> int:
        behind = to_us(as_utc(at)) + 1
        return await self._give_back(
            DocumentQuery(index=layout.EXPIRING_HOLDS, equal={}, end=(behind,)), _all_given_back
        )

    async def standings(
        self, accounts: Iterable[Account], meters: Iterable[Meter], /, *, at: datetime
    ) -> Sequence[Standing]:
        accounts, meters = tuple(accounts), tuple(meters)
        reading = Transaction(self._driver)
        books = await _books(reading, accounts)
        books = await self._with_balances(reading, books, lines_shown(books, accounts, meters, at))
        return shown(books, accounts, meters, at)

    async def set_limit(self, limit: Limit, /, *, at: datetime) -> Sequence[Standing]:
        return await self._arm(
            limit.account, limit.meter, at, lambda books: budget.set_limit(books, limit, at=at)
        )

    async def raise_limit(
        self, account: Account, meter: Meter, window: Window, /, *, by: int, at: datetime
    ) -> Sequence[Standing]:
        return await self._arm(
            account,
            meter,
            at,
            lambda books: budget.raise_limit(books, account, meter, window, by, at=at),
        )

    async def drop_limit(self, account: Account, meter: Meter, window: Window, /) -> None:
        async def drop(books: Transaction) -> None:
            before = await _books(books, [account])
            _write_account(books, account, budget.drop_limit(before, account, meter, window))

        await self._transact(drop)

    async def set_zone(self, account: Account, zone: str, /) -> None:
        zone_named(zone)

        async def move(books: Transaction) -> None:
            before = await _books(books, [account])
            _write_account(books, account, budget.set_zone(before, account, zone_named(zone)))

        await self._transact(move)

    # --- inside --------------------------------------------------------------------------------

    async def _transact(self, decide: Callable[[Transaction], Awaitable[T]]) -> T:
        """Return what *decide* returns; what it puts is written, if what it read still holds."""

        async def attempt() -> T:
            books = Transaction(self._driver)
            try:
                result = await decide(books)
            except InvalidValue:
                # Not if it was only seen so, between two writes of somebody else.
                await books.confirm()
                raise
            await books.commit()
            return result

        return await persistently(attempt)

    async def _arm(
        self,
        account: Account,
        meter: Meter,
        at: datetime,
        armed: Callable[[Books], budget.Posting],
    ) -> Sequence[Standing]:
        async def arm(books: Transaction) -> Sequence[Standing]:
            before = await _books(books, [account])
            lines = lines_shown(before, [account], [meter], at)
            posting = armed(await self._with_balances(books, before, lines))
            _write_account(books, account, posting.books)
            return posting.risen

        return await self._transact(arm)

    async def _give_back(self, query: DocumentQuery, moved: Callable[[Books], Moves]) -> int:
        """Have *moved* close every hold that *query* finds, some at a time; return how many."""
        query = evolve(query, limit=_HOLDS_AT_ONCE)
        released = 0

        async def release(books: Transaction) -> int:
            found = await self._driver.find(query)
            stored = await books.get([document.key for document in found])
            holds = [parse_hold(one.body) for one in stored if one is not None]
            lines = {line for hold in holds for line in hold.lines}
            before = await self._with_balances(books, _holding(holds), lines)
            self._write(books, before, moved(before))
            return len(holds)

        while some := await self._transact(release):
            released += some
        return released

    async def _with_balances(
        self, reading: Transaction, books: Books, lines: Iterable[Line]
    ) -> Books:
        return evolve(books, balances=await self._balances.read(reading, lines))

    def _write(self, writing: Transaction, before: Books, moves: Moves) -> None:
        limited = {account for account, _, _ in before.limits}
        revisions = {
            account: stored.revision
            for account in limited
            if (stored := writing.seen(_account_key(account))) is not None
        }
        self._balances.write(writing, before, moves, revisions)
        for hold_id in moves.closed:
            writing.delete(_hold_key(hold_id))
        for hold in moves.opened:
            writing.put(_hold_key(hold.id), hold_document(hold))


async def _books(
    reading: Transaction, accounts: Collection[Account], held: Iterable[Hold] = ()
) -> Books:
    """Return the zones and limits of *accounts*, with *held*; no balances."""
    documents = await reading.get(map(_account_key, accounts))
    known = [(a, d.body) for a, d in zip(accounts, documents, strict=True) if d is not None]
    limits = [parse_limit(limit) for _, body in known for limit in json.loads(body["limits"])]
    return evolve(
        _holding(held),
        zones={account: zone_named(body["zone"]) for account, body in known if body["zone"]},
        limits={(limit.account, limit.meter, limit.window): limit for limit in limits},
    )


def _all_given_back(books: Books) -> Moves:
    return budget.give_back(books.holds.values())


def _holding(held: Iterable[Hold]) -> Books:
    return Books(holds={hold.id: hold for hold in held})


def _write_account(writing: Transaction, account: Account, after: Books) -> None:
    limits = [limit_document(limit) for limit in after.limits.values()]
    zone = after.zones.get(account)
    body: Body = {
        **account_document(account),
        "zone": None if zone is None else str(zone),
        "limits": json.dumps(limits, ensure_ascii=False),
    }
    writing.put(_account_key(account), body)


def _account_key(account: Account) -> DocumentKey:
    return DocumentKey("accounts", account_name(account))


def _hold_key(hold_id: HoldId) -> DocumentKey:
    return DocumentKey("holds", layout.digest(storable_text(hold_id, "hold_id")))
