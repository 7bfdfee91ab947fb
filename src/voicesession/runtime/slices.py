"""The audio that one session has reserved: slice after slice, used in the order they were granted."""

from __future__ import annotations

from ..core.accounts import HoldId

__all__ = ("Slices",)


class Slices:
    """The holds of a session's audio, and how much of them is left.

    Attributes:
        left_us: How much may be processed without asking: of the slices, the last of it.
            Whoever processes audio takes it off here.
    """

    __slots__ = ("_held", "left_us")

    def __init__(self) -> None:
        self._held: dict[HoldId, int] = {}
        self.left_us = 0

    @property
    def used_us(self) -> int:
        """How much of them is used."""
        return sum(self._held.values()) - self.left_us

    def add(self, hold_id: HoldId, amount_us: int) -> None:
        """Take what was granted, to be used when the slices before it are."""
        self._held[hold_id] = amount_us
        self.left_us += amount_us

    def pop_used_up(self) -> dict[HoldId, int]:
        """Take away the slices of which nothing is left; return how much of each was used."""
        used_us, popped = self.used_us, dict[HoldId, int]()
        for hold_id, amount_us in tuple(self._held.items()):
            if used_us < amount_us:
                break
            used_us -= amount_us
            popped[hold_id] = self._held.pop(hold_id)
        return popped

    def pop_all(self) -> dict[HoldId, int]:
        """Take all slices away; return how much of each was used. Nothing is left."""
        popped, used_us = self.pop_used_up(), self.used_us
        for hold_id in self._held:
            popped[hold_id], used_us = used_us, 0
        self._held.clear()
        self.left_us = 0
        return popped
