"""
The books in a relational database.

Whoever books locks the rows of all accounts it touches, sorted, before it reads anything that it
decides on; so two entries never see half of each other, and never wait for each other in a
ring. What they come to is decided by `voicesession.core.ledger`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime
from functools import partial, reduce
from typing import Any, Final

from attrs import evolve
from sqlalchemy import BigInteger, Column, Table, Text, and_, bindparam, delete, insert, select
from sqlalchemy.sql import ColumnElement, Select

from ...core import budget
from ...core.accounts import Account, Hold, Limit, Line, Scope, Standing
from ...core.budget import Books
from ...core.errors import StoreUnavailable
from ...core.identity import SessionId, TenantId
from ...core.instants import as_utc, to_us
from ...core.ledger import LedgerEntry, Posted, accounts_of, lines_of, post
from ...core.meters import Meter
from ...core.windows import Window
from ..bookkeeping import (
    changes_of,
    holds_named,
    holds_of,
    lines_shown,
    shown,
    zone_named,
)
from ..codec import Document, Stored
from ..records import (
    account_document,
    balance_document,
    hold_document,
    limit_document,
    line_document,
    parse_account,
    parse_balance,
    parse_hold,
    parse_limit,
)
from .database import Database, Script
from .schema import ACCOUNTS, BALANCES, HOLDS, LIMITS
from .statement import SqlDialect, Statement, all_of, names_of, stored

__all__ = ("SqlLedger",)

_ACCOUNT: Final = ("tenant_id", "scope", "account_id")
_LIMIT: Final = (*_ACCOUNT, "meter", "window")
_LINE: Final = (*_LIMIT, "period")
_HOLD: Final = ("id",)


def _named(sql: SqlDialect, table: Table, key: Sequence[str]) -> Select[Any]:
    """Rows of *table* that have one of the keys given as ``rows``, in the order of the keys."""
    given = sql.rows("rows", *(Column(name, Text) for name in key))
    return (
        select(*all_of(sql, table))
        .join_from(table, given, and_(*(table.c[name] == given.c[name] for name in key)))
        .order_by(*(table.c[name] for name in key))
    )


def _is(table: Table, key: Iterable[str]) -> ColumnElement[bool]:
    return and_(*(table.c[name] == bindparam(name, type_=Text()) for name in key))


_READ_ACCOUNTS: Final = Statement(lambda sql: _named(sql, ACCOUNTS, _ACCOUNT))
_LOCK_ACCOUNTS: Final = Statement(
    lambda sql: _named(sql, ACCOUNTS, _ACCOUNT).with_for_update(of=ACCOUNTS)
)
_OPEN_ACCOUNT: Final = Statement(lambda sql: sql.upsert(ACCOUNTS, _ACCOUNT, []))
_SET_ZONE: Final = Statement(lambda sql: sql.upsert(ACCOUNTS, _ACCOUNT, ["zone"]))
_READ_LIMITS: Final = Statement(lambda sql: _named(sql, LIMITS, _ACCOUNT))
_SET_LIMIT: Final = Statement(lambda sql: sql.upsert(LIMITS, _LIMIT, ["amount", "warn_at"]))
_DROP_LIMIT: Final = Statement(lambda _: delete(LIMITS).where(_is(LIMITS, _LIMIT)))
_READ_BALANCES: Final = Statement(lambda sql: _named(sql, BALANCES, _LINE))
_WRITE_BALANCE: Final = Statement(lambda sql: sql.upsert(BALANCES, _LINE, ["spent", "held"]))
_READ_HOLDS: Final = Statement(lambda sql: _named(sql, HOLDS, _HOLD))
_OPEN_HOLD: Final = Statement(lambda sql: insert(HOLDS).values(stored(sql, HOLDS, names_of(HOLDS))))
_CLOSE_HOLD: Final = Statement(lambda _: delete(HOLDS).where(_is(HOLDS, _HOLD)))
_HOLDS_OF_SESSION: Final = Statement(
    lambda sql: select(*all_of(sql, HOLDS)).where(_is(HOLDS, ("tenant_id", "session_id")))
)
_HOLDS_UNTIL: Final = Statement(
    lambda sql: select(*all_of(sql, HOLDS)).where(
        HOLDS.c.expires_at <= bindparam("at", type_=BigInteger())
    )
)


class SqlLedger:
    """See `BudgetLedger`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def post(self, entry: LedgerEntry, /) -> Posted:
        return await self._database.write(lambda: _post(entry))

    async def release_session(
        self, tenant_id: TenantId, session_id: SessionId, /, *, audio_used_us: int = 0
    ) -> None:
        session = Account(Scope.SESSION, session_id, tenant_id)
        named = {**account_document(session), "session_id": session_id}
        decide = partial(budget.settle_session, session=session, audio_used_us=audio_used_us)
        await self._database.write(lambda: _give_back(_HOLDS_OF_SESSION, named, decide))

    async def expire_holds(self, at: datetime, /) -> int:
        until = {"at": to_us(as_utc(at))}
        return await self._database.write(lambda: _give_back(_HOLDS_UNTIL, until, _all_released))

    async def standings(
        self, accounts: Iterable[Account], meters: Iterable[Meter], /, *, at: datetime
    ) -> Sequence[Standing]:
        accounts, meters = tuple(accounts), tuple(meters)

        def script() -> Script[Sequence[Standing]]:
            books = yield from _books((yield _READ_ACCOUNTS, _rows(accounts)), accounts)
            books = yield from _with_balances(books, lines_shown(books, accounts, meters, at))
            return shown(books, accounts, meters, at)

        return await self._database.read(script)

    async def set_limit(self, limit: Limit, /, *, at: datetime) -> Sequence[Standing]:
        def script() -> Script[Sequence[Standing]]:
            before = yield from _standing_of(limit.account, limit.meter, at)
            armed = budget.set_limit(before, limit, at=at)
            yield _SET_LIMIT, limit_document(limit)
            return armed.risen

        return await self._database.write(script)

    async def raise_limit(
        self, account: Account, meter: Meter, window: Window, /, *, by: int, at: datetime
    ) -> Sequence[Standing]:
        def script() -> Script[Sequence[Standing]]:
            before = yield from _standing_of(account, meter, at)
            raised = budget.raise_limit(before, account, meter, window, by, at=at)
            yield _SET_LIMIT, limit_document(raised.books.limits[account, meter, window])
            return raised.risen

        return await self._database.write(script)

    async def drop_limit(self, account: Account, meter: Meter, window: Window, /) -> None:
        def script() -> Script[None]:
            yield from _locked([account])
            named = account_document(account)
            yield _DROP_LIMIT, {**named, "meter": meter.value, "window": window.value}

        await self._database.write(script)

    async def set_zone(self, account: Account, zone: str, /) -> None:
        zone_named(zone)

        def script() -> Script[None]:
            yield _SET_ZONE, {**account_document(account), "zone": zone}

        await self._database.write(script)


def _post(entry: LedgerEntry) -> Script[Posted]:
    wanted = {"rows": json.dumps([{"id": hold_id} for hold_id in sorted(holds_named(entry))])}
    held = yield from _held(entry, wanted)
    accounts = accounts_of(entry, held)
    locked = yield from _locked(accounts)
    # Only now does nobody else change them.
    held = yield from _held(entry, wanted)
    if not set(accounts_of(entry, held)) <= set(accounts):
        raise StoreUnavailable("the same entry is being posted by somebody else just now")
    before = yield from _books(locked, accounts, held)
    before = yield from _with_balances(before, lines_of(entry, before))
    after, posted = post(before, entry)
    yield from _write(before, after)
    return posted


def _held(entry: LedgerEntry, named: Document) -> Script[tuple[Hold, ...]]:
    if named["rows"] == "[]":
        return ()
    return holds_of(entry, map(parse_hold, (yield _READ_HOLDS, named)))


def _give_back(which: Statement, values: Document, decide: Callable[[Books], Books]) -> Script[int]:
    """Let *decide* close the holds that are found; return how many those are."""
    found = yield which, values
    if not found:
        return 0
    yield from _locked(_accounts_in(map(parse_hold, found)))
    named = {"rows": json.dumps([{"id": row["id"]} for row in found])}
    still_there = yield _READ_HOLDS, named
    held = [parse_hold(row) for row in still_there]
    before = Books(holds={hold.id: hold for hold in held})
    before = yield from _with_balances(before, (line for hold in held for line in hold.lines))
    yield from _write(before, decide(before))
    return len(held)


def _all_released(books: Books) -> Books:
    return reduce(budget.release, books.holds, books)


def _accounts_in(holds: Iterable[Hold]) -> set[Account]:
    return {line.account for hold in holds for line in hold.lines}


def _locked(accounts: Collection[Account]) -> Script[Sequence[Stored]]:
    """Lock the rows of *accounts*, making those that are missing, and return them."""
    found = yield _LOCK_ACCOUNTS, _rows(accounts)
    if len(found) < len(set(accounts)):
        there = {parse_account(row) for row in found}
        missing = [account for account in _sorted(accounts) if account not in there]
        yield _OPEN_ACCOUNT, [{**account_document(account), "zone": None} for account in missing]
        found = yield _LOCK_ACCOUNTS, _rows(accounts)
    return found


def _books(
    rows: Sequence[Stored], accounts: Collection[Account], held: Iterable[Hold] = ()
) -> Script[Books]:
    zones = {parse_account(row): row["zone"] for row in rows if row["zone"] is not None}
    limits = [parse_limit(row) for row in (yield _READ_LIMITS, _rows(accounts))]
    return Books(
        zones={account: zone_named(zone) for account, zone in zones.items()},
        limits={(limit.account, limit.meter, limit.window): limit for limit in limits},
        holds={hold.id: hold for hold in held},
    )


def _with_balances(books: Books, lines: Iterable[Line]) -> Script[Books]:
    named = [line_document(line) for line in set(lines)]
    rows = yield _READ_BALANCES, {"rows": json.dumps(named)}
    return evolve(books, balances=dict(parse_balance(row) for row in rows))


def _standing_of(account: Account, meter: Meter, at: datetime) -> Script[Books]:
    locked = yield from _locked([account])
    books = yield from _books(locked, [account])
    return (yield from _with_balances(books, lines_shown(books, [account], [meter], at)))


def _write(before: Books, after: Books) -> Script[None]:
    changes = changes_of(before, after)
    if changes.balances:
        yield _WRITE_BALANCE, [balance_document(*pair) for pair in changes.balances.items()]
    if changes.closed:
        yield _CLOSE_HOLD, [{"id": hold_id} for hold_id in changes.closed]
    if changes.opened:
        yield _OPEN_HOLD, [hold_document(hold) for hold in changes.opened]


def _rows(accounts: Iterable[Account]) -> Document:
    return {"rows": json.dumps([account_document(account) for account in _sorted(accounts)])}


def _sorted(accounts: Iterable[Account]) -> list[Account]:
    return sorted(set(accounts), key=lambda a: (a.tenant_id, a.scope, a.id))
