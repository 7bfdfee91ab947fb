"""
What is known only when it has happened: it is noted, booked in time, and may pass its limits.

The ledger tells of each limit with every entry that books something on its meter. Of a meter with
a limit it is asked with every entry from then on, so that a session learns soon what others have
used up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from ..core.accounts import Standing
from ..core.ledger import Posted
from ..core.meters import Meter

__all__ = ("Afterwards",)

_SESSIONS_AT_ONCE: Final = 64
"""As many may wait for a tick of their worker with what they have noted, and pass no limit."""


class Afterwards:
    """What one session has used besides audio and what is left of it, as far as is known."""

    def __init__(self) -> None:
        self._noted: Counter[Meter] = Counter()
        self._limits: dict[Meter, tuple[Standing, ...]] = {}

    @property
    def noted(self) -> Mapping[Meter, int]:
        """What is not booked."""
        return self._noted

    @property
    def is_due(self) -> bool:
        """Whether there is something to book."""
        return any(self._noted.values())

    @property
    def is_pressing(self) -> bool:
        """Whether it should be booked at once: many sessions that wait with as much would pass."""
        return any(
            self._noted[meter] * _SESSIONS_AT_ONCE >= (standing.remaining or 0)
            for meter, limits in self._limits.items()
            for standing in limits
            if self._noted[meter]
        )

    @property
    def limited(self) -> frozenset[Meter]:
        """The meters of which a limit is known."""
        return frozenset(self._limits)

    @property
    def exhausted(self) -> tuple[Standing, ...]:
        """The limits of which nothing is left."""
        told = (standing for limits in self._limits.values() for standing in limits)
        return tuple(standing for standing in told if standing.remaining == 0)

    def note(self, used: Mapping[Meter, int]) -> None:
        """Take that this has been used; 0 only asks for the limits on it."""
        self._noted.update(used)

    def asked(self) -> dict[Meter, int]:
        """Return what an entry has to charge; it is noted only there from now on."""
        noted, self._noted = self._noted, Counter()
        return {**dict.fromkeys(self._limits, 0), **noted}

    def learn(self, charged: Iterable[Meter], posted: Posted) -> None:
        """Take what the ledger has told of the limits on what was *charged*."""
        for meter in charged:
            limits = tuple(each for each in posted.limited if each.line.meter is meter)
            if limits:
                self._limits[meter] = limits
            else:
                self._limits.pop(meter, None)
