from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings, strategies as st

from voicesession.core.errors import InvalidValue
from voicesession.core.windows import Period, Window, period_at
from voicesession.testing.effort import examples

HOUR = timedelta(hours=1)
TIMED = st.sampled_from([Window.DAY, Window.MONTH])
# Seasons and zones in which clocks change at, before and after midnight, or a day is left out.
ZONES = st.sampled_from(
    [
        *("UTC", "Europe/Berlin", "America/New_York", "America/Havana", "Asia/Beirut"),
        *("Africa/Cairo", "America/Sao_Paulo", "America/St_Johns", "America/Toronto"),
        *("Atlantic/Azores", "America/Nuuk", "Pacific/Apia", "Australia/Lord_Howe"),
    ]
).map(ZoneInfo)
INSTANTS = st.datetimes(
    datetime(1900, 1, 1),  # noqa: DTZ001  # hypothesis puts the zone on
    datetime(2100, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)


def local(text: str, zone: tzinfo) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone)


def lasts(period: Period) -> timedelta:
    assert period.starts_at is not None
    assert period.ends_at is not None
    return period.ends_at - period.starts_at


@settings(max_examples=examples(300))
@given(TIMED, INSTANTS, ZONES)
def test_every_instant_lies_in_its_window_and_windows_follow_without_a_hole(
    window: Window, at: datetime, zone: tzinfo
) -> None:
    period = period_at(window, at, zone)
    assert period.starts_at is not None
    assert period.ends_at is not None
    assert period.starts_at <= at < period.ends_at
    assert period_at(window, period.starts_at, zone) == period
    assert period_at(window, period.ends_at - timedelta(microseconds=1), zone) == period
    following = period_at(window, period.ends_at, zone)
    assert following.starts_at == period.ends_at
    assert following.name > period.name


@given(TIMED, INSTANTS, ZONES, st.timedeltas(timedelta(), timedelta(days=400)))
def test_windows_never_go_back_in_time(
    window: Window, at: datetime, zone: tzinfo, later: timedelta
) -> None:
    assert period_at(window, at, zone).name <= period_at(window, at + later, zone).name


@given(INSTANTS, ZONES)
def test_a_session_has_one_window_for_good(at: datetime, zone: tzinfo) -> None:
    assert period_at(Window.SESSION, at, zone) == Period(
        window=Window.SESSION, name="", starts_at=None, ends_at=None
    )


@pytest.mark.parametrize(
    ("zone", "at", "name", "hours"),
    [
        ("Europe/Berlin", "2026-03-29T12:00", "2026-03-29", 23),
        ("Europe/Berlin", "2026-10-25T02:30", "2026-10-25", 25),
        ("America/New_York", "2026-03-08T00:00", "2026-03-08", 23),
        ("America/Nuuk", "2026-03-28T22:59", "2026-03-28", 23),
        ("Asia/Beirut", "2026-03-29T01:00", "2026-03-29", 23),
        ("America/Havana", "2026-11-01T00:30", "2026-11-01", 25),
        ("Pacific/Apia", "2011-12-29T23:59", "2011-12-29", 24),
        ("Asia/Kathmandu", "2026-11-21T00:00", "2026-11-21", 24),
    ],
)
def test_a_day_is_the_local_one_as_long_as_the_clocks_make_it(
    zone: str, at: str, name: str, hours: int
) -> None:
    there = ZoneInfo(zone)
    day = period_at(Window.DAY, local(at, there), there)
    assert day.name == name
    assert lasts(day) == hours * HOUR


def test_a_day_that_begins_where_midnight_is_skipped_begins_at_that_instant() -> None:
    beirut = ZoneInfo("Asia/Beirut")
    day = period_at(Window.DAY, local("2026-03-29T12:00", beirut), beirut)
    assert day.starts_at == datetime(2026, 3, 28, 22, tzinfo=UTC)
    assert day.starts_at.astimezone(beirut).isoformat() == "2026-03-29T01:00:00+03:00"


def test_a_day_that_has_begun_stays_begun_when_the_clocks_go_back_over_midnight() -> None:
    newfoundland = ZoneInfo("America/St_Johns")
    first_pass = datetime(2006, 10, 29, 2, 30, 30, tzinfo=UTC)
    second_pass = first_pass + timedelta(minutes=31)
    assert first_pass.astimezone(newfoundland).day == 29
    assert second_pass.astimezone(newfoundland).day == 28
    assert period_at(Window.DAY, first_pass, newfoundland).name == "2006-10-29"
    assert period_at(Window.DAY, second_pass, newfoundland).name == "2006-10-29"


def test_a_day_begins_at_the_midnight_that_would_have_been_where_the_clocks_jump_over_it() -> None:
    toronto = ZoneInfo("America/Toronto")
    after_the_jump = local("1919-03-31T00:30", toronto)
    assert period_at(Window.DAY, after_the_jump, toronto).name == "1919-03-30"
    assert period_at(Window.MONTH, after_the_jump + HOUR, toronto).name == "1919-03"


@pytest.mark.parametrize(
    ("at", "name", "days"),
    [
        ("2026-01-31T23:59", "2026-01", 31),
        ("2026-02-28T12:00", "2026-02", 28),
        ("2028-02-29T12:00", "2028-02", 29),
        ("2026-12-31T23:59", "2026-12", 31),
    ],
)
def test_a_month_is_the_calendars(at: str, name: str, days: int) -> None:
    month = period_at(Window.MONTH, local(at, UTC), UTC)
    assert month.name == name
    assert lasts(month) == timedelta(days=days)


def test_midnight_is_that_of_the_zone() -> None:
    at = datetime(2026, 11, 30, 23, 30, tzinfo=UTC)
    assert period_at(Window.DAY, at, timezone(HOUR)).name == "2026-12-01"
    assert period_at(Window.MONTH, at, timezone(HOUR)).name == "2026-12"
    assert period_at(Window.MONTH, at, UTC).name == "2026-11"


@pytest.mark.parametrize(
    "at",
    [
        datetime(2026, 1, 1),  # noqa: DTZ001  # that is the point
        datetime(1, 6, 1, tzinfo=UTC),
        datetime(9999, 6, 1, tzinfo=UTC),
    ],
)
def test_what_has_no_window_is_refused(at: datetime) -> None:
    with pytest.raises(InvalidValue) as refused:
        period_at(Window.DAY, at, UTC)
    assert refused.value.field in ("at", "instant")
    assert refused.value.value == at


@pytest.mark.parametrize("window", Window)
def test_a_period_is_of_the_window_that_was_asked_for(window: Window) -> None:
    assert period_at(window, datetime(2026, 11, 21, tzinfo=UTC), UTC).window is window
