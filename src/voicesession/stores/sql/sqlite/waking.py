"""
How another thread wakes whoever waits in an event loop, whichever it is.

Events and threads of anyio would do, but they cost more than all the rest of the wait, and
`from_thread.run_sync` keeps the thread waiting until it is done.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Protocol, TypeAlias

from anyio import CancelScope, current_effective_deadline, move_on_after

__all__ = ("Bell", "CallsSoon", "bell_here")

CallsSoon: TypeAlias = Callable[[Callable[[], None]], object]
"""Has a loop call a function soon, from whichever thread, and does not wait for that.

`RuntimeError`: the loop has ended.
"""


class Bell(Protocol):
    """What somebody waits for in a loop."""

    @property
    def loop(self) -> CallsSoon:
        """The way into it."""
        ...

    def ring(self) -> None:
        """Wake whoever waits; called in the loop."""
        ...

    async def rings_within(self, limit_s: float) -> bool:
        """Wait until it rings, but no longer; return whether it has.

        A caller whose scope is cancelled meanwhile waits all the same, and finds itself cancelled
        at its next await. An asyncio ``Task.cancel`` goes through: it comes once.
        """
        ...


def bell_here() -> Bell:
    """Return a bell for whoever calls."""
    # Under Trio's guest mode a loop of asyncio runs, and yet we are in none of its tasks.
    try:
        if asyncio.current_task() is not None:
            return _BellInAsyncio()
    except RuntimeError:
        pass
    return _BellInTrio()


class _BellInAsyncio:
    def __init__(self) -> None:
        self._here = asyncio.get_running_loop()
        self._is_over = asyncio.Event()
        self._has_rung = False
        self.loop: CallsSoon = self._here.call_soon_threadsafe

    def ring(self) -> None:
        self._has_rung = True
        self._is_over.set()

    async def rings_within(self, limit_s: float) -> bool:
        timer = self._here.call_later(limit_s, self._is_over.set)
        try:
            await self._is_over.wait()
        except asyncio.CancelledError:
            if current_effective_deadline() > -math.inf:
                raise  # no scope has cancelled it
            # The shield comes so late because it is dear, and hardly anybody needs one.
            with CancelScope(shield=True):
                await self._is_over.wait()
        finally:
            timer.cancel()
        return self._has_rung


class _BellInTrio:
    def __init__(self) -> None:
        from trio import Event, lowlevel  # only who has it is here

        self._has_rung = Event()
        self.loop: CallsSoon = lowlevel.current_trio_token().run_sync_soon

    def ring(self) -> None:
        self._has_rung.set()

    async def rings_within(self, limit_s: float) -> bool:
        with move_on_after(limit_s, shield=True):
            await self._has_rung.wait()
            return True
        return False
