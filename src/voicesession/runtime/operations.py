"""
What every public operation has in common, whatever it does: it is refused from a foreign
thread, timed, and traced under its own name.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from ..core.session import Session
from .services import Services
from .telemetry.reporting import state_of
from .worker import Worker

__all__ = ("Operating", "operation")

P = ParamSpec("P")
T = TypeVar("T")
S = TypeVar("S", bound="Operating")


class Operating:
    """A face of a worker that offers operations."""

    _services: Services
    _worker: Worker

    @contextmanager
    def _operation(self, name: str, session_id: str | None = None) -> Generator[Any]:
        """Have the block be an operation; what comes is its span."""
        self._worker.home.check()
        clock = self._services.clock
        with self._services.telemetry.operation(name, clock, session_id=session_id) as span:
            yield span


def operation(
    method: Callable[Concatenate[S, P], Awaitable[T]],
) -> Callable[Concatenate[S, P], Awaitable[T]]:
    """Have *method* be an operation of its own name.

    Its first argument, where there is one, is the id of the session that it is about.
    """
    name = method.__name__

    @wraps(method)
    async def operate(self: S, *args: P.args, **kwargs: P.kwargs) -> T:
        session_id = args[0] if args else kwargs.get("session_id")
        named = session_id if isinstance(session_id, str) else None
        with self._operation(name, named) as span:
            result = await method(self, *args, **kwargs)
            if isinstance(result, Session):
                span.set_attributes(state_of(result))
            return result

    return operate
