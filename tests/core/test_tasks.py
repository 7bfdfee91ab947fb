from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from attrs import evolve

from voicesession.core.backoff import Backoff
from voicesession.core.errors import InvalidState, InvalidValue
from voicesession.core.identity import SessionId
from voicesession.core.tasks import (
    Task,
    TaskId,
    TaskState,
    claimed,
    completed,
    failed,
    is_answer_to,
)

AT = datetime(2026, 11, 21, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
NEW = Task(
    id=TaskId("task_1"),
    session_id=SessionId("sess_1"),
    type="enhancement",
    created_at=AT,
    updated_at=AT,
    due_at=AT,
)
RUNNING = claimed(NEW, at=AT, duration=MINUTE)
DONE = completed(RUNNING, at=AT + MINUTE, result_uri="file:///result")
ONCE_MORE = Backoff(retries=1, first_us=2_000_000, jitter=0.5)


def fail(task: Task, *, draw: float = 0) -> Task:
    return failed(task, at=AT + MINUTE, error="no disk", backoff=ONCE_MORE, draw=draw)


def test_a_new_task_is_pending_and_nobody_has_tried_it() -> None:
    assert (NEW.state, NEW.attempts, NEW.is_open, NEW.result_available) == (
        "pending",
        0,
        True,
        False,
    )


def test_a_claim_is_an_attempt_until_it_lapses() -> None:
    assert evolve(NEW, state=TaskState.RUNNING, attempts=1, due_at=AT + MINUTE) == RUNNING
    with pytest.raises(InvalidState, match="claimed"):
        claimed(RUNNING, at=AT + MINUTE / 2, duration=MINUTE)
    again = claimed(RUNNING, at=AT + MINUTE, duration=MINUTE)
    assert (again.attempts, again.due_at) == (2, AT + 2 * MINUTE)
    assert again.updated_at == AT + MINUTE


def test_nothing_is_claimed_before_it_is_due_or_after_it_is_done() -> None:
    with pytest.raises(InvalidState, match="claimed"):
        claimed(NEW, at=AT - MINUTE, duration=MINUTE)
    for over in (DONE, evolve(NEW, state=TaskState.FAILED)):
        assert not over.is_open
        with pytest.raises(InvalidState, match="claimed"):
            claimed(over, at=AT + 9 * MINUTE, duration=MINUTE)


def test_a_completed_task_says_where_its_result_is_and_forgets_earlier_failures() -> None:
    retried = claimed(fail(RUNNING), at=AT + 9 * MINUTE, duration=MINUTE)
    assert retried.error_message == "no disk"
    done = completed(retried, at=AT + 10 * MINUTE, result_uri="file:///result")
    assert (done.state, done.error_message) == ("completed", None)
    assert (done.result_available, done.result_uri) == (True, "file:///result")
    assert done.updated_at == AT + 10 * MINUTE
    assert not completed(retried, at=AT + 10 * MINUTE, result_uri=None).result_available


def test_a_failed_attempt_waits_for_its_turn_and_the_last_one_gives_up() -> None:
    waiting = fail(RUNNING)
    assert (waiting.state, waiting.error_message) == ("pending", "no disk")
    assert waiting.updated_at == AT + MINUTE
    assert waiting.due_at == AT + MINUTE + timedelta(seconds=2)
    assert fail(RUNNING, draw=1).due_at == AT + MINUTE + timedelta(seconds=1)
    second = claimed(waiting, at=waiting.due_at, duration=MINUTE)
    given_up = fail(second)
    assert (given_up.state, given_up.attempts) == ("failed", 2)


@pytest.mark.parametrize(("task", "allowed"), [(NEW, ("claimed",)), (DONE, ())])
def test_only_who_has_claimed_a_task_says_how_it_went(task: Task, allowed: tuple[str, ...]) -> None:
    with pytest.raises(InvalidState) as refused:
        completed(task, at=AT, result_uri=None)
    assert (refused.value.event, refused.value.allowed) == ("completed", allowed)
    with pytest.raises(InvalidState) as refused:
        fail(task)
    assert (refused.value.event, refused.value.allowed) == ("failed", allowed)


def test_the_answer_to_an_earlier_claim_is_none() -> None:
    second = claimed(RUNNING, at=AT + MINUTE, duration=MINUTE)
    assert is_answer_to(RUNNING, DONE)
    assert not is_answer_to(second, DONE)
    assert not is_answer_to(DONE, DONE)


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": "a/b"},
        {"session_id": ""},
        {"type": "nul\0"},
        {"state": "sleeping"},
        {"due_at": datetime(2026, 11, 21)},  # noqa: DTZ001  # that is the point
        {"attempts": -1},
        {"payload_json": "[]"},
        {"result_uri": 7},
    ],
)
def test_a_task_that_no_store_could_keep_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidValue, match=next(iter(wrong)).removesuffix("_json")):
        evolve(NEW, **wrong)
