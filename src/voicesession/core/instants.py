"""Instants and durations: aware UTC outside, whole microseconds where they are stored."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

__all__ = ("as_optional_utc", "as_utc", "duration_us", "from_us", "to_us")

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_US: Final = timedelta(microseconds=1)


def as_utc(value: datetime) -> datetime:
    """Return the same instant in UTC.

    Raises:
        ValueError: *value* has no time zone, so it names no instant.
    """
    if value.utcoffset() is None:
        raise ValueError(f"need a timezone-aware datetime, got {value!r}")
    return value.astimezone(UTC)


def as_optional_utc(value: datetime | None) -> datetime | None:
    """Return the same instant in UTC, or None for None."""
    return None if value is None else as_utc(value)


def to_us(instant: datetime) -> int:
    """Return whole microseconds since 1970: exact, and in the same order everywhere."""
    return (instant - _EPOCH) // _US


def from_us(microseconds: int) -> datetime:
    """Return the instant that is *microseconds* after the start of 1970, in UTC."""
    return _EPOCH + microseconds * _US


def duration_us(duration: timedelta) -> int:
    """Return *duration* in whole microseconds, exactly."""
    return duration // _US
