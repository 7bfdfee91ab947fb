"""
Prices in a TOML file.

    currency = "USD"

    [[price]]
    engine = "deepgram"
    model = "nova-3"                         # left out: whatever the engine's model
    meter = "audio_us"
    amount = "0.0058"                        # text: a number with a point would not be exact
    per = "minute"                           # second, minute, hour; or for tokens and
                                             # characters: "1", "1k", "1M"
    source = "https://deepgram.com/pricing"
    date = 2026-08-01                        # when it was read there
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Self, cast

from attrs import frozen

from ..core.errors import InvalidConfig, InvalidValue
from ..core.meters import WASTE_OF, Meter, exact_fraction
from ..core.price import Price, money_meter
from ..ports.prices import EngineModel, PriceBook

__all__ = ("PriceTable", "Prices", "vendors")

_US: Final = MappingProxyType({"second": 10**6, "minute": 60 * 10**6, "hour": 3_600 * 10**6})
_COUNTS: Final = MappingProxyType({"1": 1, "1k": 10**3, "1M": 10**6})
_PRICED: Final = frozenset({Meter.AUDIO_US, Meter.VIDEO_TOKENS, Meter.SCREEN_TOKENS, *WASTE_OF})
_KEYS: Final = frozenset({"engine", "model", "meter", "amount", "per", "source", "date"})


@frozen(kw_only=True)
class PriceTable:
    """A `PriceBook` of lines. An engine's model comes before a line without a model."""

    currency: str
    lines: Mapping[tuple[EngineModel, Meter], Price]

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Self:
        """Return the table in a file.

        Raises:
            InvalidConfig: It cannot be read, a line is not as it should be, or two lines are for
                the same; the error says which.
        """
        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeError) as error:
            raise InvalidConfig("prices", os.fspath(path), "a file that can be read") from error
        return cls.parse(text)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the table in *text*; see `read`."""
        try:
            told = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise InvalidConfig("prices", str(error), "TOML") from error
        if unknown := sorted(told.keys() - {"currency", "price"}):
            raise InvalidConfig("prices", unknown, "currency, and any number of [[price]]")
        currency = told.get("currency")
        try:
            money_meter(currency if isinstance(currency, str) else "")
        except InvalidValue as refusal:
            raise InvalidConfig("prices: currency", currency, refusal.allowed) from None
        return cls(currency=str(currency), lines=_lines(told.get("price", []), str(currency)))

    def price(self, engine: EngineModel, meter: Meter, /, *, at: datetime) -> Price | None:  # noqa: ARG002  # its lines hold until another table is read
        of_engine = EngineModel(engine.engine)
        return self.lines.get((engine, meter)) or self.lines.get((of_engine, meter))


class Prices:
    """Several books in one currency; the first that knows a price is believed.

    Raises:
        InvalidConfig: There is no book, or two are in different currencies.
    """

    def __init__(self, *books: PriceBook) -> None:
        currencies = sorted({book.currency for book in books})
        if len(currencies) != 1:
            raise InvalidConfig("prices", currencies, "books in one currency")
        (self.currency,) = currencies
        self._books = books

    def price(self, engine: EngineModel, meter: Meter, /, *, at: datetime) -> Price | None:
        known = (book.price(engine, meter, at=at) for book in self._books)
        return next((price for price in known if price is not None), None)


def vendors() -> PriceTable:
    """Return the prices of speech vendors, as they were read on the dates in the table."""
    return PriceTable.read(Path(__file__).with_name("vendors.toml"))


def _lines(told: Any, currency: str) -> Mapping[tuple[EngineModel, Meter], Price]:
    lines: dict[tuple[EngineModel, Meter], Price] = {}
    if not isinstance(told, list):
        raise InvalidConfig("prices", told, "any number of [[price]]")
    for number, line in enumerate(cast("list[object]", told), 1):
        try:
            key, price = _line(line, currency)
        except InvalidValue as refusal:
            field = f"price {number}: {refusal.field}"
            raise InvalidConfig(field, refusal.value, refusal.allowed) from None
        if key in lines:
            raise InvalidConfig(f"price {number}", str(key[0]), f"one price of {key[1]}")
        lines[key] = price
    return lines


def _line(told: Any, currency: str) -> tuple[tuple[EngineModel, Meter], Price]:
    if not isinstance(told, dict):
        raise InvalidValue("line", told, "a [[price]]")
    line = cast("dict[str, Any]", told)
    if unknown := sorted(line.keys() - _KEYS):
        raise InvalidValue("line", unknown, ", ".join(sorted(_KEYS)))
    _are_texts(line, _KEYS - {"date", "model"} | (line.keys() & {"model"}))
    if type(line.get("date")) is not date:
        raise InvalidValue("date", line.get("date"), "a date, such as 2026-11-21")
    meter = Meter(line["meter"])
    if meter not in _PRICED:
        raise InvalidValue("meter", meter, ", ".join(sorted(_PRICED)))
    units = _US if meter is Meter.AUDIO_US else _COUNTS
    if line["per"] not in units:
        raise InvalidValue("per", line["per"], ", ".join(units))
    price = Price(
        meter=meter,
        amount=Fraction(exact_fraction("amount", line["amount"]), units[line["per"]]),
        currency=currency,
        source=line["source"],
        date=line["date"],
    )
    return (EngineModel(line["engine"], line.get("model")), meter), price


def _are_texts(line: Mapping[str, Any], names: Iterable[str]) -> None:
    for name in sorted(names):
        if not isinstance(line.get(name), str) or not line[name]:
            raise InvalidValue(name, line.get(name), "text")
