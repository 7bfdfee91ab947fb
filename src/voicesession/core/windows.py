"""
The stretches of time after which a budget begins anew, in the time zone of its account.

A day runs from one local midnight to the next, so it has 23 or 25 hours when the clocks
change, and a month from the midnight of its first day. Days follow each other without a
hole, also where the clocks go back over midnight: a day that has begun stays begun. A
midnight that the clocks skip, or show twice, is read as PEP 495 does with ``fold=0``.

Windows are named by their local date. An account that moves to another zone goes on in the
window of the date that it has there, with what was spent under that date before; so nobody
gets the same day twice by moving to and fro.

The zone is a ``tzinfo`` and not a name, because finding a zone by its name reads files:
whoever takes the name from a user does that, and refuses a zone that does not exist.
"""

from __future__ import annotations

from datetime import MAXYEAR, MINYEAR, UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from typing import Final

from attrs import frozen

from .errors import InvalidValue
from .fields import Vocabulary
from .instants import as_utc

__all__ = ("Period", "Window", "period_at")

_ONE_DAY: Final = timedelta(days=1)
_LONGEST_MONTH: Final = timedelta(days=31)


class Window(Vocabulary):
    """How long a limit holds before it begins anew; a session's never does."""

    SESSION = "session"
    DAY = "day"
    MONTH = "month"


@frozen(kw_only=True)
class Period:
    """One window in time.

    Attributes:
        name: ``2026-11-21``, ``2026-11``, or nothing for a session. Stored.
        starts_at: Its first instant; None for a session.
        ends_at: The first instant of the next one; None for a session.
    """

    window: Window
    name: str
    starts_at: datetime | None
    ends_at: datetime | None


def period_at(window: Window, at: datetime, zone: tzinfo) -> Period:
    """Return the period of *window* that *at* falls into, where the local time is *zone*'s.

    Raises:
        InvalidValue: *at* is naive, or lies in the first or the last year there is.
    """
    if window is Window.SESSION:
        return Period(window=window, name="", starts_at=None, ends_at=None)
    at = as_utc(at)
    if not MINYEAR < at.year < MAXYEAR:
        raise InvalidValue("at", at, f"the years {MINYEAR + 1} to {MAXYEAR - 1}")
    first = _first_day(window, at.astimezone(zone).date())
    starts_at, ends_at = _bounds(window, first, zone)
    if at < starts_at:
        first = _first_day(window, first - _ONE_DAY)
    elif at >= ends_at:
        first = _following(window, first)
    return _period(window, first, zone)


# Whoever books today asks for the same day and month again and again.
@lru_cache(maxsize=256)
def _period(window: Window, first: date, zone: tzinfo) -> Period:
    starts_at, ends_at = _bounds(window, first, zone)
    name = first.isoformat() if window is Window.DAY else f"{first:%Y-%m}"
    return Period(window=window, name=name, starts_at=starts_at, ends_at=ends_at)


@lru_cache(maxsize=256)
def _bounds(window: Window, first: date, zone: tzinfo) -> tuple[datetime, datetime]:
    return _midnight(first, zone), _midnight(_following(window, first), zone)


def _first_day(window: Window, day: date) -> date:
    return day if window is Window.DAY else day.replace(day=1)


def _following(window: Window, first: date) -> date:
    if window is Window.DAY:
        return first + _ONE_DAY
    return (first + _LONGEST_MONTH).replace(day=1)


def _midnight(day: date, zone: tzinfo) -> datetime:
    return datetime.combine(day, time(tzinfo=zone)).astimezone(UTC)
