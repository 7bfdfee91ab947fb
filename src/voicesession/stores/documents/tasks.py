"""Tasks over documents."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from ...core.errors import SessionNotFound
from ...core.identity import SessionId
from ...core.instants import to_us
from ...core.tasks import Task, TaskState, claimed, is_answer_to
from ...core.text import storable_text
from ...ports.documents import MAX_BATCH, DocumentQuery, StoredDocument
from ...ports.scope import EVERYTHING, Scope
from ..arguments import check_page, lease_end
from ..records import parse_task
from . import layout
from .bulk import everything_in, write_each
from .commits import task_put
from .contention import persistently
from .onheads import OnHeads

__all__ = ("DocumentTasks",)


class DocumentTasks(OnHeads):
    """See `TaskStore`."""

    async def of_session(
        self, session_id: SessionId, /, scope: Scope, *, state: TaskState | None = None
    ) -> Sequence[Task]:
        head = await self._heads.of(session_id, scope)
        documents = await everything_in(self._driver, layout.TASKS, {"under": head.root})
        tasks = [parse_task(document.body) for document in documents]
        found = (task for task in tasks if state in (None, task.state))
        return tuple(sorted(found, key=lambda task: (task.created_at, task.id)))

    async def claim(
        self, types: Collection[str], /, *, duration: timedelta, limit: int = 1
    ) -> Sequence[Task]:
        check_page(limit)
        names = {storable_text(name, "types") for name in types}
        now = await self._driver.now()
        lease_end(now, duration)  # refuses what is no duration
        taken: list[Task] = []
        while len(taken) < limit:
            due = await self._due(names, now, min(limit - len(taken), MAX_BATCH))
            if not due:
                break
            tasks = [claimed(parse_task(d.body), at=now, duration=duration) for d in due]
            puts = [
                task_put(task, document.body["under"], document.revision)
                for task, document in zip(tasks, due, strict=True)
            ]
            done = await write_each(self._driver, puts)
            taken += [task for task, is_mine in zip(tasks, done, strict=True) if is_mine]
        return taken

    async def finish(self, task: Task, /) -> bool:
        async def write() -> bool:
            try:
                head = await self._heads.of(task.session_id, EVERYTHING)
            except SessionNotFound:
                return False
            (stored,) = await self._driver.get([layout.task_key(head.root, task.id)])
            if stored is None or not is_answer_to(parse_task(stored.body), task):
                return False
            put = self._heads.check_size("task", task_put(task, head.root, stored.revision))
            await self._driver.write([put])
            return True

        return await persistently(write)

    async def _due(self, types: Collection[str], now: datetime, limit: int) -> list[StoredDocument]:
        """Return the tasks that have waited longest, of any of *types*."""
        due: list[StoredDocument] = []
        for name in types:
            query = DocumentQuery(
                index=layout.BY_TASK_TYPE,
                equal={"type": name, "is_open": True},
                end=(to_us(now) + 1,),
                limit=limit,
            )
            due += await self._driver.find(query)
        return sorted(due, key=lambda document: (document.body["due_at"], document.body["id"]))[
            :limit
        ]
