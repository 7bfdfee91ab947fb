"""Tasks: committed with their session, done by whoever has a handler, and done again if need be."""

from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta

import anyio
import pytest
from tests.patience import PATIENCE_S

from voicesession.core.backoff import Backoff
from voicesession.core.errors import InvalidValue, SessionNotFound, StoreUnavailable
from voicesession.core.tasks import Task
from voicesession.runtime.clock import SteppedClock
from voicesession.runtime.jobs import JobPolicy, JobRunner
from voicesession.runtime.manager import SessionManager
from voicesession.runtime.services import Services
from voicesession.stores.memory import MemoryStorage


@pytest.fixture
def clock() -> SteppedClock:
    # The store stamps real time; what is due by our clock must be due by its own.
    return SteppedClock(datetime(2026, 1, 1, tzinfo=UTC))


@pytest.fixture
def services(clock: SteppedClock) -> Services:
    return Services(storage=MemoryStorage(), clock=clock, worker_id="w1")


@pytest.fixture
async def voice(services: Services) -> AsyncGenerator[SessionManager]:
    async with SessionManager(services) as manager:
        yield manager


def a_runner(services: Services, takes_at_most: timedelta = timedelta(minutes=1)) -> JobRunner:
    def fail(_session_id: None, error: Exception) -> None:
        raise error

    policy = JobPolicy(
        takes_at_most=takes_at_most, backoff=Backoff(retries=1, first_us=0, longest_us=0)
    )
    return JobRunner(services, on_error=fail, policy=policy)


async def a_task(voice: SessionManager, kind: str = "summary") -> Task:
    session = await voice.create(user_id="ada")
    async with voice.attach(session.id) as handle:
        await handle.live()
        return await handle.add_task(kind, {"style": "short"})


async def state_of(voice: SessionManager, task: Task) -> tuple[str, str | None, str | None]:
    (stored,) = await voice.jobs.of(task.session_id)
    return stored.state, stored.result_uri, stored.error_message


async def test_a_session_that_is_to_be_enhanced_ends_with_a_task_for_it(
    voice: SessionManager, services: Services
) -> None:
    session = await voice.create(enhance_on_end=True)
    done: list[Task] = []

    async def enhance(task: Task) -> str:
        done.append(task)
        return "file:///better.wav"

    async with voice.attach(session.id) as handle:
        await handle.live()
        ended = await handle.end()
    (task,) = await voice.jobs.of(session.id, state="pending")
    assert (ended.enhancement_job_id, task.type) == (task.id, "enhancement")
    runner = a_runner(services)
    runner.handlers["enhancement"] = enhance
    assert await runner.do_next()
    assert not await runner.do_next()
    assert [each.id for each in done] == [task.id]
    assert await state_of(voice, task) == ("completed", "file:///better.wav", None)


async def test_a_session_that_nobody_ran_is_enhanced_all_the_same(voice: SessionManager) -> None:
    session = await voice.create(enhance_on_end=True)
    ended = await voice.end(session.id)
    (task,) = await voice.jobs.of(session.id)
    assert ended.enhancement_job_id == task.id


async def test_a_task_that_fails_is_tried_again_and_then_given_up(
    voice: SessionManager, services: Services
) -> None:
    task = await a_task(voice)
    runner = a_runner(services)

    async def fail(_task: Task) -> None:
        raise RuntimeError("no\0 disk \ud800")

    runner.handlers["summary"] = fail
    for state in ("pending", "failed"):
        assert await runner.do_next()
        assert await state_of(voice, task) == (state, None, "RuntimeError: no disk ?")
    assert not await runner.do_next()


async def test_a_handler_that_hangs_is_stopped_and_has_failed(
    voice: SessionManager, services: Services
) -> None:
    task = await a_task(voice)
    runner = a_runner(services, takes_at_most=timedelta(milliseconds=1))

    async def hang(_task: Task) -> None:
        await anyio.sleep_forever()

    runner.handlers["summary"] = hang
    await runner.do_next()
    assert await state_of(voice, task) == ("pending", None, "it took too long")


async def test_only_tasks_with_a_handler_are_claimed(
    voice: SessionManager, services: Services
) -> None:
    task = await a_task(voice, "other")
    runner = a_runner(services)
    assert not await runner.do_next()

    async def summarise(_task: Task) -> None: ...

    runner.handlers["summary"] = summarise
    assert not await runner.do_next()
    assert await state_of(voice, task) == ("pending", None, None)


async def test_a_worker_does_tasks_by_itself(services: Services, clock: SteppedClock) -> None:
    voice = SessionManager(services)
    done = anyio.Event()

    async def summarise(task: Task) -> None:
        assert task.payload_json == '{"style":"short"}'
        done.set()

    voice.jobs.handle("summary", summarise)
    async with voice:
        await a_task(voice)
        clock.advance(5_000_000)
        with anyio.fail_after(PATIENCE_S):
            await done.wait()


async def test_a_store_that_is_away_is_told_and_asked_again_later(services: Services) -> None:
    told: list[Exception] = []

    class Away:
        async def claim(self, *_: object, **__: object) -> None:
            raise StoreUnavailable("away")

    storage = services.storage
    storage.tasks = Away()  # type: ignore[misc,assignment]
    runner = JobRunner(services, on_error=lambda _id, error: told.append(error))

    async def summarise(_task: Task) -> None: ...

    runner.handlers["summary"] = summarise
    assert not await runner.do_next()
    assert [type(error) for error in told] == [StoreUnavailable]


async def test_tasks_are_their_tenants_alone(voice: SessionManager) -> None:
    task = await a_task(voice)
    with pytest.raises(SessionNotFound):
        await voice.for_tenant("strangers").jobs.of(task.session_id)
    with pytest.raises(InvalidValue, match="sleeping"):
        await voice.jobs.of(task.session_id, state="sleeping")
