"""A storage for tests and single-process apps; it loses everything at exit."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from anyio.lowlevel import checkpoint

from .ledger import MemoryLedger
from .sessions import MemorySessions
from .shelves import Shelves
from .tasks import MemoryTasks
from .templates import MemoryTemplates

__all__ = ("MemoryStorage",)


class MemoryStorage:
    """Keeps everything in dicts. Runs on asyncio and on Trio, in one event loop."""

    def __init__(self) -> None:
        shelves = Shelves()
        self.sessions = MemorySessions(shelves)
        self.transcripts = self.sessions
        self.templates = MemoryTemplates(shelves)
        self.tasks = MemoryTasks(shelves)
        self.ledger = MemoryLedger(shelves)

    async def __aenter__(self) -> Self:
        await checkpoint()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None:
        await checkpoint()
