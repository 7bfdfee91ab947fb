"""
What usage costs: whole quantities times exact prices, rounded once, when it is shown.

A price that nobody knows is unknown. It is never zero: what is free has a price of zero
that somebody has written down.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

from attrs import field, frozen

from .errors import InvalidValue
from .meters import Meter, Number, exact_fraction, quantity

__all__ = ("Cost", "Money", "Price", "cost")

_CURRENCY: Final = re.compile(r"[A-Z]{3}")
_MOST_PLACES: Final = 12


def _exact(amount: Number) -> Fraction:
    # A float of money has lost already what this module is for.
    if isinstance(amount, bool | float):
        raise InvalidValue("amount", amount, "an exact number: a Fraction, Decimal, text or int")
    return exact_fraction("amount", amount)


def _is_a_currency(_instance: object, attribute: Any, currency: str) -> None:
    if not _CURRENCY.fullmatch(currency):
        raise InvalidValue(attribute.name, currency, "three capital letters of ISO 4217")


def _is_not_negative(_instance: object, attribute: Any, amount: Fraction) -> None:
    if amount < 0:
        raise InvalidValue(attribute.name, amount, "0 or more")


def _is_a_day(_instance: object, attribute: Any, day: Any) -> None:
    if not isinstance(day, dt.date):
        raise InvalidValue(attribute.name, day, "a date")


@frozen
class Money:
    """An exact amount in one currency. Amounts of the same currency can be added.

    Raises:
        InvalidValue: The amount is no exact number, the currency no code of ISO 4217, or
            two currencies are added.
    """

    amount: Fraction = field(converter=_exact)
    currency: str = field(validator=_is_a_currency)

    def __add__(self, other: Money) -> Money:
        if other.currency != self.currency:
            raise InvalidValue("currency", other.currency, self.currency)
        return Money(self.amount + other.amount, self.currency)

    def rounded(self, places: int = 2) -> Decimal:
        """Return the amount to so many decimal places, ties to even; for showing, not adding.

        Raises:
            InvalidValue: *places* is not a whole number from 0 to 12.
        """
        if type(places) is not int or not 0 <= places <= _MOST_PLACES:
            raise InvalidValue("places", places, f"a whole number from 0 to {_MOST_PLACES}")
        units = round(self.amount * 10**places)
        # Built from its digits, so that no context rounds it a second time.
        digits = tuple(map(int, str(abs(units))))
        return Decimal((int(units < 0), digits, -places))


@frozen(kw_only=True)
class Price:
    """What one unit of a meter costs.

    Attributes:
        amount: Exact money for one unit: 0.15 per million is ``Fraction("0.15") / 10**6``.
        currency: Three letters of ISO 4217.
        source: Where the price was read.
        date: When it was read; prices change, and a cost keeps the price it was made with.

    Raises:
        InvalidValue: The amount is negative or no exact number, or there is no such
            meter or currency.
    """

    meter: Meter = field(converter=Meter)
    amount: Fraction = field(converter=_exact, validator=_is_not_negative)
    currency: str = field(validator=_is_a_currency)
    source: str
    date: dt.date = field(validator=_is_a_day)

    def of(self, amount: int) -> Money:
        """Return what *amount* units cost, exactly.

        Raises:
            InvalidValue: *amount* is no whole number, or negative.
        """
        return Money(quantity(self.meter, amount) * self.amount, self.currency)


@frozen(kw_only=True)
class Cost:
    """What some usage costs, as far as prices are known.

    Attributes:
        known: The part that has prices.
        unpriced: Meters that were used and have no price, in order of their names.
    """

    known: Money
    unpriced: tuple[Meter, ...] = ()

    @property
    def total(self) -> Money:
        """The cost of everything.

        Raises:
            InvalidValue: Something was used that has no price, so nobody knows it.
        """
        if self.unpriced:
            raise InvalidValue("price", None, f"a known price of {', '.join(self.unpriced)}")
        return self.known


def cost(used: Mapping[Meter, int], prices: Mapping[Meter, Price], *, currency: str) -> Cost:
    """Return what *used* costs in *currency*. What was not used at all needs no price.

    Raises:
        InvalidValue: A price that is needed is in another currency, or a quantity is no
            whole number.
    """
    known = Money(0, currency)
    unpriced: list[Meter] = []
    for meter, amount in used.items():
        if quantity(meter, amount) == 0:
            continue
        price = prices.get(meter)
        if price is None:
            unpriced.append(meter)
        else:
            known += price.of(amount)
    return Cost(known=known, unpriced=tuple(sorted(unpriced)))
