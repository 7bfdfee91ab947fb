"""
Who may spend how much, and what has been spent: exact, and never more than there is.

* An *account* is a session, a user or a tenant. What a session uses counts in all accounts
  that apply to it, so each of them may have limits, and the tightest one wins.
* An account counts by day and by month whether it has a limit or not, so a limit that is
  set at noon knows the morning. A session counts as a whole, and so do concurrency slots
  (the meter ``sessions``), which are held and given back but never spent.
* What is *reserved* is granted only as far as every limit has room, and held until it is
  settled, released or expired. Audio is settled for at most what was held, so that by
  reserving and settling ``spent + held`` never passes a limit.
* What is *charged*, or settled for another meter, has happened already: it is booked in
  full, and may pass a limit.
* A hold is settled in the windows it was reserved in, whatever the time or the account's
  zone is by then.

Every function returns new books and leaves the old ones as they are. Books may hold only
what a function touches, so a store can load those rows, and write back what has changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from typing import Final, TypeAlias

from attrs import evolve, field, frozen

from .accounts import Account, Balance, Hold, HoldId, Level, Limit, Line, Standing, windows_of
from .errors import InvalidValue
from .instants import as_utc
from .meters import Meter, quantity
from .windows import Window, period_at

__all__ = (
    "Books",
    "Posting",
    "Reservation",
    "charge",
    "drop_limit",
    "expire",
    "limited",
    "lines_at",
    "raise_limit",
    "release",
    "reserve",
    "set_limit",
    "set_zone",
    "settle",
    "settle_session",
    "standings",
    "tightest",
)

_NOTHING: Final = Balance()

_LimitKey: TypeAlias = tuple[Account, Meter, Window]


@frozen(kw_only=True)
class Books:
    """Everything that decides about spending. Empty books limit nothing.

    Attributes:
        zones: The time zones of accounts; UTC where there is none.
        limits: By account, meter and window.
    """

    zones: Mapping[Account, tzinfo] = field(factory=dict[Account, tzinfo])
    limits: Mapping[_LimitKey, Limit] = field(factory=dict[_LimitKey, Limit])
    balances: Mapping[Line, Balance] = field(factory=dict[Line, Balance])
    holds: Mapping[HoldId, Hold] = field(factory=dict[HoldId, Hold])


@frozen(kw_only=True)
class Reservation:
    """What came of asking for something.

    Attributes:
        hold: None if nothing was granted; then the books are as before.
        tightest: Where the least is left once this is granted, of all that have a limit; it
            is what bounded the grant, if anything did. None where nothing has a limit.
    """

    books: Books
    hold: Hold | None
    tightest: Standing | None

    @property
    def granted(self) -> int:
        """How much was granted: all that was asked for, or what was left."""
        return 0 if self.hold is None else self.hold.amount


@frozen(kw_only=True)
class Posting:
    """The books after something was booked.

    Attributes:
        risen: Where a limit of a current window has come to a higher level by this. Each
            armed limit warns once in a window, and is exhausted once.
    """

    books: Books
    risen: tuple[Standing, ...] = ()


def standings(
    books: Books, accounts: Iterable[Account], meter: Meter, at: datetime
) -> tuple[Standing, ...]:
    """Return where *accounts* stand on *meter* in each of their windows that *at* falls into.

    Raises:
        InvalidValue: *at* is naive.
    """
    return tuple(_standing(books, line) for line in lines_at(books, accounts, meter, at))


def limited(
    books: Books, accounts: Iterable[Account], meter: Meter, at: datetime
) -> tuple[Standing, ...]:
    """Return those of `standings` that have a limit.

    Raises:
        InvalidValue: *at* is naive.
    """
    return _limited(books, lines_at(books, accounts, meter, at))


def lines_at(
    books: Books, accounts: Iterable[Account], meter: Meter, at: datetime
) -> tuple[Line, ...]:
    """Return the lines in which *accounts* count *meter* at *at*, given their zones in *books*.

    Raises:
        InvalidValue: *at* is naive.
    """
    at = as_utc(at)
    zones = books.zones
    return tuple(
        line
        for account in dict.fromkeys(accounts)
        for line in _lines(account, meter, zones.get(account, UTC), at)
    )


def reserve(
    books: Books,
    accounts: Iterable[Account],
    meter: Meter,
    amount: int,
    *,
    hold_id: HoldId,
    at: datetime,
    expires_at: datetime | None = None,
) -> Reservation:
    """Set *amount* aside in all *accounts*, or as much of it as every one of them has left.

    Args:
        accounts: All that apply. Of several that are equally tight the first is named.
        hold_id: Names the hold from now on; it must be new.

    Raises:
        InvalidValue: The amount is not a positive whole number, the hold exists, or *at*
            is naive.
    """
    quantity(meter, amount, at_least=1)
    if hold_id in books.holds:
        raise InvalidValue("hold_id", hold_id, "one that is not held")
    lines = lines_at(books, accounts, meter, at)
    left = tightest(_limited(books, lines))
    granted = amount if left is None else min(amount, left.remaining or 0)
    hold = None
    if granted:
        hold = Hold(id=hold_id, meter=meter, amount=granted, lines=lines, expires_at=expires_at)
        books = evolve(_booked(books, lines, held=granted), holds={**books.holds, hold_id: hold})
    return Reservation(books=books, hold=hold, tightest=tightest(_limited(books, lines)))


def settle(books: Books, hold_id: HoldId, used: int, *, at: datetime) -> Posting:
    """Book *used* where it was reserved, and give the rest of the hold back.

    Raises:
        InvalidValue: The hold is not open: it was settled, released or has expired. Or
            *used* is no whole number, or more audio than was held, or a slot; or *at* is
            naive.
    """
    at = as_utc(at)
    hold = _open(books, hold_id)
    _spendable(hold.meter, used)
    if hold.meter is Meter.AUDIO_US and used > hold.amount:
        raise InvalidValue("used", used, f"at most {hold.amount}, which was reserved")
    settled = _booked(_without(books, hold), hold.lines, spent=used)
    return Posting(books=settled, risen=_risen(books, settled, hold.lines, at))


def release(books: Books, hold_id: HoldId) -> Books:
    """Give a hold back unused.

    Raises:
        InvalidValue: The hold is not open.
    """
    return _without(books, _open(books, hold_id))


def settle_session(books: Books, session: Account, *, audio_used_us: int = 0) -> Books:
    """Give back all holds in which *session* has a part, but what it is known to have used.

    For a session whose worker was lost: it had told now and then how much audio it had used in
    all, and what of that is not booked yet is taken out of the holds, never more than they are.
    Done twice it books nothing twice. Nobody is there to be warned of a level.
    """
    line = Line(session, Meter.AUDIO_US, Window.SESSION, "")
    unbooked = max(0, audio_used_us - books.balances.get(line, _NOTHING).spent)
    for hold in sorted(books.holds.values(), key=lambda hold: hold.id):
        if any(each.account == session for each in hold.lines):
            used = min(hold.amount, unbooked) if hold.meter is Meter.AUDIO_US else 0
            unbooked -= used
            books = _booked(_without(books, hold), hold.lines, spent=used)
    return books


def expire(books: Books, at: datetime) -> Books:
    """Give back all holds that have expired at *at*.

    Raises:
        InvalidValue: *at* is naive.
    """
    at = as_utc(at)
    for hold in books.holds.values():
        if hold.expires_at is not None and hold.expires_at <= at:
            books = _without(books, hold)
    return books


def charge(
    books: Books, accounts: Iterable[Account], meter: Meter, used: int, *, at: datetime
) -> Posting:
    """Book *used*, which has happened already, in all *accounts*.

    Nothing refuses it, so it may pass a limit. To charge in pieces is the same as to charge
    the sum.

    Raises:
        InvalidValue: *used* is no whole number, or a slot; or *at* is naive.
    """
    _spendable(meter, used)
    lines = lines_at(books, accounts, meter, at)
    if not used:
        return Posting(books=books)
    charged = _booked(books, lines, spent=used)
    return Posting(books=charged, risen=_risen(books, charged, lines, at))


def set_limit(books: Books, limit: Limit, *, at: datetime) -> Posting:
    """Arm *limit*, in place of the one before it.

    It tells at once where it stands, if that is a warning or exhaustion. The same limit
    again is not armed anew and tells nothing.

    Raises:
        InvalidValue: *at* is naive.
    """
    key = (limit.account, limit.meter, limit.window)
    if books.limits.get(key) == limit:
        return Posting(books=books)
    armed = evolve(books, limits={**books.limits, key: limit})
    found = limited(armed, [limit.account], limit.meter, at)
    risen = (each for each in found if each.limit is limit and each.level is not Level.OK)
    return Posting(books=armed, risen=tuple(risen))


def raise_limit(
    books: Books, account: Account, meter: Meter, window: Window, by: int, *, at: datetime
) -> Posting:
    """Arm a limit anew, *by* units higher than it is.

    Raises:
        InvalidValue: There is no such limit, *by* is not a positive whole number, or *at*
            is naive.
    """
    quantity(meter, by, at_least=1)
    limit = books.limits.get((account, meter, window))
    if limit is None:
        raise InvalidValue("limit", f"{account.scope} {meter} {window}", "one that is set")
    return set_limit(books, evolve(limit, amount=limit.amount + by), at=at)


def drop_limit(books: Books, account: Account, meter: Meter, window: Window) -> Books:
    """Let the account spend without this limit; nothing happens if there is none."""
    dropped = (account, meter, window)
    return evolve(books, limits={k: limit for k, limit in books.limits.items() if k != dropped})


def set_zone(books: Books, account: Account, zone: tzinfo) -> Books:
    """Let the windows of *account* begin at midnight in *zone* from now on.

    What is spent stays where it is, and so does what is held: see `windows` for what
    becomes of a day that has begun.

    Raises:
        InvalidValue: *zone* is only the name of one.
    """
    if not isinstance(zone, tzinfo):  # pyright: ignore[reportUnnecessaryIsInstance]  # a name is easily passed
        raise InvalidValue("zone", zone, "a tzinfo, such as zoneinfo makes of a name")
    return evolve(books, zones={**books.zones, account: zone})


# One entry asks for the same few lines again and again: for the rows that it needs, when it
# books and when it tells of limits. The next entry mostly finds them as they were.
@lru_cache(maxsize=256)
def _lines(account: Account, meter: Meter, zone: tzinfo, at: datetime) -> tuple[Line, ...]:
    return tuple(
        _line(account, meter, window, period_at(window, at, zone).name)
        for window in windows_of(account, meter)
    )


@lru_cache(maxsize=1024)
def _line(account: Account, meter: Meter, window: Window, period: str) -> Line:
    return Line(account, meter, window, period)


def _standing(books: Books, line: Line) -> Standing:
    balance = books.balances.get(line, _NOTHING)
    return Standing(
        line=line,
        limit=books.limits.get((line.account, line.meter, line.window)),
        spent=balance.spent,
        held=balance.held,
    )


def _limited(books: Books, lines: Iterable[Line]) -> tuple[Standing, ...]:
    limits = books.limits
    return tuple(
        _standing(books, line)
        for line in lines
        if (line.account, line.meter, line.window) in limits
    )


def tightest(limited: Iterable[Standing]) -> Standing | None:
    """Return the one with the least room; None where nothing is limited."""
    return min(limited, key=lambda standing: standing.remaining or 0, default=None)


def _booked(books: Books, lines: Iterable[Line], *, spent: int = 0, held: int = 0) -> Books:
    changed: dict[Line, Balance] = {}
    for line in lines:
        before = books.balances.get(line, _NOTHING)
        changed[line] = Balance(before.spent + spent, before.held + held)
    return evolve(books, balances={**books.balances, **changed})


def _open(books: Books, hold_id: HoldId) -> Hold:
    hold = books.holds.get(hold_id)
    if hold is None:
        raise InvalidValue("hold_id", hold_id, "one that is held")
    return hold


def _without(books: Books, hold: Hold) -> Books:
    holds = {hold_id: other for hold_id, other in books.holds.items() if hold_id != hold.id}
    return evolve(_booked(books, hold.lines, held=-hold.amount), holds=holds)


def _spendable(meter: Meter, used: int) -> None:
    quantity(meter, used)
    if meter is Meter.SESSIONS:
        raise InvalidValue("meter", meter, "one that is spent; a slot is held and released")


def _risen(
    before: Books, after: Books, lines: Sequence[Line], at: datetime
) -> tuple[Standing, ...]:
    """Return where the level has changed; it can only have risen, as spending never shrinks."""
    return tuple(
        standing
        for standing in _limited(after, lines)
        if standing.level is not _standing(before, standing.line).level
        # What is settled in a window that has passed stops nobody now.
        and standing.line in lines_at(after, [standing.line.account], standing.line.meter, at)
    )
