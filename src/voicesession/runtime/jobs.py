"""
What is to be done for a session in the background: durable tasks, and who does them.

A task is a row that is committed with its session, so it is there exactly when what it
belongs to is. Any worker that has a handler for its type may do it; one that dies loses its
claim, and another one does it again. So a handler may be called more than once for a task,
and should come to the same result.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, TypeAlias

import anyio
from attrs import field, frozen

from ..core.backoff import Backoff
from ..core.errors import StoreError, VoiceSessionError
from ..core.identity import RANDOM_BYTES, SessionId, uuid7_hex
from ..core.instants import duration_us
from ..core.metadata import metadata_json
from ..core.session import Session
from ..core.tasks import ENHANCEMENT, Task, TaskId, TaskState, completed, failed
from ..ports.scope import Scope
from .home import Home, at_home
from .services import Services

__all__ = ("JobHandler", "JobPolicy", "JobRunner", "Jobs", "enhancement_of", "new_task")

JobHandler: TypeAlias = Callable[[Task], Awaitable[str | None]]
"""Does a task; returns the URI of its result, or None if there is none to keep."""

_LONGEST_ERROR: Final = 500


@frozen(kw_only=True)
class JobPolicy:
    """How tasks are done.

    Attributes:
        at_once: So many are done at the same time by one worker.
        takes_at_most: A handler that takes longer is cancelled, and has failed.
        poll_every: How soon a task of another worker is noticed.
        backoff: How often a task that failed is tried again, and when.
    """

    at_once: int = 2
    takes_at_most: timedelta = timedelta(minutes=5)
    poll_every: timedelta = timedelta(seconds=5)
    backoff: Backoff = field(factory=Backoff)


def new_task(
    services: Services, session: Session, kind: str, payload: Mapping[str, Any] | None = None
) -> Task:
    """Return a task for *session* that is due at once, to be committed with it.

    Raises:
        InvalidValue: The type is no text, or the payload no JSON object of at most 16 KiB.
    """
    now = services.clock.now()
    return Task(
        id=TaskId(f"task_{uuid7_hex(now, services.entropy(RANDOM_BYTES))}"),
        session_id=session.id,
        tenant_id=session.tenant_id,
        type=kind,
        created_at=now,
        updated_at=now,
        due_at=now,
        payload_json=metadata_json(payload or {}),
    )


def enhancement_of(services: Services, session: Session) -> dict[str, Any]:
    """Return what a session that ends must commit if it is to be enhanced afterwards."""
    if not session.enhance_on_end or session.enhancement_job_id is not None:
        return {}
    task = new_task(services, session, ENHANCEMENT)
    return {"tasks": (task,), "enhancement_job_id": task.id}


@at_home
class Jobs:
    """The tasks of one tenant's sessions; `SessionManager.jobs`."""

    def __init__(self, services: Services, home: Home, runner: JobRunner, scope: Scope) -> None:
        self._home = home
        self._store = services.storage.tasks
        self._runner = runner
        self._scope = scope

    def handle(self, kind: str, handler: JobHandler) -> None:
        """Let *handler* do the tasks of type *kind*, of all tenants, on this worker.

        The type ``enhancement`` is what ``enhance_on_end`` commits.
        """
        self._runner.handlers[kind] = handler

    async def of(self, session_id: str, *, state: str | None = None) -> Sequence[Task]:
        """Return the tasks of a session, the oldest first.

        Raises:
            InvalidValue: There is no such state.
            SessionNotFound: There is none of this id for this tenant.
        """
        return await self._store.of_session(
            SessionId(session_id), self._scope, state=None if state is None else TaskState(state)
        )


class JobRunner:
    """Does the tasks for which this worker has handlers, for as long as `run` runs.

    Args:
        on_error: Told when the store does not hand out tasks.
    """

    def __init__(
        self,
        services: Services,
        *,
        on_error: Callable[[None, Exception], None],
        policy: JobPolicy | None = None,
    ) -> None:
        self._services = services
        self._clock = services.clock
        self._store = services.storage.tasks
        self._on_error = on_error
        self._policy = policy or JobPolicy()
        self.handlers: dict[str, JobHandler] = {}

    async def run(self) -> None:
        """Do tasks until cancelled; one that is being done then is done again elsewhere."""
        async with anyio.create_task_group() as group:
            for _ in range(self._policy.at_once):
                group.start_soon(self._run)

    async def _run(self) -> None:
        poll_us = duration_us(self._policy.poll_every)
        while True:
            if not await self.do_next():
                await self._clock.sleep_until(self._clock.monotonic_us() + poll_us)

    async def do_next(self) -> bool:
        """Do one task that is due; return whether there was one."""
        if not self.handlers:
            return False
        try:
            claimed = await self._store.claim(
                tuple(self.handlers), duration=self._policy.takes_at_most
            )
            for task in claimed:
                await self._store.finish(await self._done(task))
        except StoreError as error:
            self._on_error(None, error)
            return False
        return bool(claimed)

    async def _done(self, task: Task) -> Task:
        result_uri: str | None = None
        problem: str | None = "it took too long"
        with anyio.move_on_after(self._policy.takes_at_most.total_seconds()):
            try:
                result_uri = await self.handlers[task.type](task)
            except Exception as error:  # noqa: BLE001  # whatever the host's code raises is told
                problem = _told(error)
            else:
                problem = None
        now = self._clock.now()
        if problem is None:
            return completed(task, at=now, result_uri=result_uri)
        draw = int.from_bytes(self._services.entropy(4)) / 2**32
        return failed(task, at=now, error=problem, backoff=self._policy.backoff, draw=draw)


def _told(error: Exception) -> str:
    name = error.code if isinstance(error, VoiceSessionError) else type(error).__name__
    text = f"{name}: {error}".replace("\0", "")
    return text.encode("utf-8", "replace").decode()[:_LONGEST_ERROR]
