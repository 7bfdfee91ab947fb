"""Instants and durations: aware UTC outside, whole microseconds where they are stored."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from .errors import InvalidValue

__all__ = (
    "as_optional_utc",
    "as_utc",
    "duration_us",
    "from_us",
    "to_us",
)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_US: Final = timedelta(microseconds=1)


def as_utc(value: datetime) -> datetime:
    """Return the same instant in UTC.

    Raises:
        InvalidValue: *value* has no time zone, so it names no instant; or it lies before
            year 1 or after year 9999 in UTC.
    """
    if value.tzinfo is UTC:  # as nearly all are
        return value
    if value.utcoffset() is None:
        raise InvalidValue("instant", value, "a datetime with a time zone")
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise InvalidValue("instant", value, "the years 1 to 9999 in UTC") from None


def as_optional_utc(value: datetime | None) -> datetime | None:
    """Return the same instant in UTC, or None for None."""
    return None if value is None else as_utc(value)


def to_us(instant: datetime) -> int:
    """Return whole microseconds since 1970: exact, and in the same order everywhere."""
    return (instant - _EPOCH) // _US


def from_us(microseconds: int) -> datetime:
    """Return the instant that is *microseconds* after the start of 1970, in UTC.

    Raises:
        InvalidValue: It is no whole number, or the instant lies outside the years 1 to 9999.
    """
    allowed = "whole microseconds since 1970, in the years 1 to 9999"
    if type(microseconds) is not int:
        raise InvalidValue("instant", microseconds, allowed)
    try:
        return _EPOCH + microseconds * _US
    except OverflowError:
        raise InvalidValue("instant", microseconds, allowed) from None


def duration_us(duration: timedelta) -> int:
    """Return *duration* in whole microseconds, exactly."""
    return duration // _US
