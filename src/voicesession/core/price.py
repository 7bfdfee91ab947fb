"""
What usage costs: whole quantities times exact prices, rounded once, when it is shown.

Money is counted like everything else: on a meter, in whole units, in the same accounts. A unit
is so small that one unit of any other meter costs a whole number of them, at every price that
vendors write: `MONEY_UNITS` of them are one of the currency. So what is charged in pieces is
what the sum costs, to the last unit, whoever adds it up and in whatever order; a limit on money
is a limit like any other; and a price that changes does not change what was charged before. A
price that is no whole number of units is refused, by name, where it is read.

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

from attrs import Factory, field, frozen

from .errors import InvalidValue
from .meters import (
    LARGEST_QUANTITY,
    MONEY,
    MONEY_METERS,
    WASTE_OF,
    Meter,
    Number,
    exact_fraction,
    quantity,
)

__all__ = ("MONEY_UNITS", "Money", "Price", "SessionCost", "money_meter", "session_cost")

MONEY_UNITS: Final = 3_600_000_000_000
"""
How many units of a money meter are one of its currency: a microsecond at a thousandth an hour
costs one.

Audio is counted in microseconds and priced per hour or minute, so a power of ten would not do:
$0.0058 per minute is no whole number of pico-dollars per microsecond. With this one every price
per hour with three decimals is whole, per minute with four, per second with five, per million
tokens or characters with five. A store keeps up to 2.5 million of a currency in one line.
"""

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

    @property
    def units(self) -> int:
        """The same in units of a money meter.

        Raises:
            InvalidValue: It is no whole number of them, negative, or more than can be kept.
        """
        units = self.amount * MONEY_UNITS
        if units.denominator != 1 or not 0 <= units <= LARGEST_QUANTITY:
            allowed = f"0 to {LARGEST_QUANTITY // MONEY_UNITS}, in whole 1/{MONEY_UNITS}"
            raise InvalidValue("amount", self.amount, allowed)
        return units.numerator

    @classmethod
    def of_units(cls, units: int, currency: str) -> Money:
        """Return what so many units of a money meter are."""
        return cls(Fraction(units, MONEY_UNITS), currency)

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


def _in_units(price: Price) -> int:
    return (price.amount * MONEY_UNITS).numerator


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
    units: int = field(
        init=False, repr=False, eq=False, default=Factory(_in_units, takes_self=True)
    )
    """What one unit of the meter costs, in units of a money meter."""

    def __attrs_post_init__(self) -> None:
        if (self.amount * MONEY_UNITS).denominator != 1:
            raise InvalidValue(
                f"the price of {self.meter}", self.amount, f"whole 1/{MONEY_UNITS} {self.currency}"
            )

    def of(self, amount: int) -> Money:
        """Return what *amount* units cost, exactly.

        Raises:
            InvalidValue: *amount* is no whole number, or negative.
        """
        return Money(quantity(self.meter, amount) * self.amount, self.currency)


@frozen(kw_only=True)
class SessionCost:
    """What a session has used and what that costs, as far as prices are known.

    Attributes:
        known: The part that has prices.
        unpriced: How many charges had none; 0 where the known part is everything.
        used: By meter, whole units; microseconds for audio. What is 0 is left out.
        wasted: The same for what nobody wanted in the end; its price is in ``known``.
    """

    known: Money
    unpriced: int
    used: Mapping[Meter, int]
    wasted: Mapping[Meter, int]

    @property
    def total(self) -> Money:
        """The cost of everything.

        Raises:
            InvalidValue: Something was used that has no price, so nobody knows it.
        """
        if self.unpriced:
            raise InvalidValue("price", None, f"a known price of {self.unpriced} more charges")
        return self.known


def money_meter(currency: str) -> Meter:
    """Return the meter that counts *currency*.

    Raises:
        InvalidValue: There is none.
    """
    if currency not in MONEY_METERS:
        raise InvalidValue("currency", currency, ", ".join(MONEY_METERS))
    return MONEY_METERS[currency]


def session_cost(spent: Mapping[Meter, int], *, currency: str) -> SessionCost:
    """Return what is *spent* in the account of a session, as its cost in *currency*.

    Raises:
        InvalidValue: There is no meter of that currency, or money of another one is spent.
    """
    paid = money_meter(currency)
    for other, meter in MONEY_METERS.items():
        if meter is not paid and spent.get(meter):
            raise InvalidValue("currency", currency, f"{other}, in which the session was charged")
    apart = {Meter.SESSIONS, Meter.UNPRICED, *MONEY}
    wasted = frozenset(WASTE_OF.values())
    used = {meter: amount for meter, amount in spent.items() if amount and meter not in apart}
    return SessionCost(
        known=Money.of_units(spent.get(paid, 0), currency),
        unpriced=spent.get(Meter.UNPRICED, 0),
        used={meter: amount for meter, amount in used.items() if meter not in wasted},
        wasted={meter: amount for meter, amount in used.items() if meter in wasted},
    )
