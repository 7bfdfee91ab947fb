from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, strategies as st

from voicesession.core.errors import InvalidValue
from voicesession.core.instants import (
    as_optional_utc,
    as_utc,
    duration_us,
    from_us,
    to_us,
)

AWARE = st.builds(
    lambda microseconds, zone: from_us(microseconds).astimezone(zone),
    st.integers(-(2 * 10**15), 8 * 10**15),
    st.timezones(),
)
NAIVE = st.datetimes()


@given(AWARE)
def test_an_instant_stays_the_same_and_is_told_in_utc(instant: datetime) -> None:
    told = as_utc(instant)
    # Zones compare by their own clock inside an hour that comes twice; offsets do not.
    assert (
        told - instant.replace(tzinfo=timezone(instant.utcoffset() or timedelta())) == timedelta()
    )
    assert told.tzinfo is UTC


@given(NAIVE)
def test_a_datetime_without_a_zone_names_no_instant(naive: datetime) -> None:
    with pytest.raises(InvalidValue) as refusal:
        as_utc(naive)
    assert refusal.value.value is naive
    assert refusal.value.allowed == "a datetime with a time zone"


@pytest.mark.parametrize(
    "outside",
    [
        datetime.max.replace(tzinfo=timezone(timedelta(hours=-1))),
        datetime.min.replace(tzinfo=timezone(timedelta(hours=1))),
    ],
)
def test_an_instant_that_utc_has_no_year_for_is_refused(outside: datetime) -> None:
    with pytest.raises(InvalidValue, match="years 1 to 9999"):
        as_utc(outside)


def test_no_instant_stays_no_instant() -> None:
    assert as_optional_utc(None) is None
    zurich = datetime(2026, 7, 1, 12, tzinfo=ZoneInfo("Europe/Zurich"))
    assert as_optional_utc(zurich) == datetime(2026, 7, 1, 10, tzinfo=UTC)


@given(AWARE)
def test_microseconds_lose_nothing(instant: datetime) -> None:
    assert from_us(to_us(as_utc(instant))) == as_utc(instant)
    assert from_us(to_us(as_utc(instant))).tzinfo is UTC


@given(st.integers(-62_135_596_800_000_000, 253_402_300_799_999_999))
def test_every_whole_microsecond_has_its_instant(microseconds: int) -> None:
    assert to_us(from_us(microseconds)) == microseconds


@given(AWARE.map(as_utc), AWARE.map(as_utc))
def test_microseconds_are_in_the_order_of_the_instants(one: datetime, other: datetime) -> None:
    assert (to_us(one) < to_us(other)) == (one < other)


def test_microseconds_count_from_1970() -> None:
    assert to_us(datetime(1970, 1, 1, tzinfo=UTC)) == 0
    assert from_us(1_000_001) == datetime(1970, 1, 1, 0, 0, 1, 1, tzinfo=UTC)
    assert from_us(-1) == datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)


@pytest.mark.parametrize(
    "wrong", [1.5, 1.0, True, "1", None, 10**30, -(10**30), 253_402_300_800_000_000]
)
def test_what_is_no_microsecond_of_a_known_year_has_no_instant(wrong: Any) -> None:
    with pytest.raises(InvalidValue, match="whole microseconds since 1970"):
        from_us(wrong)


@given(st.timedeltas())
def test_a_duration_is_whole_microseconds(duration: timedelta) -> None:
    assert timedelta(microseconds=duration_us(duration)) == duration
