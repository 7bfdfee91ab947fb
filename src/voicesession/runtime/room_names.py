"""Names for rooms, drawn by one process."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final

from ..core.rooms import ROOM_NAME_BYTES, generate_room_name

__all__ = ("RoomNames",)

_NAMES_OF_A_SECOND: Final = 256**ROOM_NAME_BYTES


class RoomNames:
    """Draws names, none twice within a second; whether another process did, the store knows."""

    def __init__(self, entropy: Callable[[int], bytes]) -> None:
        self._entropy = entropy
        self._second: datetime | None = None
        self._drawn: set[int] = set()

    def draw(self, at: datetime) -> str:
        """Return a name that has not been drawn in the second of *at*."""
        if (second := at.replace(microsecond=0)) != self._second:
            self._second, self._drawn = second, set()
        number = int.from_bytes(self._entropy(ROOM_NAME_BYTES))
        while number in self._drawn:
            number = (number + 1) % _NAMES_OF_A_SECOND
        self._drawn.add(number)
        return generate_room_name(at, number.to_bytes(ROOM_NAME_BYTES))
