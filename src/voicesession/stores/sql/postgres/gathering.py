"""Commits that come while one is under way: they wait for it, and then go together."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Final

from attrs import field, frozen

from ....core.errors import StoreError, StoreTimeout
from ....ports.storage import Change

__all__ = ("Gathering",)

_MOST_TOGETHER: Final = 100


@frozen(eq=False)
class _Waiting:
    """A commit, and who waits for it: the future says whether it was written."""

    change: Change
    was_swapped: asyncio.Future[bool] = field(
        factory=lambda: asyncio.get_running_loop().create_future()
    )


class Gathering:
    """Writes many commits at once, as far as that is possible.

    Args:
        swap: Writes commits of different sessions; returns the ids of those it could.
        start: Has work go on by itself, whoever is cancelled.
    """

    def __init__(
        self,
        swap: Callable[[Sequence[Change]], Awaitable[frozenset[str]]],
        start: Callable[[Coroutine[Any, Any, None]], object],
    ) -> None:
        self._swap = swap
        self._start = start
        self._waiting: list[_Waiting] = []
        self._is_swapping = False

    def join(self, change: Change) -> asyncio.Future[bool]:
        """Have *change* written with others that wait; return whether it was, when it is known.

        What was not is to be written alone, which tells why.
        """
        waiting = _Waiting(change)
        self._waiting.append(waiting)
        if not self._is_swapping:
            self._is_swapping = True
            self._start(self._swap_waiting())
        return waiting.was_swapped

    async def _swap_waiting(self) -> None:
        try:
            while self._waiting:
                await self._swap_some(self._next())
        finally:
            self._is_swapping = False

    async def _swap_some(self, together: Sequence[_Waiting]) -> None:
        try:
            swapped = await self._swap([waiting.change for waiting in together])
        except StoreError as error:
            if isinstance(error, StoreTimeout):
                # Nobody knows whether it was written, so nobody may write it again.
                _tell(together, error)
            else:
                # It may be the error of one of them, which then fails alone.
                for waiting in together:
                    waiting.was_swapped.set_result(False)
        except BaseException as error:
            _tell(together, error)  # whatever it is: nobody is left waiting
            raise
        else:
            for waiting in together:
                waiting.was_swapped.set_result(waiting.change.session.id in swapped)

    def _next(self) -> list[_Waiting]:
        """Take those whose turn it is: of each session the first."""
        together: dict[str, _Waiting] = {}
        later: list[_Waiting] = []
        for waiting in self._waiting:
            name = waiting.change.session.id
            if name in together or len(together) == _MOST_TOGETHER:
                later.append(waiting)
            else:
                together[name] = waiting
        self._waiting = later
        return list(together.values())


def _tell(together: Sequence[_Waiting], error: BaseException) -> None:
    for waiting in together:
        waiting.was_swapped.set_exception(error)
