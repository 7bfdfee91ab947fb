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

Every function returns new books and leaves the old ones as they are.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, tzinfo

from attrs import evolve, frozen

from .accounts import Account, Hold, HoldId, Level, Limit, Line, Standing
from .books import NOTHING, Books, Moves, lines_at
from .draft import Draft, check_spendable
from .errors import InvalidValue
from .instants import as_utc
from .meters import Meter, quantity
from .windows import Window

__all__ = (
    "Posting",
    "Reservation",
    "audio_line",
    "charge",
    "drop_limit",
    "expire",
    "give_back",
    "limited",
    "raise_limit",
    "release",
    "reserve",
    "set_limit",
    "set_zone",
    "settle",
    "settle_session",
    "standings",
    "wind_up",
)


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
    draft = Draft(books)
    return tuple(draft.standing(line) for line in lines_at(books, accounts, meter, at))


def limited(
    books: Books, accounts: Iterable[Account], meter: Meter, at: datetime
) -> tuple[Standing, ...]:
    """Return those of `standings` that have a limit.

    Raises:
        InvalidValue: *at* is naive.
    """
    return Draft(books).limited(lines_at(books, accounts, meter, at))


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
    draft = Draft(books)
    hold, tight = draft.reserve(
        lines_at(books, accounts, meter, at), amount, hold_id=hold_id, expires_at=expires_at
    )
    return Reservation(
        books=books if hold is None else books.after(draft.moves), hold=hold, tightest=tight
    )


def settle(books: Books, hold_id: HoldId, used: int, *, at: datetime) -> Posting:
    """Book *used* where it was reserved, and give the rest of the hold back.

    Raises:
        InvalidValue: The hold is not open: it was settled, released or has expired. Or
            *used* is no whole number, or more audio than was held, or a slot; or *at* is
            naive.
    """
    draft = Draft(books)
    risen = draft.settle(hold_id, used, at=as_utc(at))
    return Posting(books=books.after(draft.moves), risen=risen)


def release(books: Books, hold_id: HoldId) -> Books:
    """Give a hold back unused.

    Raises:
        InvalidValue: The hold is not open.
    """
    return books.after(give_back([Draft(books).hold(hold_id)]))


def settle_session(books: Books, session: Account, *, audio_used_us: int = 0) -> Books:
    """Give back all holds in which *session* has a part, but what it is known to have used.

    For a session whose worker was lost: it had told now and then how much audio it had used in
    all, and what of that is not booked yet is taken out of the holds, never more than they are.
    Done twice it books nothing twice. Nobody is there to be warned of a level.
    """
    return books.after(wind_up(books, session, audio_used_us=audio_used_us))


def wind_up(books: Books, session: Account, *, audio_used_us: int = 0) -> Moves:
    """Return what `settle_session` moves.

    Args:
        books: With the holds of the session, and what stands in its `audio_line`.
    """
    unbooked = max(0, audio_used_us - books.balances.get(audio_line(session), NOTHING).spent)
    draft = Draft(books)
    for hold in sorted(books.holds.values(), key=lambda hold: hold.id):
        if any(each.account == session for each in hold.lines):
            used = min(hold.amount, unbooked) if hold.meter is Meter.AUDIO_US else 0
            unbooked -= used
            draft.give_back(hold)
            draft.spend(hold.lines, used)
    return draft.moves


def audio_line(session: Account) -> Line:
    """Return the line in which the audio of *session* counts."""
    return Line(session, Meter.AUDIO_US, Window.SESSION, "")


def give_back(holds: Iterable[Hold]) -> Moves:
    """Return what moves when all of *holds* are given back unused."""
    draft = Draft(Books())
    for hold in holds:
        draft.give_back(hold)
    return draft.moves


def expire(books: Books, at: datetime) -> Books:
    """Give back all holds that have expired at *at*.

    Raises:
        InvalidValue: *at* is naive.
    """
    at = as_utc(at)
    return books.after(give_back(hold for hold in books.holds.values() if hold.is_due(at)))


def charge(
    books: Books, accounts: Iterable[Account], meter: Meter, used: int, *, at: datetime
) -> Posting:
    """Book *used*, which has happened already, in all *accounts*.

    Nothing refuses it, so it may pass a limit. To charge in pieces is the same as to charge
    the sum.

    Raises:
        InvalidValue: *used* is no whole number, or a slot; or *at* is naive.
    """
    check_spendable(meter, used)
    draft = Draft(books)
    risen = draft.spend(lines_at(books, accounts, meter, at), used)
    return Posting(books=books.after(draft.moves), risen=risen)


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
