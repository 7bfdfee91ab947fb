"""The thread and the event loop in which a worker's sessions live, and the way in from others."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import wraps
from inspect import isawaitable, iscoroutinefunction, isfunction
from typing import Any, TypeVar

import anyio.from_thread
from anyio import RunFinishedError
from anyio.lowlevel import EventLoopToken, current_token

from ..core.errors import InvalidState, WrongThread

__all__ = ("Home", "at_home")

F = TypeVar("F")


class Home:
    """Where calls are welcome. Before it is settled, and once it is left, that is anywhere."""

    def __init__(self) -> None:
        self._thread: int | None = None
        self._loop: EventLoopToken | None = None

    def settle(self) -> None:
        """Be at home in this thread, and in the event loop that runs here."""
        self._thread, self._loop = threading.get_ident(), current_token()

    def leave(self) -> None:
        """Be at home nowhere."""
        self._thread = self._loop = None

    def check(self) -> None:
        """Do nothing if the caller is at home.

        Raises:
            WrongThread: It is in a foreign thread.
        """
        if self._thread is not None and self._thread != threading.get_ident():
            raise WrongThread("called from a foreign thread; see SessionManager.from_thread")

    def call(self, function: Callable[[], Any]) -> Any:
        """From another thread: have *function* called here, and return what comes of it.

        Raises:
            InvalidState: Nobody is at home, or has left meanwhile.
            WrongThread: The caller is at home: waiting for itself it would wait for ever.
        """
        loop = self._loop
        if loop is None:
            raise InvalidState("closed", "from_thread", ("open",))
        if self._thread == threading.get_ident():
            raise WrongThread("from_thread is for other threads; here, just call it")

        async def call_and_wait() -> Any:
            result = function()
            return await result if isawaitable(result) else result

        try:
            return anyio.from_thread.run(call_and_wait, token=loop)
        except RunFinishedError:
            raise InvalidState("closed", "from_thread", ("open",)) from None


def at_home(face: type[F]) -> type[F]:
    """Have every public method of *face* refuse callers in a foreign thread.

    Its instances name their home as ``_home``. A coroutine may be made anywhere: what counts is
    where it runs.
    """
    for name, method in tuple(vars(face).items()):
        if isfunction(method) and not name.startswith("_"):
            setattr(face, name, _checked(method))
    return face


def _checked(method: Callable[..., Any]) -> Callable[..., Any]:
    if iscoroutinefunction(method):

        @wraps(method)
        async def wait(self: Any, /, *args: Any, **kwargs: Any) -> Any:
            self._home.check()
            return await method(self, *args, **kwargs)

        return wait

    @wraps(method)
    def call(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        self._home.check()
        return method(self, *args, **kwargs)

    return call
