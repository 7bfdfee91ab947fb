"""Values as people write them; what is printed for programs stays as exact as it is kept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from ..core.meters import Meter

__all__ = ("amount_shown", "currency_of", "duration_shown", "print_record")

_HUNDREDTH_US: Final = 10_000
_IN_A_MINUTE: Final = 6_000
_IN_AN_HOUR: Final = 360_000
_UNITS_US: Final = {"_seconds": 1_000_000, "_minutes": 60_000_000, "audioMin": 60_000_000}
"""What a duration is counted in, as the name of its field says."""
_FREE: Final = frozenset({"metadata", "agent_metadata"})
"""Whatever the host has put there."""


def duration_shown(duration_us: int) -> str:
    """Return a duration to the hundredth of a second: ``1 h 2 min 3.5 s``."""
    hundredths = (duration_us + _HUNDREDTH_US // 2) // _HUNDREDTH_US
    hours, rest = divmod(hundredths, _IN_AN_HOUR)
    minutes, rest = divmod(rest, _IN_A_MINUTE)
    counted = ((f"{hours}", "h"), (f"{minutes}", "min"), (f"{rest / 100:g}", "s"))
    return " ".join(f"{number} {unit}" for number, unit in counted if number != "0") or "0 s"


def amount_shown(meter: Meter, units: int) -> str:
    """Return so many units of *meter*: audio as a duration, money with its currency."""
    from ..core.meters import Meter

    if meter is Meter.AUDIO_US:
        return duration_shown(units)
    currency = currency_of(meter)
    return str(units) if currency is None else _money_shown(units, currency)


def currency_of(meter: str) -> str | None:
    """Return the currency that *meter* counts; None if it counts something else."""
    from ..core.meters import MONEY_METERS

    return next((one for one, counting in MONEY_METERS.items() if counting == meter), None)


def print_record(record: Mapping[str, Any]) -> None:
    """Print a line for each field that says something."""
    for name, value in record.items():
        if value not in (None, "", [], {}):
            print(f"{name:<24}{_shown(name, value)}")


def _money_shown(units: int, currency: str) -> str:
    from ..core.price import Money

    money = Money.of_units(units, currency)
    is_whole_cents = (money.amount * 100).denominator == 1
    rounded = money.rounded(2 if is_whole_cents or money.amount >= 1 else 4)
    return f"{rounded} {currency}" if rounded or not units else f"less than 0.0001 {currency}"


def _shown(name: str, value: Any) -> str:
    if name in _FREE:
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, cast("list[object]", value)))
    if isinstance(value, dict):
        parts = cast("dict[str, Any]", value).items()
        return ", ".join(f"{part} {_shown(part, one)}" for part, one in parts if one is not None)
    unit_us = next((us for unit, us in _UNITS_US.items() if unit in name), None)
    return str(value) if unit_us is None else duration_shown(round(value * unit_us))
