"""Values as people write them."""

import re

import pytest
from hypothesis import given, strategies as st

from voicesession.cli.shown import amount_shown, duration_shown, print_record
from voicesession.core.meters import LARGEST_QUANTITY, Meter
from voicesession.core.price import MONEY_UNITS

UNITS_US = {"h": 3_600_000_000, "min": 60_000_000, "s": 1_000_000}


@given(st.integers(0, LARGEST_QUANTITY))
def test_a_duration_is_told_to_the_hundredth_of_a_second(duration_us: int) -> None:
    shown = duration_shown(duration_us)
    parts = re.findall(r"(\d+(?:\.\d{1,2})?) (h|min|s)", shown)
    assert " ".join(f"{number} {unit}" for number, unit in parts) == shown
    told_us = sum(round(float(number) * UNITS_US[unit]) for number, unit in parts)
    assert abs(told_us - duration_us) <= 5_000


@pytest.mark.parametrize(
    ("duration_us", "shown"),
    [
        (0, "0 s"),
        (4_999, "0 s"),
        (500_000, "0.5 s"),
        (59_996_000, "1 min"),
        (270_000_000, "4 min 30 s"),
        (3_600_000_000, "1 h"),
        (3_661_230_000, "1 h 1 min 1.23 s"),
    ],
)
def test_what_is_nothing_is_not_said(duration_us: int, shown: str) -> None:
    assert duration_shown(duration_us) == shown


@pytest.mark.parametrize(
    ("meter", "units", "shown"),
    [
        (Meter.AUDIO_US, 270_000_000, "4 min 30 s"),
        (Meter.VIDEO_TOKENS, 1_000, "1000"),
        (Meter.MONEY_USD, 0, "0.00 USD"),
        (Meter.MONEY_USD, MONEY_UNITS * 51 // 4, "12.75 USD"),
        (Meter.MONEY_EUR, MONEY_UNITS // 2, "0.50 EUR"),
        (Meter.MONEY_EUR, MONEY_UNITS * 7 // 3, "2.33 EUR"),
        (Meter.MONEY_USD, MONEY_UNITS // 2_500, "0.0004 USD"),
        (Meter.MONEY_USD, 1, "less than 0.0001 USD"),
    ],
)
def test_an_amount_is_told_in_the_units_of_its_meter(meter: Meter, units: int, shown: str) -> None:
    assert amount_shown(meter, units) == shown


def test_a_record_is_told_line_by_line_without_what_it_does_not_have(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_record(
        {
            "id": "sess_1",
            "error": None,
            "pause_reasons": ["disconnected", "user"],
            "store_audio": False,
            "word_count": 0,
            "audio_duration_seconds": 61.7,
            "audio_minutes_used": 1 / 60,
            "daily_budget_remaining": {"audioMin": 1 / 3, "videoTokens": 7, "screenTokens": None},
            "links": {},
            "metadata": {"rooms": [7]},
        }
    )
    assert [re.split(r"\s{2,}", line) for line in capsys.readouterr().out.splitlines()] == [
        ["id", "sess_1"],
        ["pause_reasons", "disconnected, user"],
        ["store_audio", "no"],
        ["word_count", "0"],
        ["audio_duration_seconds", "1 min 1.7 s"],
        ["audio_minutes_used", "1 s"],
        ["daily_budget_remaining", "audioMin 20 s, videoTokens 7"],
        ["metadata", '{"rooms": [7]}'],
    ]
