"""Tasks in memory."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import timedelta

from anyio.lowlevel import checkpoint

from ...core.identity import SessionId
from ...core.tasks import Task, TaskState, claimed, is_answer_to
from ...ports.scope import Scope
from ..arguments import check_page, lease_end
from ..present import present
from .shelves import Shelves

__all__ = ("MemoryTasks",)


class MemoryTasks:
    """See `TaskStore`."""

    def __init__(self, shelves: Shelves) -> None:
        self._shelves = shelves

    async def of_session(
        self, session_id: SessionId, /, scope: Scope, *, state: TaskState | None = None
    ) -> Sequence[Task]:
        await checkpoint()
        tasks = self._shelves.of(session_id, scope).tasks.values()
        found = (task for task in tasks if state in (None, task.state))
        return tuple(sorted(found, key=lambda task: (task.created_at, task.id)))

    async def claim(
        self, types: Collection[str], /, *, duration: timedelta, limit: int = 1
    ) -> Sequence[Task]:
        await checkpoint()
        check_page(limit)
        now = present()
        lease_end(now, duration)  # refuses what is no duration
        due = sorted(
            (task for task in self._open() if task.type in types and task.due_at <= now),
            key=lambda task: (task.due_at, task.id),
        )
        taken = [claimed(task, at=now, duration=duration) for task in due[:limit]]
        for task in taken:
            self._shelves.sessions[task.session_id].tasks[task.id] = task
        return taken

    async def finish(self, task: Task, /) -> bool:
        await checkpoint()
        kept = self._shelves.sessions.get(task.session_id)
        stored = None if kept is None else kept.tasks.get(task.id)
        if kept is None or stored is None or not is_answer_to(stored, task):
            return False
        kept.tasks[task.id] = task
        return True

    def _open(self) -> Iterator[Task]:
        for kept in self._shelves.sessions.values():
            yield from (task for task in kept.tasks.values() if task.is_open)
