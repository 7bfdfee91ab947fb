"""Instants, durations and counts: aware UTC outside, whole numbers where they are stored."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from attrs import Attribute, Converter

from .errors import InvalidValue

__all__ = (
    "as_optional_utc",
    "as_utc",
    "duration_us",
    "from_us",
    "is_count",
    "naming_fields",
    "to_us",
)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_US: Final = timedelta(microseconds=1)
_LARGEST_STORED: Final = 2**63 - 1


def as_utc(value: datetime) -> datetime:
    """Return the same instant in UTC.

    Raises:
        InvalidValue: *value* has no time zone, so it names no instant; or it lies before
            year 1 or after year 9999 in UTC.
    """
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


def is_count(_instance: object, attribute: Any, value: Any) -> None:
    """Attrs validator: a whole number that is not negative and that every store can keep.

    Raises:
        InvalidValue: It is something else; a bool and a float are no counts.
    """
    if type(value) is not int or not 0 <= value <= _LARGEST_STORED:
        raise InvalidValue(attribute.name, value, "a whole number from 0 to 2^63 - 1")


def naming_fields(_owner: type, attributes: list[Any]) -> list[Any]:
    """Attrs hook (``field_transformer``): what a converter refuses is told by the field's name.

    A converter sees a value and not where it will stand, so by itself it can only say
    "instant" where a caller with twelve of them needs ``token_expiry``.
    """
    return [
        attribute.evolve(converter=Converter(_naming(attribute.converter), takes_field=True))
        if attribute.converter and not attribute.inherited
        else attribute
        for attribute in attributes
    ]


def _naming(convert: Callable[[Any], Any]) -> Callable[[Any, Attribute[Any]], Any]:
    def convert_for(value: Any, attribute: Attribute[Any]) -> Any:
        try:
            return convert(value)
        except InvalidValue as refusal:
            raise InvalidValue(attribute.name, value, refusal.allowed) from None

    return convert_for
