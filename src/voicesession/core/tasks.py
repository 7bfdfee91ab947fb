"""
What is left to be done for a session in the background: a durable row, committed with it.

A task is *pending* until a runner claims it, and *running* until the runner says how it went
or its claim lapses; then another one may claim it. So a task is done at least once, and only
the runner with the latest claim may say how it went.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, NewType

from attrs import evolve, field, frozen
from attrs.validators import optional

from .backoff import Backoff
from .errors import InvalidState
from .fields import Vocabulary, is_count, is_text, naming_fields
from .identity import DEFAULT_TENANT, SessionId, TenantId, is_id
from .instants import as_utc
from .metadata import is_metadata_json

__all__ = (
    "ENHANCEMENT",
    "Task",
    "TaskId",
    "TaskState",
    "claimed",
    "completed",
    "failed",
    "is_answer_to",
)

TaskId = NewType("TaskId", str)

ENHANCEMENT: Final = "enhancement"
"""The type of the task that ``enhance_on_end`` commits."""


class TaskState(Vocabulary):
    """How far a task is."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"


@frozen(kw_only=True, field_transformer=naming_fields)
class Task:
    """Something to be done for a session.

    Attributes:
        type: Whose runner takes it, as the host names them.
        due_at: While pending, when it may first be claimed; while running, when the claim
            lapses.
        attempts: How often it was claimed; also tells one claim from the next.
        payload_json: What the runner needs to know, at most 16 KiB: `metadata.metadata_json`.
        result_uri: Where the result is; results themselves are never kept in a task.
        error_message: Why the last attempt failed, for people.
    """

    id: TaskId = field(validator=is_id)
    session_id: SessionId = field(validator=is_id)
    tenant_id: TenantId = field(default=DEFAULT_TENANT, validator=is_id)
    type: str = field(validator=is_text)
    state: TaskState = field(default=TaskState.PENDING, converter=TaskState)
    created_at: datetime = field(converter=as_utc)
    updated_at: datetime = field(converter=as_utc)
    due_at: datetime = field(converter=as_utc)
    attempts: int = field(default=0, validator=is_count)
    payload_json: str = field(default="{}", validator=is_metadata_json, repr=False)
    result_uri: str | None = field(default=None, validator=optional(is_text))
    error_message: str | None = field(default=None, validator=optional(is_text))

    @property
    def result_available(self) -> bool:
        """Whether `result_uri` says where the result is."""
        return self.result_uri is not None

    @property
    def is_open(self) -> bool:
        """Whether somebody may still claim it."""
        return self.state in {TaskState.PENDING, TaskState.RUNNING}


def claimed(task: Task, *, at: datetime, duration: timedelta) -> Task:
    """Return *task* in the hands of a runner, who has *duration* for it.

    Raises:
        InvalidState: It is done, or it is not due: somebody else has it, or it has to wait.
    """
    if not task.is_open or task.due_at > at:
        raise InvalidState(task.state, "claimed", ("completed", "failed"))
    return evolve(
        task,
        state=TaskState.RUNNING,
        attempts=task.attempts + 1,
        updated_at=at,
        due_at=at + duration,
    )


def completed(task: Task, *, at: datetime, result_uri: str | None) -> Task:
    """Return *task* done.

    Raises:
        InvalidState: Nobody has claimed it.
    """
    _running(task, "completed")
    return evolve(
        task, state=TaskState.COMPLETED, updated_at=at, result_uri=result_uri, error_message=None
    )


def failed(task: Task, *, at: datetime, error: str, backoff: Backoff, draw: float) -> Task:
    """Return *task* as it is after an attempt that failed: to be tried again, or given up.

    Args:
        backoff: How often it is tried again, and after how long.
        draw: A random number from 0 up to 1, for the jitter.

    Raises:
        InvalidState: Nobody has claimed it.
    """
    _running(task, "failed")
    after = evolve(task, updated_at=at, error_message=error)
    if task.attempts > backoff.retries:
        return evolve(after, state=TaskState.FAILED)
    wait = timedelta(microseconds=backoff.delay_us(task.attempts - 1, draw))
    return evolve(after, state=TaskState.PENDING, due_at=at + wait)


def is_answer_to(stored: Task, task: Task) -> bool:
    """Whether *task* says how the claim that is stored went, and not an earlier one."""
    return stored.state is TaskState.RUNNING and stored.attempts == task.attempts


def _running(task: Task, wish: str) -> None:
    if task.state is not TaskState.RUNNING:
        raise InvalidState(task.state, wish, ("claimed",) if task.is_open else ())
