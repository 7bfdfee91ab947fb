"""Who does the work of a conversation that is done beside it, one piece after the other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import Context, copy_context
from typing import TypeAlias

import anyio
from anyio.abc import TaskGroup

__all__ = ("Hands",)

Work: TypeAlias = Callable[[], Awaitable[None]]


class Hands:
    """Does each piece of work as a task of its own would, and begins few tasks for it.

    To wake a task costs a third of what it costs to begin one, and a reply waits for that. So who
    has done its work stays for the next one, until `let_go`; but only for work that begins in the
    same context (`contextvars`), and only where its own work has left that as it was.

    Args:
        tasks: Where it is done. What a piece of work raises is raised there.
    """

    __slots__ = ("_idle", "_may_stay", "_tasks")

    def __init__(self, tasks: TaskGroup) -> None:
        self._tasks = tasks
        self._idle: tuple[_Hand, ...] = ()
        self._may_stay = True

    def start_soon(self, work: Work) -> None:
        """Have *work* done, beside all other."""
        self._may_stay = True
        context = copy_context()
        for hand in reversed(self._idle):  # who was at work last has everything at hand
            if _are_same(hand.context, context):
                self._leave(hand)
                hand.call(work)
                return
        self._tasks.start_soon(self._do, work, context)

    def let_go(self) -> None:
        """Take that there is nothing to do for a while."""
        self._may_stay = False
        idle, self._idle = self._idle, ()
        for hand in idle:
            hand.call(None)

    async def _do(self, work: Work | None, context: Context) -> None:
        hand = _Hand(context)
        while work is not None:
            await work()
            work = None  # whatever it was, it is over
            if self._may_stay and _are_same(context, copy_context()):
                self._idle += (hand,)
                work = await self._called(hand)

    async def _called(self, hand: _Hand) -> Work | None:
        """Return what *hand*, which is idle, is called for."""
        try:
            await hand.is_called.wait()
        except BaseException:
            if hand in self._idle:
                self._leave(hand)
            elif hand.work is not None:  # called, and cancelled in the same moment
                await hand.work()
            raise
        return hand.rise()

    def _leave(self, called: _Hand) -> None:
        """Take that *called* is idle no more."""
        self._idle = tuple(hand for hand in self._idle if hand is not called)


class _Hand:
    """A task that has done its work. Once called it is idle no more."""

    __slots__ = ("context", "is_called", "work")

    def __init__(self, context: Context) -> None:
        self.context = context
        self.work: Work | None = None
        self.is_called = anyio.Event()

    def call(self, work: Work | None) -> None:
        """Give it *work*; with None it may go."""
        self.work = work
        self.is_called.set()

    def rise(self) -> Work | None:
        """Return what it was called for, and be ready to be called again."""
        work, self.work = self.work, None
        self.is_called = anyio.Event()
        return work


def _are_same(one: Context, other: Context) -> bool:
    """Whether both hold the very same: what merely equals it may be another request's."""
    return len(one) == len(other) and all(
        var in other and other[var] is value for var, value in one.items()
    )
