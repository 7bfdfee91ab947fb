"""What a reply costs, told once it is known whether anybody wanted it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from ..core.meters import Meter
from .chain import Engine, Link
from .engines import Engines

__all__ = ("Expenses",)

E = TypeVar("E", bound=Engine)


class Expenses:
    """What engines have used for one reply.

    Attributes:
        are_wanted: The turn is over and this reply answers it: from now on they are told at once.
    """

    __slots__ = ("_untold", "are_wanted")

    def __init__(self) -> None:
        self.are_wanted = False
        self._untold: list[Callable[[bool], None]] = []

    def __bool__(self) -> bool:
        return bool(self._untold)

    def use(self, engines: Engines[E], link: Link[E], used: Mapping[Meter, int]) -> None:
        """Take that *link* has used what its vendor bills."""
        if self.are_wanted:
            engines.used(link, used)
        else:
            self._untold.append(lambda wasted: engines.used(link, used, wasted=wasted))

    def tell(self, *, wasted: bool) -> None:
        """Tell what was not told yet."""
        untold, self._untold = self._untold, []
        for tell in untold:
            tell(wasted)
