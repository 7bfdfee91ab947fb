"""Who spends: the session that this worker owns, as its budget sees it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol, TypeAlias

from ..core.events import SessionEvent
from ..core.session import Session
from .happenings import Listeners
from .record import Running

__all__ = ("Spawn", "Spender")

Spawn: TypeAlias = Callable[[Callable[[], Coroutine[Any, Any, None]]], None]
"""Runs something in the background."""


class Spender(Protocol):
    """The session that spends, as its owner has it in hand."""

    @property
    def session(self) -> Session: ...

    @property
    def running(self) -> Running: ...

    @property
    def is_ending(self) -> bool:
        """Whether its end has begun: nothing else is to become of it."""
        ...

    @property
    def listeners(self) -> Listeners: ...

    def apply(self, *events: SessionEvent, **changes: Any) -> Awaitable[Session]:
        """Apply *events* and do what is owed for them."""
        ...

    def note(self, event: SessionEvent) -> Awaitable[Session]:
        """Apply *event*, for which nothing is ever owed."""
        ...
