"""Background tasks of sessions in a relational database."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    String,
    Text,
    and_,
    bindparam,
    func,
    literal_column,
    select,
    update,
)

from ...core.errors import SessionNotFound
from ...core.identity import SessionId
from ...core.instants import from_us
from ...core.tasks import Task, TaskState, claimed
from ...ports.scope import Scope
from ..arguments import check_page, lease_end
from ..present import present
from ..records import parse_task, task_document
from .commits import THE_SESSION, named
from .database import Database, Script
from .schema import SESSIONS, TASKS
from .statement import Statement, all_of, first, names_of, stored

__all__ = ("SqlTasks",)

_T: Final = TASKS.c
_OPEN: Final = (TaskState.PENDING, TaskState.RUNNING)
_STATE: Final = bindparam("of_state", type_=String())
_ATTEMPTS: Final = bindparam("of_attempts", type_=BigInteger())
_FINISHED: Final = frozenset({"session_id", "id", "tenant_id", "type", "created_at"})

_OF_SESSION: Final = Statement(
    lambda sql: (
        select(*all_of(sql, TASKS))
        .select_from(SESSIONS)
        .outerjoin(
            TASKS,
            and_(_T.session_id == SESSIONS.c.id, func.coalesce(_STATE, _T.state) == _T.state),
        )
        .where(THE_SESSION)
        .order_by(_T.created_at, _T.id)
    )
)
_DUE: Final = Statement(
    lambda sql: first(
        select(*all_of(sql, TASKS), sql.present_us.label("now"))
        .where(
            _T.state.in_([literal_column(f"'{state}'") for state in _OPEN]),
            _T.due_at <= sql.present_us,
            _T.type.in_(select(sql.rows("rows", Column("type", Text)).c.type)),
        )
        .order_by(_T.due_at, _T.id)
        .with_for_update(skip_locked=True)
    )
)
_WRITE: Final = Statement(
    lambda sql: (
        update(TASKS)
        .where(
            _T.session_id == bindparam("session_id"),
            _T.id == bindparam("task_id"),
            _T.attempts == _ATTEMPTS,
            func.coalesce(_STATE, _T.state) == _T.state,
        )
        .values(stored(sql, TASKS, (n for n in names_of(TASKS) if n not in _FINISHED)))
        .returning(_T.id)
    )
)


class SqlTasks:
    """See `TaskStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of_session(
        self, session_id: SessionId, /, scope: Scope, *, state: TaskState | None = None
    ) -> Sequence[Task]:
        return await self._database.ask(lambda: _of_session(session_id, scope, state))

    async def claim(
        self, types: Collection[str], /, *, duration: timedelta, limit: int = 1
    ) -> Sequence[Task]:
        check_page(limit)
        lease_end(present(), duration)  # refuses what is no duration
        return await self._database.write(lambda: _claim(types, duration, limit))

    async def finish(self, task: Task, /) -> bool:
        return await self._database.write(lambda: _finish(task))


def _of_session(
    session_id: SessionId, scope: Scope, state: TaskState | None
) -> Script[tuple[Task, ...]]:
    rows = yield _OF_SESSION, named(session_id, scope) | {"of_state": state}
    if not rows:
        raise SessionNotFound(session_id)
    return tuple(parse_task(row) for row in rows if row["id"] is not None)


def _claim(types: Collection[str], duration: timedelta, limit: int) -> Script[tuple[Task, ...]]:
    rows = json.dumps([{"type": name} for name in types])
    due = yield _DUE, {"rows": rows, "at_most": limit}
    taken: list[Task] = []
    for row in due:
        task = parse_task(row)
        taken.append(claimed(task, at=from_us(row["now"]), duration=duration))
        yield from _write(taken[-1], attempts=task.attempts, state=task.state)
    return tuple(taken)


def _finish(task: Task) -> Script[bool]:
    return (yield from _write(task, attempts=task.attempts, state=TaskState.RUNNING))


def _write(task: Task, *, attempts: int, state: TaskState) -> Script[bool]:
    guards = {"task_id": task.id, "of_attempts": attempts, "of_state": state}
    return bool((yield _WRITE, task_document(task) | guards))
