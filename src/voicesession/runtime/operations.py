"""
What every public operation has in common, whatever it does: it is refused from a foreign
thread, timed, and traced under its own name.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import wraps
from inspect import signature
from typing import Any, Concatenate, ParamSpec, TypeVar

from ..core.session import Session
from .services import Services
from .telemetry.reporting import Operation, state_of
from .worker import Worker

__all__ = ("Operating", "operation")

P = ParamSpec("P")
T = TypeVar("T")
S = TypeVar("S", bound="Operating")


class Operating:
    """A face of a worker that offers operations."""

    _services: Services
    _worker: Worker

    def _operation(self, name: str, session_id: str | None = None) -> Operation:
        """Have the block be an operation; what comes is its span."""
        self._worker.home.check()
        return self._services.telemetry.operation(name, self._services.clock, session_id=session_id)


def operation(
    method: Callable[Concatenate[S, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[S, P], Coroutine[Any, Any, T]]:
    """Have *method* be an operation of its own name.

    Where its first argument is a ``session_id``, that is the session that it is about.
    """
    name = method.__name__
    _self, *parameters = signature(method).parameters
    names_session_first = parameters[:1] == ["session_id"]

    @wraps(method)
    async def operate(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        given = args[0] if args and names_session_first else kwargs.get("session_id")
        named = given if isinstance(given, str) else None
        with self._operation(name, named) as span:  # pyright: ignore[reportPrivateUsage]  # one of us
            result = await method(self, *args, **kwargs)
            if isinstance(result, Session):
                span.set_attributes(state_of(result))
            return result

    return operate
