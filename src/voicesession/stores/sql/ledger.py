"""
The books in a relational database.

Whoever books locks the rows of all accounts it touches, sorted, before it reads anything that it
decides on; so two entries never see half of each other, and never wait for each other in a
ring. What they come to is decided by `voicesession.core.ledger`.

Only what is limited is read, with its limit. What an entry moves is added to the rows where they
are, so most of them are written and never read.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import Any, Final

from attrs import evolve
from sqlalchemy import (
    BigInteger,
    Column,
    Table,
    Text,
    and_,
    bindparam,
    case,
    delete,
    func,
    insert,
    literal_column,
    select,
)
from sqlalchemy.sql import ColumnElement, Select

from ...core import budget
from ...core.accounts import Account, Hold, Limit, Line, Scope, Standing
from ...core.books import Books, Moves, dates_at
from ...core.identity import SessionId, TenantId
from ...core.instants import as_utc, to_us
from ...core.ledger import LedgerEntry, Posted, accounts_of, decide
from ...core.meters import Meter
from ...core.windows import Window
from ..bookkeeping import holds_named, holds_of, lines_shown, shown, zone_named
from ..codec import Document, Stored
from ..records import (
    account_document,
    hold_document,
    limit_document,
    line_document,
    parse_account,
    parse_balance,
    parse_hold,
    parse_limited,
)
from .database import Database, Script
from .schema import ACCOUNTS, BALANCES, HOLDS, LIMITS
from .statement import SqlDialect, Statement, all_of, names_of, stored

__all__ = ("SqlLedger", "locked")

_ACCOUNT: Final = ("tenant_id", "scope", "account_id")
_LIMIT: Final = (*_ACCOUNT, "meter", "window")
_LINE: Final = (*_LIMIT, "period")
_HOLD: Final = ("id",)


def _named(sql: SqlDialect, table: Table, key: Sequence[str]) -> Select[Any]:
    """Rows of *table* that have one of the keys given as ``rows``."""
    given = sql.rows("rows", *(Column(name, Text) for name in key))
    return select(*all_of(sql, table)).join_from(
        table, given, and_(*(table.c[name] == given.c[name] for name in key))
    )


def _locked_accounts(sql: SqlDialect) -> Select[Any]:
    order = (ACCOUNTS.c[name] for name in _ACCOUNT)
    return _named(sql, ACCOUNTS, _ACCOUNT).order_by(*order).with_for_update(of=ACCOUNTS)


def _is(table: Table, key: Iterable[str]) -> ColumnElement[bool]:
    return and_(*(table.c[name] == bindparam(name, type_=Text()) for name in key))


def _limited(sql: SqlDialect) -> Select[Any]:
    """Every limit of the accounts given as ``rows``, and what stands in its line on their dates."""
    dates = (Window.DAY.value, Window.MONTH.value)
    given = sql.rows("rows", *(Column(name, Text) for name in (*_ACCOUNT, *dates)))
    period = case(
        *((LIMITS.c.window == literal_column(f"'{name}'"), given.c[name]) for name in dates),
        else_=literal_column("''", Text()),
    )
    stands = and_(*(BALANCES.c[name] == LIMITS.c[name] for name in _LIMIT))
    return (
        select(
            *all_of(sql, LIMITS),
            period.label("period"),
            *(
                func.coalesce(BALANCES.c[name], literal_column("0", BigInteger())).label(name)
                for name in ("spent", "held")
            ),
        )
        .join_from(LIMITS, given, and_(*(LIMITS.c[name] == given.c[name] for name in _ACCOUNT)))
        .outerjoin(BALANCES, and_(stands, BALANCES.c.period == period))
    )


_READ_ACCOUNTS: Final = Statement(lambda sql: _named(sql, ACCOUNTS, _ACCOUNT))
_LOCK_ACCOUNTS: Final = Statement(_locked_accounts)
_OPEN_ACCOUNT: Final = Statement(lambda sql: sql.upsert(ACCOUNTS, _ACCOUNT, []))
_SET_ZONE: Final = Statement(lambda sql: sql.upsert(ACCOUNTS, _ACCOUNT, ["zone"]))
_READ_LIMITED: Final = Statement(_limited)
_SET_LIMIT: Final = Statement(lambda sql: sql.upsert(LIMITS, _LIMIT, ["amount", "warn_at"]))
_DROP_LIMIT: Final = Statement(lambda _: delete(LIMITS).where(_is(LIMITS, _LIMIT)))
_READ_BALANCES: Final = Statement(lambda sql: _named(sql, BALANCES, _LINE))
_ADD_TO_BALANCE: Final = Statement(lambda sql: sql.addition(BALANCES, _LINE, ["spent", "held"]))
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
        accounts = accounts_of(entry, ())
        while True:
            try:
                return await self._database.write(partial(_post, entry, accounts))
            except _HeldElsewhere as found:
                accounts = found.accounts

    async def release_session(
        self, tenant_id: TenantId, session_id: SessionId, /, *, audio_used_us: int = 0
    ) -> None:
        session = Account(Scope.SESSION, session_id, tenant_id)
        named = {"tenant_id": tenant_id, "session_id": session_id}
        moved = partial(budget.wind_up, session=session, audio_used_us=audio_used_us)
        lines = [budget.audio_line(session)]
        await self._database.write(lambda: _give_back(_HOLDS_OF_SESSION, named, moved, lines))

    async def expire_holds(self, at: datetime, /) -> int:
        until = {"at": to_us(as_utc(at))}
        return await self._database.write(lambda: _give_back(_HOLDS_UNTIL, until, _all))

    async def standings(
        self, accounts: Iterable[Account], meters: Iterable[Meter], /, *, at: datetime
    ) -> Sequence[Standing]:
        accounts, meters = tuple(accounts), tuple(meters)

        def script() -> Script[Sequence[Standing]]:
            books = yield from _books((yield _READ_ACCOUNTS, _rows(accounts)), accounts, at)
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
            yield from locked([account])
            named = account_document(account)
            yield _DROP_LIMIT, {**named, "meter": meter.value, "window": window.value}

        await self._database.write(script)

    async def set_zone(self, account: Account, zone: str, /) -> None:
        zone_named(zone)

        def script() -> Script[None]:
            yield _SET_ZONE, {**account_document(account), "zone": zone}

        await self._database.write(script)


class _HeldElsewhere(Exception):
    """The holds of an entry lie in more accounts than are locked: it has to begin anew."""

    def __init__(self, accounts: tuple[Account, ...]) -> None:
        super().__init__(accounts)
        self.accounts = accounts


def _post(entry: LedgerEntry, accounts: tuple[Account, ...]) -> Script[Posted]:
    rows = yield from locked(accounts)
    # Only now does nobody else change them. They lie nearly always in accounts of the entry.
    held = yield from _held(entry)
    if elsewhere := _accounts_in(held).difference(accounts):
        raise _HeldElsewhere(tuple(_sorted({*accounts, *elsewhere})))
    before = yield from _books(rows, accounts, entry.at, held)
    moves, posted = decide(before, entry)
    yield from _write(moves)
    return posted


def _held(entry: LedgerEntry) -> Script[tuple[Hold, ...]]:
    if not (names := holds_named(entry)):
        return ()
    named = {"rows": json.dumps([{"id": hold_id} for hold_id in names])}
    return holds_of(entry, map(parse_hold, (yield _READ_HOLDS, named)))


def _give_back(
    which: Statement,
    values: Document,
    moved: Callable[[Books], Moves],
    lines: Iterable[Line] = (),
) -> Script[int]:
    """Have *moved* close the holds that are found, given these *lines*; return how many."""
    found = yield which, values
    if not found:
        return 0
    yield from locked(_accounts_in(map(parse_hold, found)))
    named = {"rows": json.dumps([{"id": row["id"]} for row in found])}
    still_there = yield _READ_HOLDS, named
    held = [parse_hold(row) for row in still_there]
    before = Books(holds={hold.id: hold for hold in held})
    before = yield from _with_balances(before, lines)
    yield from _write(moved(before))
    return len(held)


def _all(books: Books) -> Moves:
    return budget.give_back(books.holds.values())


def _accounts_in(holds: Iterable[Hold]) -> set[Account]:
    return {line.account for hold in holds for line in hold.lines}


def locked(accounts: Collection[Account]) -> Script[Sequence[Stored]]:
    """Lock the rows of *accounts*, making those that are missing, and return them."""
    named = _rows(accounts)
    found = yield _LOCK_ACCOUNTS, named
    if len(found) < len(set(accounts)):
        there = {parse_account(row) for row in found}
        missing = [account for account in _sorted(accounts) if account not in there]
        yield _OPEN_ACCOUNT, [{**account_document(account), "zone": None} for account in missing]
        found = yield _LOCK_ACCOUNTS, named
    return found


def _books(
    rows: Sequence[Stored], accounts: Collection[Account], at: datetime, held: Iterable[Hold] = ()
) -> Script[Books]:
    """Return what decides about *accounts* at *at*: of their lines those that are limited."""
    zones = {parse_account(row): zone_named(row["zone"]) for row in rows if row["zone"] is not None}
    dated = tuple((account, *dates_at(at, zones.get(account, UTC))) for account in accounts)
    limited = [parse_limited(row) for row in (yield _READ_LIMITED, {"rows": _dated(dated)})]
    return Books(
        zones=zones,
        limits={(limit.account, limit.meter, limit.window): limit for limit, _, _ in limited},
        balances={line: balance for _, line, balance in limited},
        holds={hold.id: hold for hold in held},
    )


def _with_balances(books: Books, lines: Iterable[Line]) -> Script[Books]:
    named = [line_document(line) for line in set(lines)]
    rows = (yield _READ_BALANCES, {"rows": json.dumps(named)}) if named else ()
    return evolve(books, balances=dict(map(parse_balance, rows)))


def _standing_of(account: Account, meter: Meter, at: datetime) -> Script[Books]:
    rows = yield from locked([account])
    books = yield from _books(rows, [account], at)
    return (yield from _with_balances(books, lines_shown(books, [account], [meter], at)))


def _write(moves: Moves) -> Script[None]:
    if moves.lines:
        yield (
            _ADD_TO_BALANCE,
            [
                {**line_document(line), "spent": spent, "held": held}
                for line, (spent, held) in moves.lines.items()
            ],
        )
    if moves.closed:
        yield _CLOSE_HOLD, [{"id": hold_id} for hold_id in moves.closed]
    if moves.opened:
        yield _OPEN_HOLD, [hold_document(hold) for hold in moves.opened]


def _rows(accounts: Iterable[Account]) -> Document:
    return {"rows": _named_rows(tuple(accounts))}


# The accounts of a session are named with each of its entries.
@lru_cache(maxsize=1024)
def _named_rows(accounts: tuple[Account, ...]) -> str:
    return json.dumps([account_document(account) for account in _sorted(accounts)])


@lru_cache(maxsize=1024)
def _dated(accounts: tuple[tuple[Account, str, str], ...]) -> str:
    return json.dumps(
        [
            {**account_document(account), Window.DAY: day, Window.MONTH: month}
            for account, day, month in accounts
        ]
    )


def _sorted(accounts: Iterable[Account]) -> list[Account]:
    return sorted(set(accounts), key=lambda a: (a.tenant_id, a.scope, a.id))
