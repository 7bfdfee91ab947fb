"""How another thread gets a word into an event loop, whichever it is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeAlias

__all__ = ("CallsSoon", "this_loop")

CallsSoon: TypeAlias = Callable[[Callable[[], None]], object]
"""Has a loop call a function soon, from whichever thread, and does not wait for that.

`RuntimeError`: the loop has ended.
"""


def this_loop() -> CallsSoon:
    """Return what has the loop that runs here call a function."""
    # A way of anyio's own, `from_thread.run_sync`, keeps the thread waiting until it is done.
    # Under Trio's guest mode a loop of asyncio runs, and yet we are in none of its tasks.
    try:
        if asyncio.current_task() is not None:
            return asyncio.get_running_loop().call_soon_threadsafe
    except RuntimeError:
        pass
    from trio.lowlevel import current_trio_token  # only who has it is here

    return current_trio_token().run_sync_soon
