"""Where the background tasks of sessions are kept; a session's commit brings them in."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Protocol

from ..core.identity import SessionId
from ..core.tasks import Task, TaskState
from .scope import Scope

__all__ = ("TaskStore",)


class TaskStore(Protocol):
    """Hands tasks to runners; see `voicesession.core.tasks` for their life."""

    async def of_session(
        self, session_id: SessionId, /, scope: Scope, *, state: TaskState | None = None
    ) -> Sequence[Task]:
        """Return the tasks of a session, those in *state* or all, by creation and then by id.

        Raises:
            SessionNotFound: There is no such session in *scope*.
        """
        ...

    async def claim(
        self, types: Collection[str], /, *, duration: timedelta, limit: int = 1
    ) -> Sequence[Task]:
        """Claim at most *limit* due tasks of *types*, of any tenant, for *duration*.

        Due by the time of the store, which also stamps the claim. Of many callers at once
        each task goes to one. Those that have waited longest come first.
        """
        ...

    async def finish(self, task: Task, /) -> bool:
        """Store how an attempt went; *task* comes from `tasks.completed` or `tasks.failed`.

        Returns whether it was stored: not if the claim has passed to somebody else, the
        attempt was finished already, or the session is deleted.
        """
        ...
