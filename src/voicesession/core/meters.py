"""What is counted: whole units of each meter, exact from the first one to the last."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType
from typing import Final, TypeAlias

from .errors import InvalidValue
from .fields import Vocabulary

__all__ = (
    "LARGEST_QUANTITY",
    "MONEY",
    "MONEY_METERS",
    "US_PER_MINUTE",
    "WASTE_OF",
    "Meter",
    "Number",
    "audio_us",
    "exact_fraction",
    "quantity",
)

US_PER_MINUTE: Final = 60_000_000
LARGEST_QUANTITY: Final = 2**63 - 1
"""What a store can keep: 292 000 years of audio."""

Number: TypeAlias = Fraction | Decimal | str | int | float
"""A number as people write it down. A float stands for what it looks like: 0.1 is a tenth."""

_MOST_MINUTES: Final = LARGEST_QUANTITY // US_PER_MINUTE
_MOST_ZEROS: Final = 400
"""More than a float can have, and few enough to calculate with."""


class Meter(Vocabulary):
    """Something that is counted. The values are stored; never rename one.

    What is used up by replies that were begun too early and thrown away is *waste*, on meters
    of its own: nobody's limit on tokens pays for our haste, but a limit on money does.
    """

    AUDIO_US = "audio_us"
    VIDEO_TOKENS = "video_tokens"
    SCREEN_TOKENS = "screen_tokens"
    LLM_INPUT_TOKENS = "llm_input_tokens"
    LLM_OUTPUT_TOKENS = "llm_output_tokens"
    TTS_CHARACTERS = "tts_characters"
    SESSIONS = "sessions"
    WASTED_INPUT_TOKENS = "wasted_input_tokens"
    WASTED_OUTPUT_TOKENS = "wasted_output_tokens"
    WASTED_CHARACTERS = "wasted_characters"
    UNPRICED = "unpriced"
    """Charges whose price nobody knew: where there are any, the money is not all there is."""
    MONEY_USD = "money_usd"
    """Money, in units of `price.MONEY_UNITS`."""
    MONEY_EUR = "money_eur"
    MONEY_GBP = "money_gbp"
    MONEY_CHF = "money_chf"


WASTE_OF: Final[Mapping[Meter, Meter]] = MappingProxyType(
    {
        Meter.LLM_INPUT_TOKENS: Meter.WASTED_INPUT_TOKENS,
        Meter.LLM_OUTPUT_TOKENS: Meter.WASTED_OUTPUT_TOKENS,
        Meter.TTS_CHARACTERS: Meter.WASTED_CHARACTERS,
    }
)
"""Where it counts what nobody wanted in the end."""

MONEY_METERS: Final[Mapping[str, Meter]] = MappingProxyType(
    {
        "USD": Meter.MONEY_USD,
        "EUR": Meter.MONEY_EUR,
        "GBP": Meter.MONEY_GBP,
        "CHF": Meter.MONEY_CHF,
    }
)
"""By currency: what can be limited in money. Never added up: nobody here knows a rate."""

MONEY: Final = frozenset(MONEY_METERS.values())
"""The meters on which it counts."""


def exact_fraction(field: str, number: Number) -> Fraction:
    """Return exactly *number*.

    Raises:
        InvalidValue: It is no number, not finite, or absurdly large or small.
    """
    if isinstance(number, Fraction):
        return number
    try:
        if isinstance(number, str) and "/" in number:
            return Fraction(number)
        decimal = Decimal(str(number))
        if abs(decimal.adjusted()) > _MOST_ZEROS:
            # Written out, an exponent of a few digits would fill the memory.
            raise InvalidValue(field, number, f"a number of at most {_MOST_ZEROS} zeros")
        return Fraction(decimal)
    except (ArithmeticError, ValueError):
        raise InvalidValue(field, number, "a finite number") from None


def audio_us(minutes: Number) -> int:
    """Return *minutes* of audio in whole microseconds, the nearest; a tie goes to the even one.

    Raises:
        InvalidValue: It is no number, negative, or more than a store can keep.
    """
    exact = exact_fraction("audio_minutes", minutes)
    if not 0 <= exact <= _MOST_MINUTES:
        raise InvalidValue("audio_minutes", minutes, f"a number from 0 to {_MOST_MINUTES}")
    return round(exact * US_PER_MINUTE)


def quantity(meter: Meter, amount: int, *, at_least: int = 0) -> int:
    """Return *amount* as it is.

    Raises:
        InvalidValue: It is no ``int``, less than *at_least*, or more than a store can keep;
            a count has no fractions, so a float is refused even where it is whole.
    """
    if type(amount) is not int or not at_least <= amount <= LARGEST_QUANTITY:
        raise InvalidValue(meter, amount, f"a whole number from {at_least} to 2^63 - 1")
    return amount
