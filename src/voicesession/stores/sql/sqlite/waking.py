"""How another thread wakes whoever waits in an event loop, whichever it is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol, Self, TypeAlias

from attrs import frozen

__all__ = ("Bell", "CallsSoon")

CallsSoon: TypeAlias = Callable[[Callable[[], None]], object]
"""Has a loop call a function soon, from whichever thread, and does not wait for that.

`RuntimeError`: the loop has ended.
"""


class _Event(Protocol):
    def set(self) -> object: ...

    async def wait(self) -> object: ...


@frozen(eq=False)
class Bell:
    """What somebody waits for in a loop.

    Attributes:
        loop: The way into it.
    """

    loop: CallsSoon
    _rung: _Event

    @classmethod
    def here(cls) -> Self:
        """Return one for whoever calls."""
        # Events and threads of anyio would do, but its events cost half as much again to make,
        # and `from_thread.run_sync` keeps the thread waiting until it is done.
        # Under Trio's guest mode a loop of asyncio runs, and yet we are in none of its tasks.
        try:
            if asyncio.current_task() is not None:
                return cls(asyncio.get_running_loop().call_soon_threadsafe, asyncio.Event())
        except RuntimeError:
            pass
        from trio import Event, lowlevel  # only who has it is here

        return cls(lowlevel.current_trio_token().run_sync_soon, Event())

    async def wait(self) -> None:
        """Return when it was rung."""
        await self._rung.wait()

    def ring(self) -> None:
        """Wake whoever waits; called in the loop."""
        self._rung.set()
