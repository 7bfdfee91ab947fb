"""
What is known only when it has happened: it is noted, booked in time, and may pass its limits.

The ledger tells of each limit with every entry that books something on its meter. Of a meter with
a limit it is asked with every entry from then on, so that a session learns what others have used
up. What is noted waits for the next entry: the closer a limit comes, whoever uses it up, the
sooner there is one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Set as AbstractSet
from typing import Final

from ..core.accounts import Standing
from ..core.ledger import Posted
from ..core.meters import Meter

__all__ = ("Afterwards",)

_SESSIONS_AT_ONCE: Final = 64
"""As many may wait with what they have noted, and pass no limit."""

_SHARE_OF_THE_REST: Final = 64
"""Of what is left of a limit, all who spend from it use less between two entries, where it is far."""

_MOST_TICKS: Final = 4
"""For a lease and a sweep, as long as a dead worker may go unnoticed: what it noted is lost."""


class Afterwards:
    """What one session has used besides audio and what is left of it, as far as is known."""

    def __init__(self) -> None:
        self._noted: dict[Meter, int] = {}
        self._limits: dict[Meter, tuple[Standing, ...]] = {}
        self._left: dict[Meter, int] = {}
        """What may still be spent of each of them, at the least."""
        self._is_near = True
        self._ticks = 0

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
        noted = self._noted
        for meter, left in self._left.items():
            used = noted.get(meter)
            if used and used * _SESSIONS_AT_ONCE >= left:
                return True
        return False

    @property
    def limited(self) -> AbstractSet[Meter]:
        """The meters of which a limit is known."""
        return self._limits.keys()

    @property
    def exhausted(self) -> tuple[Standing, ...]:
        """The limits of which nothing is left."""
        if all(self._left.values()):
            return ()
        told = (standing for limits in self._limits.values() for standing in limits)
        return tuple(standing for standing in told if standing.remaining == 0)

    def is_due_at_tick(self) -> bool:
        """Return whether to book what is noted, now that another tick of the worker has come."""
        self._ticks += 1
        has_waited = self._is_near or self._ticks >= _MOST_TICKS
        return self.is_due and (has_waited or self.is_pressing)

    def note(self, used: Mapping[Meter, int]) -> None:
        """Take that this has been used; 0 only asks for the limits on it."""
        noted = self._noted
        for meter, amount in used.items():
            noted[meter] = noted.get(meter, 0) + amount

    def asked(self) -> dict[Meter, int]:
        """Return what an entry has to charge; it is noted only there from now on."""
        noted, self._noted = self._noted, {}
        return {**dict.fromkeys(self._limits, 0), **noted}

    def learn(self, charged: Collection[Meter], posted: Posted) -> None:
        """Take what the ledger has told of the limits on what was *charged*, if anything was."""
        if not charged:
            return
        before = {each.line: each for limits in self._limits.values() for each in limits}
        self._is_near = any(_is_near(each, before.get(each.line)) for each in posted.limited)
        self._ticks = 0
        for meter in charged:
            limits = tuple(each for each in posted.limited if each.line.meter is meter)
            if limits:
                self._limits[meter] = limits
                self._left[meter] = min(each.remaining or 0 for each in limits)
            else:
                self._limits.pop(meter, None)
                self._left.pop(meter, None)


def _is_near(now: Standing, before: Standing | None) -> bool:
    """Whether a limit may come soon at the pace of late, or nobody knows that pace."""
    if before is None or before.limit != now.limit:
        return True
    used = (before.remaining or 0) - (now.remaining or 0)
    return used * _SHARE_OF_THE_REST >= (now.remaining or 0)
