"""Background tasks: committed with a session, and done by one runner at a time."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import anyio
import pytest
from attrs import evolve

from ....core.backoff import Backoff
from ....core.errors import InvalidValue, SessionNotFound, VersionConflict
from ....core.events import ConnectRequested
from ....core.identity import DEFAULT_TENANT, SessionId
from ....core.metadata import metadata_json
from ....core.session import Session
from ....core.tasks import Task, TaskState, completed, failed
from ....ports.storage import Change, Storage
from .examples import (
    HOME,
    START,
    STRANGERS,
    OnStorage,
    a_session,
    a_task,
    a_tombstone,
    change_of,
    put,
)

__all__ = ("TaskContract",)

_HOUR = timedelta(hours=1)
_SOON = timedelta(microseconds=1)
_FAR = datetime(2222, 1, 1, tzinfo=START.tzinfo)
_ONCE = Backoff(retries=0)
_AGAIN = Backoff(retries=9, first_us=0, longest_us=0)


def _changed(session: Session, *tasks: Task, **fields: Any) -> Change:
    return change_of(session, ConnectRequested(at=START), tasks=tasks, **fields)


async def _with(storage: Storage, *tasks: Task) -> Session:
    """Create the session s1 with *tasks*."""
    session = a_session()
    await storage.sessions.commit(Change(session=session, expected_seq=None, tasks=tasks))
    return session


async def _claim(storage: Storage, *, limit: int = 10, duration: timedelta = _HOUR) -> list[Task]:
    return list(await storage.tasks.claim(["enhancement"], duration=duration, limit=limit))


async def _stored(storage: Storage) -> list[Task]:
    return list(await storage.tasks.of_session(SessionId("s1"), HOME))


@pytest.mark.anyio
class TaskContract(OnStorage):
    """See `TaskStore`."""

    async def test_a_task_comes_back_as_it_was_committed(self, storage: Storage) -> None:
        task = a_task(
            due_at=_FAR,
            type="resümee",
            payload_json=metadata_json({"a": [1, "ü"]}),
            result_uri="file:///r",
            error_message="once more",
        )
        await _with(storage, task)
        assert await _stored(storage) == [task]

    async def test_a_task_can_come_with_any_later_commit(self, storage: Storage) -> None:
        session = await _with(storage)
        change = _changed(session, a_task(), enhancement_job_id="t1")
        await storage.sessions.commit(change)
        assert await _stored(storage) == [a_task()]
        loaded = await storage.sessions.load(session.id, HOME)
        assert loaded.enhancement_job_id == "t1"

    async def test_a_commit_that_is_refused_brings_no_task(self, storage: Storage) -> None:
        session = await _with(storage)
        stale = evolve(session, seq=7)
        with pytest.raises(VersionConflict):
            await storage.sessions.commit(_changed(stale, a_task()))
        assert await _stored(storage) == []

    async def test_a_task_that_is_stored_is_left_as_it_is(self, storage: Storage) -> None:
        session = await _with(storage, a_task())
        (claimed,) = await _claim(storage)
        await storage.sessions.commit(_changed(session, a_task(error_message="new")))
        assert await _stored(storage) == [claimed]

    async def test_a_session_names_only_a_task_of_its_own(self, storage: Storage) -> None:
        session = await _with(storage, a_task())
        other = a_session("s2")
        await put(storage, other)
        for stranger in (session, other):
            with pytest.raises(InvalidValue, match="enhancement_job_id"):
                await storage.sessions.commit(_changed(stranger, enhancement_job_id="t9"))
        with pytest.raises(InvalidValue, match="enhancement_job_id"):
            await storage.sessions.commit(_changed(other, enhancement_job_id="t1"))

    async def test_tasks_are_listed_by_creation_and_by_state(self, storage: Storage) -> None:
        late = a_task("t1", created_at=START + _SOON, due_at=_FAR)
        early = [a_task("t3"), a_task("t2")]
        await _with(storage, late, *early)
        (claimed,) = await _claim(storage, limit=1)
        assert [task.id for task in await _stored(storage)] == ["t2", "t3", "t1"]
        running = await storage.tasks.of_session(SessionId("s1"), HOME, state=TaskState.RUNNING)
        assert list(running) == [claimed]

    async def test_a_stranger_sees_no_task(self, storage: Storage) -> None:
        await _with(storage, a_task())
        with pytest.raises(SessionNotFound):
            await storage.tasks.of_session(SessionId("s1"), STRANGERS)

    async def test_a_claim_counts_the_attempt_and_keeps_others_away(self, storage: Storage) -> None:
        await _with(storage, a_task())
        (claimed,) = await _claim(storage)
        assert claimed == evolve(
            a_task(),
            state=TaskState.RUNNING,
            attempts=1,
            updated_at=claimed.updated_at,
            due_at=claimed.updated_at + _HOUR,
        )
        assert claimed.updated_at > START
        assert await _stored(storage) == [claimed]
        assert await _claim(storage) == []

    async def test_only_what_is_due_and_of_the_types_asked_for_is_claimed(
        self, storage: Storage
    ) -> None:
        await _with(storage, a_task("t1", due_at=_FAR), a_task("t2", type="other"))
        assert await _claim(storage) == []
        (claimed,) = await storage.tasks.claim(["x", "other"], duration=_HOUR)
        assert claimed.id == "t2"
        assert list(await storage.tasks.claim([], duration=_HOUR)) == []

    async def test_tasks_that_have_waited_longest_are_claimed_first(self, storage: Storage) -> None:
        waiting = [a_task(f"t{n}", due_at=START - n * _SOON) for n in range(5)]
        await _with(storage, *waiting)
        assert [task.id for task in await _claim(storage, limit=3)] == ["t4", "t3", "t2"]
        assert [task.id for task in await _claim(storage, limit=3)] == ["t1", "t0"]

    async def test_of_many_racing_runners_each_task_goes_to_one(self, storage: Storage) -> None:
        await _with(storage, *(a_task(f"t{n}") for n in range(6)))
        taken: list[str] = []

        async def run() -> None:
            while claimed := await _claim(storage, limit=2):
                taken.extend(task.id for task in claimed)

        async with anyio.create_task_group() as group:
            for _ in range(4):
                group.start_soon(run)
        assert sorted(taken) == [f"t{n}" for n in range(6)]

    async def test_a_claim_that_has_lapsed_is_claimed_again(self, storage: Storage) -> None:
        await _with(storage, a_task())
        (first,) = await _claim(storage, duration=_SOON)
        second: list[Task] = []
        while not second:  # until the clock of the store has moved on
            second = await _claim(storage)
        assert (first.attempts, second[0].attempts) == (1, 2)

    async def test_a_finished_task_stays_as_its_runner_left_it(self, storage: Storage) -> None:
        await _with(storage, a_task())
        (claimed,) = await _claim(storage)
        done = completed(claimed, at=claimed.updated_at, result_uri="file:///result")
        assert await storage.tasks.finish(done)
        assert await _stored(storage) == [done]
        assert await _claim(storage) == []

    async def test_a_failed_attempt_is_made_again_until_it_is_given_up(
        self, storage: Storage
    ) -> None:
        await _with(storage, a_task())
        for policy, state in ((_AGAIN, TaskState.PENDING), (_ONCE, TaskState.FAILED)):
            (claimed,) = await _claim(storage)
            after = failed(claimed, at=claimed.updated_at, error="no disk", backoff=policy, draw=0)
            assert await storage.tasks.finish(after)
            (stored,) = await _stored(storage)
            assert (stored.state, stored.error_message) == (state, "no disk")
        assert await _claim(storage) == []

    async def test_who_has_lost_a_claim_cannot_finish_it(self, storage: Storage) -> None:
        await _with(storage, a_task())
        (first,) = await _claim(storage, duration=_SOON)
        second: list[Task] = []
        while not second:
            second = await _claim(storage)
        late = completed(first, at=first.updated_at, result_uri=None)
        assert not await storage.tasks.finish(late)
        assert await _stored(storage) == second

    async def test_a_task_is_finished_once(self, storage: Storage) -> None:
        await _with(storage, a_task())
        (claimed,) = await _claim(storage)
        done = completed(claimed, at=claimed.updated_at, result_uri=None)
        assert await storage.tasks.finish(done)
        again = completed(claimed, at=claimed.updated_at, result_uri="file:///other")
        assert not await storage.tasks.finish(again)
        assert await _stored(storage) == [done]

    async def test_the_tasks_of_a_deleted_session_are_gone(self, storage: Storage) -> None:
        await _with(storage, a_task("t1"), a_task("t2"))
        (claimed,) = await _claim(storage, limit=1)
        await storage.sessions.delete(SessionId("s1"), HOME, tombstone=a_tombstone())
        assert await _claim(storage) == []
        done = completed(claimed, at=claimed.updated_at, result_uri=None)
        assert not await storage.tasks.finish(done)

    @pytest.mark.parametrize("limit", [0, -1])
    async def test_no_claim_of_nothing(self, storage: Storage, limit: int) -> None:
        with pytest.raises(InvalidValue, match="limit"):
            await _claim(storage, limit=limit)

    @pytest.mark.parametrize("duration", [timedelta(), -_SOON, timedelta(days=2)])
    async def test_a_claim_lasts_more_than_nothing_and_at_most_a_day(
        self, storage: Storage, duration: timedelta
    ) -> None:
        with pytest.raises(InvalidValue, match="duration"):
            await _claim(storage, duration=duration)

    async def test_a_task_of_another_session_comes_with_no_commit(self) -> None:
        session = a_session()
        for stranger in (a_session("s2"), a_session(tenant_id="strangers")):
            with pytest.raises(InvalidValue, match="tasks"):
                _changed(session, a_task(session=stranger))
        assert session.tenant_id == DEFAULT_TENANT
