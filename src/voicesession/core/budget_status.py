"""Where an account stands, as people and pages read it."""

from __future__ import annotations

from collections.abc import Iterable

from .accounts import Standing
from .draft import tightest
from .meters import US_PER_MINUTE, Meter

__all__ = ("budget_status",)


def budget_status(found: Iterable[Standing]) -> dict[str, dict[str, float | None]]:
    """Return where one account stands on each meter, as a JSON object for people and pages.

    Of several limits the tightest is shown; without one, the first window: the day, or the
    session. Audio is in minutes, under ``audio_minutes``, as exact as a float is; everything
    else is in whole units. ``limit``, ``remaining`` and ``utilization`` are None without a
    limit.

    Args:
        found: Of one account, from `standings`, for as many meters as are to be shown.
    """
    by_meter: dict[Meter, list[Standing]] = {}
    for standing in found:
        by_meter.setdefault(standing.line.meter, []).append(standing)
    return {
        "audio_minutes" if meter is Meter.AUDIO_US else meter.value: _shown(
            tightest(each for each in of_meter if each.limit is not None) or of_meter[0]
        )
        for meter, of_meter in by_meter.items()
    }


def _shown(standing: Standing) -> dict[str, float | None]:
    limit, utilization = standing.limit, standing.utilization
    in_units = {
        "used": standing.spent,
        "reserved": standing.held,
        "limit": None if limit is None else limit.amount,
        "remaining": standing.remaining,
    }
    is_audio = standing.line.meter is Meter.AUDIO_US
    return {
        **{
            name: units / US_PER_MINUTE if is_audio and units is not None else units
            for name, units in in_units.items()
        },
        "utilization": None if utilization is None else float(utilization),
    }
