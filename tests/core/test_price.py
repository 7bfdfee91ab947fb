from __future__ import annotations

import datetime as dt
import pickle
from decimal import Context, Decimal, localcontext
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, strategies as st

from voicesession.core.errors import InvalidValue
from voicesession.core.meters import Meter
from voicesession.core.price import (
    MONEY_UNITS,
    Money,
    Price,
    SessionCost,
    money_meter,
    session_cost,
)

READ_ON = dt.date(2026, 11, 1)


def price(amount: Any, *, meter: Meter = Meter.LLM_INPUT_TOKENS, currency: str = "USD") -> Price:
    return Price(meter=meter, amount=amount, currency=currency, source="price list", date=READ_ON)


PER_TOKEN = price(Fraction("0.15") / 10**6)
PER_US = price("1/60000000", meter=Meter.AUDIO_US)
amounts = st.integers(0, 10**18).map(lambda units: Fraction(units, MONEY_UNITS))


def test_a_thousand_charges_of_one_token_cost_what_a_thousand_tokens_cost() -> None:
    one_by_one = sum((PER_TOKEN.of(1).amount for _ in range(1000)), Fraction())
    assert one_by_one == PER_TOKEN.of(1000).amount == Fraction("0.00015")
    assert PER_TOKEN.of(1000).rounded(5) == Decimal("0.00015")


@given(amounts, st.lists(st.integers(0, 10**12)))
def test_the_cost_of_the_pieces_is_the_cost_of_the_sum(
    unit: Fraction, quantities: list[int]
) -> None:
    whole = price(unit).of(sum(quantities))
    parts = Money(0, "USD")
    for amount in quantities:
        parts += price(unit).of(amount)
    assert parts == whole


@given(st.fractions(max_denominator=10**9), st.integers(0, 12))
def test_money_is_rounded_once_to_the_nearest_whatever_the_context(
    amount: Fraction, places: int
) -> None:
    with localcontext(Context(prec=1)):
        shown = Money(amount, "EUR").rounded(places)
    assert shown.as_tuple().exponent == -places
    assert abs(Fraction(shown) - amount) <= Fraction(1, 2 * 10**places)


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        ("0.125", "0.12"),
        ("0.135", "0.14"),
        ("-0.125", "-0.12"),
        ("1e3", "1000.00"),
        ("1/3", "0.33"),
    ],
)
def test_ties_go_to_the_even_digit(amount: str, shown: str) -> None:
    assert str(Money(amount, "EUR").rounded()) == shown


@pytest.mark.parametrize("places", [-1, 13, 2.0, True])
def test_money_is_shown_in_a_sensible_number_of_places(places: Any) -> None:
    with pytest.raises(InvalidValue) as refusal:
        Money(1, "EUR").rounded(places)
    assert refusal.value.args == ("places", places, "a whole number from 0 to 12")


def test_nothing_is_shown_without_a_sign() -> None:
    assert str(Money(0, "EUR").rounded()) == "0.00"
    assert str(Money("-0.001", "EUR").rounded()) == "0.00"


def test_two_currencies_are_not_added() -> None:
    with pytest.raises(InvalidValue) as refusal:
        Money(1, "EUR") + Money(1, "USD")
    assert refusal.value.args == ("currency", "USD", "EUR")


# --- Money that is counted ----------------------------------------------------------------

vendors = st.one_of(
    st.builds(
        lambda places, count, of: (Fraction(count, 10**places), of),
        st.integers(0, 5),
        st.integers(0, 10**8),
        st.just(10**6),  # per million tokens or characters
    ),
    st.builds(lambda n: (Fraction(n, 10**3), 3_600_000_000), st.integers(0, 10**6)),
    st.builds(lambda n: (Fraction(n, 10**4), 60_000_000), st.integers(0, 10**6)),
    st.builds(lambda n: (Fraction(n, 10**5), 1_000_000), st.integers(0, 10**6)),
)


@given(vendors, st.lists(st.integers(0, 10**6)))
def test_money_that_is_charged_in_pieces_is_what_the_sum_costs(
    written: tuple[Fraction, int], pieces: list[int]
) -> None:
    per, of = written
    unit = price(per / of)
    charged = sum(piece * unit.units for piece in pieces)
    assert Money.of_units(charged, "USD") == unit.of(sum(pieces))


@pytest.mark.parametrize(
    ("per", "of", "units"),
    [
        ("0.15", 10**6, 540_000),
        ("0.0058", 60_000_000, 348),
        ("0.22", 3_600_000_000, 220),
        ("0.0001", 1_000_000, 360),
    ],
)
def test_prices_as_vendors_write_them_are_whole_units(per: str, of: int, units: int) -> None:
    assert price(Fraction(per) / of).units == units


def test_a_price_that_is_no_whole_number_of_units_is_refused_by_name() -> None:
    with pytest.raises(InvalidValue) as refusal:
        price(Fraction("0.00001") / 60_000_000, meter=Meter.AUDIO_US)
    assert refusal.value.field == "the price of audio_us"
    assert refusal.value.allowed == f"whole 1/{MONEY_UNITS} USD"


def test_money_becomes_units_and_back_if_it_is_whole_and_can_be_kept() -> None:
    assert Money("12.5", "EUR").units == 12 * MONEY_UNITS + MONEY_UNITS // 2
    assert Money.of_units(Money("12.5", "EUR").units, "EUR") == Money("12.5", "EUR")
    for wrong in ("1/7", -1, 2_562_048):
        with pytest.raises(InvalidValue) as refusal:
            _ = Money(wrong, "EUR").units
        assert refusal.value.args == (
            "amount",
            Fraction(wrong),
            "0 to 2562047, in whole 1/3600000000000",
        )


def test_only_some_currencies_are_counted() -> None:
    assert money_meter("CHF") is Meter.MONEY_CHF
    with pytest.raises(InvalidValue) as refusal:
        money_meter("XAU")
    assert refusal.value.args == ("currency", "XAU", "USD, EUR, GBP, CHF")


def test_a_session_costs_what_was_charged_and_waste_is_told_apart() -> None:
    cost = session_cost(
        {
            Meter.AUDIO_US: 5,
            Meter.SESSIONS: 1,
            Meter.VIDEO_TOKENS: 0,
            Meter.WASTED_CHARACTERS: 7,
            Meter.MONEY_USD: MONEY_UNITS // 4,
        },
        currency="USD",
    )
    assert cost == SessionCost(
        known=Money("0.25", "USD"),
        unpriced=0,
        used={Meter.AUDIO_US: 5},
        wasted={Meter.WASTED_CHARACTERS: 7},
    )
    assert cost.total == Money("0.25", "USD")


def test_an_unknown_price_is_unknown_and_never_nothing() -> None:
    cost = session_cost({Meter.TTS_CHARACTERS: 9, Meter.UNPRICED: 2}, currency="USD")
    assert (cost.known, cost.unpriced) == (Money(0, "USD"), 2)
    with pytest.raises(InvalidValue) as refusal:
        _ = cost.total
    assert refusal.value.args == ("price", None, "a known price of 2 more charges")


def test_what_was_charged_in_one_currency_has_no_cost_in_another() -> None:
    with pytest.raises(InvalidValue) as refusal:
        session_cost({Meter.MONEY_EUR: 1}, currency="USD")
    assert refusal.value.args == ("currency", "USD", "EUR, in which the session was charged")


@pytest.mark.parametrize("amount", [-1, "-0.1", 0.1, True, "free", "1/0", "nan", "1e999999999"])
def test_a_price_is_an_exact_number_and_not_negative(amount: Any) -> None:
    with pytest.raises(InvalidValue) as refusal:
        price(amount)
    assert refusal.value.field == "amount"
    if isinstance(amount, float | bool):
        allowed = "an exact number: a Fraction, Decimal, text or int"
        assert refusal.value.args == ("amount", amount, allowed)
    if amount in (-1, "-0.1"):
        assert refusal.value.args == ("amount", Fraction(amount), "0 or more")


@pytest.mark.parametrize("currency", ["usd", "US", "USDT", "", "€"])
def test_a_currency_is_a_code_of_three_letters(currency: str) -> None:
    with pytest.raises(InvalidValue) as refusal:
        price(1, currency=currency)
    allowed = "three capital letters of ISO 4217"
    assert refusal.value.args == ("currency", currency, allowed)


def test_a_price_says_what_it_is_for_and_when_it_was_read() -> None:
    with pytest.raises(InvalidValue) as refusal:
        Price(
            meter=Meter.AUDIO_US,
            amount=Fraction(1),
            currency="USD",
            source="price list",
            date="2026-11-01",  # type: ignore[arg-type]
        )
    assert refusal.value.args == ("date", "2026-11-01", "a date")
    with pytest.raises(InvalidValue, match="fuel"):
        price(1, meter="fuel")  # type: ignore[arg-type]


@pytest.mark.parametrize("amount", [-1, 1.0, True])
def test_only_whole_quantities_have_a_cost(amount: Any) -> None:
    with pytest.raises(InvalidValue, match=PER_TOKEN.meter):
        PER_TOKEN.of(amount)


def test_a_price_can_be_sent_to_another_process() -> None:
    assert pickle.loads(pickle.dumps(PER_TOKEN)) == PER_TOKEN  # noqa: S301  # our own pickle
