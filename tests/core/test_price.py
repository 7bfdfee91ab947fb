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
from voicesession.core.price import Cost, Money, Price, cost

READ_ON = dt.date(2026, 11, 1)


def price(amount: Any, *, meter: Meter = Meter.LLM_INPUT_TOKENS, currency: str = "USD") -> Price:
    return Price(meter=meter, amount=amount, currency=currency, source="price list", date=READ_ON)


PER_TOKEN = price(Fraction("0.15") / 10**6)
PER_US = price("1/60000000", meter=Meter.AUDIO_US)
amounts = st.fractions(min_value=0, max_value=10**6)


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


def test_usage_on_several_meters_costs_the_sum() -> None:
    used = {Meter.LLM_INPUT_TOKENS: 2_000_000, Meter.AUDIO_US: 90_000_000}
    prices = {Meter.LLM_INPUT_TOKENS: PER_TOKEN, Meter.AUDIO_US: PER_US}
    assert cost(used, prices, currency="USD").total == Money("1.8", "USD")


def test_an_unknown_price_is_unknown_and_never_nothing() -> None:
    used = {Meter.TTS_CHARACTERS: 1, Meter.AUDIO_US: 60_000_000, Meter.SCREEN_TOKENS: 1}
    found = cost(used, {Meter.AUDIO_US: PER_US}, currency="USD")
    assert found == Cost(
        known=Money(1, "USD"), unpriced=(Meter.SCREEN_TOKENS, Meter.TTS_CHARACTERS)
    )
    with pytest.raises(InvalidValue, match="screen_tokens, tts_characters"):
        _ = found.total


def test_a_price_of_zero_is_known() -> None:
    free = {Meter.TTS_CHARACTERS: price(0, meter=Meter.TTS_CHARACTERS)}
    assert cost({Meter.TTS_CHARACTERS: 9}, free, currency="USD").total == Money(0, "USD")


def test_what_was_not_used_needs_no_price() -> None:
    assert cost({Meter.TTS_CHARACTERS: 0}, {}, currency="USD").total == Money(0, "USD")
    used = {Meter.TTS_CHARACTERS: 0, Meter.AUDIO_US: 60_000_000}
    assert cost(used, {Meter.AUDIO_US: PER_US}, currency="USD").total == Money(1, "USD")


def test_a_price_in_another_currency_is_refused() -> None:
    used, prices = {Meter.LLM_INPUT_TOKENS: 1}, {Meter.LLM_INPUT_TOKENS: PER_TOKEN}
    with pytest.raises(InvalidValue, match="currency"):
        cost(used, prices, currency="EUR")


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
    with pytest.raises(InvalidValue, match=Meter.AUDIO_US):
        cost({Meter.AUDIO_US: amount}, {}, currency="USD")


def test_a_price_can_be_sent_to_another_process() -> None:
    assert pickle.loads(pickle.dumps(PER_TOKEN)) == PER_TOKEN  # noqa: S301  # our own pickle
