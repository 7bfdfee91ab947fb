"""``GET …/stats`` and ``GET …/tasks``."""

from __future__ import annotations

from ...schemas.belongings import stats_document, task_document
from ...schemas.requests import Nothing, Query, TasksQuery
from ..access import visible
from ..call import Answer, Call, json_answer

__all__ = ("stats", "tasks")


async def stats(call: Call[Query, Nothing]) -> Answer:
    """Return how a session does."""
    session = await visible(call)
    open_tasks = sum(task.is_open for task in await call.voice.jobs.of(session.id))
    return json_answer(stats_document(session, pending_tasks=open_tasks, now=call.voice.now()))


async def tasks(call: Call[TasksQuery, Nothing]) -> Answer:
    """Return what is done for a session in the background, the oldest first."""
    session = await visible(call)
    found = await call.voice.jobs.of(session.id, state=call.query.state)
    return json_answer([task_document(task) for task in found])
