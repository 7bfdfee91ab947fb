from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, strategies as st

from voicesession.core.errors import InvalidValue
from voicesession.core.meters import (
    LARGEST_QUANTITY,
    MONEY_METERS,
    US_PER_MINUTE,
    WASTE_OF,
    Meter,
    audio_us,
    exact_fraction,
    quantity,
)


def test_the_meters_are_these_and_stay_so() -> None:
    assert [meter.value for meter in Meter] == [
        "audio_us",
        "video_tokens",
        "screen_tokens",
        "llm_input_tokens",
        "llm_output_tokens",
        "tts_characters",
        "sessions",
        "wasted_input_tokens",
        "wasted_output_tokens",
        "wasted_characters",
        "unpriced",
        "money_usd",
        "money_eur",
        "money_gbp",
        "money_chf",
    ]


def test_each_currency_and_each_kind_of_waste_has_a_meter_of_its_own() -> None:
    assert [f"money_{currency.lower()}" for currency in MONEY_METERS] == [*MONEY_METERS.values()]
    assert len({*WASTE_OF, *WASTE_OF.values()}) == 2 * len(WASTE_OF)


@pytest.mark.parametrize(
    ("minutes", "microseconds"),
    [
        (0, 0),
        (5.5, 330_000_000),
        (0.1, 6_000_000),
        ("0.1", 6_000_000),
        (" 1 ", 60_000_000),
        (Decimal("0.1"), 6_000_000),
        (Fraction(1, 3), 20_000_000),
        ("1/3", 20_000_000),
        (Decimal("-0"), 0),
        (5e-324, 0),
        ("0.0000000083333333333333333", 0),
        ("0.0000000083333333333333334", 1),
        ("1/120000000", 0),
        ("3/120000000", 2),
    ],
)
def test_minutes_become_the_nearest_whole_microseconds(minutes: Any, microseconds: int) -> None:
    assert audio_us(minutes) == microseconds


@given(st.integers(0, 10**15))
def test_minutes_written_as_decimals_are_exact(ten_thousandths: int) -> None:
    minutes = Decimal(ten_thousandths).scaleb(-4)
    assert audio_us(minutes) == audio_us(str(minutes)) == ten_thousandths * US_PER_MINUTE // 10**4


def test_a_tenth_of_a_minute_six_hundred_times_is_an_hour() -> None:
    assert sum(audio_us(0.1) for _ in range(600)) == 60 * US_PER_MINUTE


@pytest.mark.parametrize(
    "minutes",
    [
        *(-1, -0.1, "-1e-9", "five", "", None, True, "1/0", float("nan"), float("inf")),
        *("1e13", "1e999999999", "1e-999999999", Decimal("0e999999"), b"1", "1/x"),
    ],
)
def test_what_is_no_length_of_audio_is_refused_at_once(minutes: Any) -> None:
    with pytest.raises(InvalidValue, match=r"^audio_minutes is "):
        audio_us(minutes)


@given(
    st.fractions() | st.integers() | st.decimals(allow_nan=False, allow_infinity=False, places=6)
)
def test_an_exact_number_stays_what_it_is(number: Any) -> None:
    assert exact_fraction("amount", number) == number


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_is_read_as_it_is_written(number: float) -> None:
    assert exact_fraction("amount", number) == Fraction(repr(number))


@given(st.integers(0, LARGEST_QUANTITY))
def test_a_quantity_is_a_whole_number(amount: int) -> None:
    assert quantity(Meter.VIDEO_TOKENS, amount) == amount


@pytest.mark.parametrize(
    "amount", [-1, 1.0, 0.5, "1", None, True, Decimal(1), LARGEST_QUANTITY + 1]
)
def test_fractions_and_negatives_are_no_quantities(amount: Any) -> None:
    with pytest.raises(InvalidValue, match="video_tokens"):
        quantity(Meter.VIDEO_TOKENS, amount)


def test_a_quantity_may_have_to_be_positive() -> None:
    assert quantity(Meter.SESSIONS, 1, at_least=1) == 1
    with pytest.raises(InvalidValue, match="from 1"):
        quantity(Meter.SESSIONS, 0, at_least=1)
