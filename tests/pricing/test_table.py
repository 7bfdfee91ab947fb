"""Prices in a file: exact, dated, and refused where a line is not as it should be."""

import sys
from datetime import UTC, date, datetime
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from voicesession.core.errors import InvalidConfig
from voicesession.core.meters import Meter
from voicesession.core.price import Money
from voicesession.ports.prices import EngineModel, PriceBook, engine_model
from voicesession.pricing import GenaiPrices, Prices, PriceTable, prices, vendors
from voicesession.providers.deepgram import DeepgramSpeechToText
from voicesession.providers.elevenlabs import ElevenLabsTextToSpeech
from voicesession.providers.null import NullSpeechToText, NullTextToSpeech
from voicesession.providers.openai import OpenAIAgent, OpenAISpeechToText, OpenAITextToSpeech

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
A_LINE = {
    "engine": '"deepgram"',
    "model": '"nova-3"',
    "meter": '"audio_us"',
    "amount": '"0.0058"',
    "per": '"minute"',
    "source": '"a page"',
    "date": "2026-08-01",
}
NOVA = EngineModel("deepgram", "nova-3")


def a_table(**fields: str | None) -> str:
    line = {**A_LINE, **fields}
    told = "\n".join(f"{name} = {value}" for name, value in line.items() if value is not None)
    return f'currency = "USD"\n\n[[price]]\n{told}\n'


def money(book: PriceBook, engine: EngineModel, meter: Meter, amount: int) -> Money:
    price = book.price(engine, meter, at=NOON)
    assert price is not None
    return price.of(amount)


# --- one table ------------------------------------------------------------------------------


def test_a_line_says_what_it_costs_where_that_was_read_and_when() -> None:
    price = PriceTable.parse(a_table()).price(NOVA, Meter.AUDIO_US, at=NOON)
    assert price is not None
    assert price.of(60_000_000) == Money("0.0058", "USD")
    assert (price.source, price.date) == ("a page", date(2026, 8, 1))


@pytest.mark.parametrize(
    ("meter", "per", "units"),
    [
        ("audio_us", "second", 10**6),
        ("audio_us", "minute", 60 * 10**6),
        ("audio_us", "hour", 3_600 * 10**6),
        ("tts_characters", "1", 1),
        ("tts_characters", "1k", 10**3),
        ("llm_output_tokens", "1M", 10**6),
    ],
)
def test_a_price_is_for_so_many_units(meter: str, per: str, units: int) -> None:
    table = PriceTable.parse(a_table(meter=f'"{meter}"', per=f'"{per}"', amount='"0.036"'))
    assert money(table, NOVA, Meter(meter), units) == Money("0.036", "USD")


@given(st.integers(0, 10**9), st.integers(0, 4))
def test_what_is_written_is_what_it_costs(digits: int, places: int) -> None:
    written = f"{digits}e-{places}"
    table = PriceTable.parse(a_table(amount=f'"{written}"'))
    assert money(table, NOVA, Meter.AUDIO_US, 60_000_000).amount == Fraction(digits, 10**places)


def test_a_line_without_a_model_is_for_every_model_that_has_none_of_its_own() -> None:
    table = PriceTable.parse(
        a_table(amount='"1"') + a_table(model=None, amount='"2"').partition("\n")[2]
    )
    for model, costs in (("nova-3", 1), ("nova-4", 2), (None, 2)):
        engine = EngineModel("deepgram", model)
        assert money(table, engine, Meter.AUDIO_US, 60_000_000) == Money(costs, "USD")
    assert table.price(EngineModel("other", "nova-3"), Meter.AUDIO_US, at=NOON) is None
    assert table.price(NOVA, Meter.TTS_CHARACTERS, at=NOON) is None


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"engine": None}, "price 1: engine"),
        ({"engine": '""'}, "price 1: engine"),
        ({"model": "3"}, "price 1: model"),
        ({"meter": '"fuel"'}, "price 1: Meter"),
        ({"meter": '"money_usd"'}, "price 1: meter"),
        ({"meter": '"sessions"'}, "price 1: meter"),
        ({"meter": '"wasted_characters"'}, "price 1: meter"),
        ({"amount": "0.0058"}, "price 1: amount"),
        ({"amount": '"-1"'}, "price 1: amount"),
        ({"amount": '"free"'}, "price 1: amount"),
        ({"amount": '"0.00001"'}, "price 1: the price of audio_us"),
        ({"per": '"1k"'}, "price 1: per"),
        ({"per": '"week"'}, "price 1: per"),
        ({"source": None}, "price 1: source"),
        ({"date": None}, "price 1: date"),
        ({"date": "2026-08-01T00:00:00Z"}, "price 1: date"),
        ({"note": '"?"'}, "price 1: line"),
    ],
)
def test_a_line_that_is_not_as_it_should_be_is_refused_by_its_number_and_name(
    fields: dict[str, str | None], told: str
) -> None:
    with pytest.raises(InvalidConfig) as refusal:
        PriceTable.parse(a_table(**fields))
    assert refusal.value.field == told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("currency = ", "prices"),
        ("", "prices: currency"),
        ('currency = "XAU"', "prices: currency"),
        ("currency = 7", "prices: currency"),
        ('currency = "USD"\nprice = 7', "prices"),
        ('currency = "USD"\nprice = [7]', "price 1: line"),
        ('currency = "USD"\nprices = []', "prices"),
        (a_table() + a_table().partition("\n")[2], "price 2"),
    ],
)
def test_a_table_that_is_none_is_refused(text: str, told: str) -> None:
    with pytest.raises(InvalidConfig) as refusal:
        PriceTable.parse(text)
    assert refusal.value.field == told


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfig, match=r"^prices is .* a file that can be read"):
        prices(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes(b"\xff")
    with pytest.raises(InvalidConfig, match=r"^prices is .* a file that can be read"):
        PriceTable.read(tmp_path / "latin.toml")


# --- all of them ----------------------------------------------------------------------------


def test_the_hosts_own_prices_come_first(tmp_path: Path) -> None:
    own = tmp_path / "prices.toml"
    own.write_text(a_table(amount='"0.0042"'))
    book = prices(own)
    assert money(book, NOVA, Meter.AUDIO_US, 60_000_000) == Money("0.0042", "USD")
    assert money(prices(), NOVA, Meter.AUDIO_US, 60_000_000) == Money("0.0058", "USD")


def test_two_currencies_are_not_one_book(tmp_path: Path) -> None:
    own = tmp_path / "prices.toml"
    own.write_text(a_table().replace("USD", "EUR"))
    with pytest.raises(InvalidConfig) as refusal:
        prices(own)
    assert refusal.value.args == ("prices", ["EUR", "USD"], "books in one currency")
    with pytest.raises(InvalidConfig):
        Prices()
    assert Prices(PriceTable.read(own)).currency == "EUR"


def test_every_line_about_vendors_says_where_and_when_it_was_read() -> None:
    for (engine, meter), price in vendors().lines.items():
        assert price.source, (engine, meter)
        assert date(2026, 1, 1) < price.date <= date(2026, 11, 21)


@pytest.mark.parametrize(
    ("engine", "meter", "amount", "costs"),
    [
        (DeepgramSpeechToText(api_key="k"), Meter.AUDIO_US, 60_000_000, "0.0058"),
        (ElevenLabsTextToSpeech("v", api_key="k"), Meter.TTS_CHARACTERS, 1_000, "0.05"),
        (OpenAITextToSpeech("tts-1", api_key="k"), Meter.TTS_CHARACTERS, 10**6, "15"),
        (OpenAISpeechToText("whisper-1", api_key="k"), Meter.AUDIO_US, 60_000_000, "0.006"),
        (OpenAIAgent("gpt-4o-mini", api_key="k"), Meter.LLM_INPUT_TOKENS, 10**6, "0.15"),
        (OpenAIAgent("gpt-4o-mini", api_key="k"), Meter.LLM_OUTPUT_TOKENS, 10**6, "0.60"),
        (NullSpeechToText(), Meter.AUDIO_US, 10**9, "0"),
        (NullTextToSpeech(), Meter.TTS_CHARACTERS, 10**9, "0"),
    ],
)
def test_our_own_engines_are_found_in_the_book(
    engine: object, meter: Meter, amount: int, costs: str
) -> None:
    named = engine_model(engine)  # type: ignore[arg-type]
    assert money(prices(), named, meter, amount) == Money(costs, "USD")


@pytest.mark.parametrize(
    ("engine", "meter"),
    [
        (EngineModel("openai", "no-such-model"), Meter.LLM_INPUT_TOKENS),
        (EngineModel("nobody", "gpt-4o-mini"), Meter.LLM_INPUT_TOKENS),
        (EngineModel("openai"), Meter.LLM_INPUT_TOKENS),
        (EngineModel("openai", "gpt-4o-mini"), Meter.VIDEO_TOKENS),
        (EngineModel("openai", "gpt-4o-mini-tts"), Meter.TTS_CHARACTERS),
        (EngineModel("openai", "gpt-4o-transcribe"), Meter.AUDIO_US),
    ],
)
def test_what_nobody_knows_is_unknown(engine: EngineModel, meter: Meter) -> None:
    assert prices().price(engine, meter, at=NOON) is None


def test_the_price_of_a_model_says_which_data_it_comes_from() -> None:
    price = GenaiPrices().price(
        EngineModel("openai", "gpt-4o-mini"), Meter.LLM_INPUT_TOKENS, at=NOON
    )
    assert price is not None
    assert price.source.startswith("genai-prices 0.2.")
    assert price.source.endswith(": openai/gpt-4o-mini")


def test_without_the_extra_only_speech_has_prices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "genai_prices", None)
    with pytest.raises(InvalidConfig, match=r"voicesession\[prices\]"):
        GenaiPrices()
    mini = EngineModel("openai", "gpt-4o-mini")
    assert prices().price(mini, Meter.LLM_INPUT_TOKENS, at=NOON) is None
    assert prices().price(NOVA, Meter.AUDIO_US, at=NOON) is not None


def test_a_model_whose_price_depends_on_the_prompt_has_not_one_price() -> None:
    tiered = EngineModel("google", "gemini-2.5-pro")
    assert GenaiPrices().price(tiered, Meter.LLM_INPUT_TOKENS, at=NOON) is None
