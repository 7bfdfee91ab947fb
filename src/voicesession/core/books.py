"""
The books: what limits spending and what has been spent, and what an entry moves in them.

An account counts by day and by month, a session as a whole; each of these is a `Line`. Books may
hold only what a decision needs, so a store loads those rows. What comes of a decision are
`Moves`: by how much each line grows, whatever stands in it. So a line that has no limit need not
be read to be written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from typing import Final, TypeAlias

from attrs import evolve, field, frozen

from .accounts import Account, Balance, Hold, HoldId, Limit, Line, Scope, windows_of
from .instants import as_utc
from .meters import Meter
from .windows import Window, period_at

__all__ = (
    "NOTHING",
    "Books",
    "LimitKey",
    "Moves",
    "dates_at",
    "line_named",
    "lines_at",
    "lines_by_meter",
)

NOTHING: Final = Balance()
"""What stands in a line that nobody has booked in."""

LimitKey: TypeAlias = tuple[Account, Meter, Window]


@frozen(kw_only=True)
class Books:
    """Everything that decides about spending. Empty books limit nothing.

    Attributes:
        zones: The time zones of accounts; UTC where there is none.
        limits: By account, meter and window.
        balances: What stands in each line; nothing in those that are not here.
    """

    zones: Mapping[Account, tzinfo] = field(factory=dict[Account, tzinfo])
    limits: Mapping[LimitKey, Limit] = field(factory=dict[LimitKey, Limit])
    balances: Mapping[Line, Balance] = field(factory=dict[Line, Balance])
    holds: Mapping[HoldId, Hold] = field(factory=dict[HoldId, Hold])

    def after(self, moves: Moves) -> Books:
        """Return the books in which *moves* are booked.

        Raises:
            InvalidValue: A line would come to more than a store can keep.
        """
        closed = frozenset(moves.closed)
        holds = {hold_id: hold for hold_id, hold in self.holds.items() if hold_id not in closed}
        return evolve(
            self,
            balances={**self.balances, **moves.balances(self.balances)},
            holds=holds | {hold.id: hold for hold in moves.opened},
        )


@frozen(kw_only=True)
class Moves:
    """What is different after something was booked.

    Attributes:
        lines: By how much more is spent, and held, in each line; less than nothing where it is
            given back.
        opened: New holds.
        closed: Holds that are gone.
    """

    lines: Mapping[Line, tuple[int, int]] = field(factory=dict[Line, tuple[int, int]])
    opened: tuple[Hold, ...] = ()
    closed: tuple[HoldId, ...] = ()

    def balances(self, before: Mapping[Line, Balance]) -> dict[Line, Balance]:
        """Return what stands in each of the lines, if *before* is what stood there.

        Raises:
            InvalidValue: It is more than a store can keep.
        """
        after: dict[Line, Balance] = {}
        for line, (spent, held) in self.lines.items():
            stood = before.get(line, NOTHING)
            after[line] = Balance(stood.spent + spent, stood.held + held)
        return after


def lines_at(
    books: Books, accounts: Iterable[Account], meter: Meter, at: datetime
) -> tuple[Line, ...]:
    """Return the lines in which *accounts* count *meter* at *at*, given their zones in *books*.

    Raises:
        InvalidValue: *at* is naive.
    """
    return lines_by_meter(books, accounts, [meter], at)[meter]


def lines_by_meter(
    books: Books, accounts: Iterable[Account], meters: Iterable[Meter], at: datetime
) -> dict[Meter, tuple[Line, ...]]:
    """Return the lines in which *accounts* count each of *meters*; see `lines_at`."""
    at, zones = as_utc(at), books.zones
    dated = tuple(
        (account, dates_at(at, zones.get(account, UTC))) for account in dict.fromkeys(accounts)
    )
    return {meter: _lines(dated, meter) for meter in meters}


@lru_cache(maxsize=64)
def dates_at(at: datetime, zone: tzinfo) -> tuple[str, str]:
    """Return the names of the day and of the month that *at* falls into, as *zone* has it."""
    return period_at(Window.DAY, at, zone).name, period_at(Window.MONTH, at, zone).name


def line_named(account: Account, meter: Meter, window: Window, period: str) -> Line:
    """Return the line of this name.

    Of a user or a tenant it is mostly the same object, which is found faster in books. A session
    comes and goes, and a thousand short ones would push out what is asked for again.
    """
    if account.scope is Scope.SESSION:
        return Line(account, meter, window, period)
    return _lasting_line(account, meter, window, period)


_lasting_line: Final = lru_cache(maxsize=1024)(Line)


# Each entry of a session asks for the same few lines again, until its day is over.
@lru_cache(maxsize=512)
def _lines(dated: tuple[tuple[Account, tuple[str, str]], ...], meter: Meter) -> tuple[Line, ...]:
    return tuple(line for account, dates in dated for line in _lines_of(account, dates, meter))


def _lines_of(account: Account, dates: tuple[str, str], meter: Meter) -> tuple[Line, ...]:
    if account.scope is Scope.SESSION:
        return (line_named(account, meter, Window.SESSION, ""),)
    return _lasting_lines(account, dates, meter)


# A session that begins is one of many that its tenant pays for.
@lru_cache(maxsize=512)
def _lasting_lines(account: Account, dates: tuple[str, str], meter: Meter) -> tuple[Line, ...]:
    day, month = dates
    periods = {Window.SESSION: "", Window.DAY: day, Window.MONTH: month}
    return tuple(
        line_named(account, meter, window, periods[window]) for window in windows_of(account, meter)
    )
