"""Limits, and what they do to sessions that run."""

from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from anyio.lowlevel import checkpoint
from attrs import evolve

from voicesession.core.accounts import Level, Limit
from voicesession.core.errors import BudgetExhausted, InvalidValue, QuotaExceeded
from voicesession.core.events import BudgetLevelReached, BudgetRaised, BudgetSpent
from voicesession.core.meters import Meter
from voicesession.core.session import DailyRemaining
from voicesession.core.states import PauseReason
from voicesession.core.timeline import Track
from voicesession.core.windows import Window
from voicesession.ports.storage import Change
from voicesession.runtime.clock import SteppedClock
from voicesession.runtime.handle import SessionHandle
from voicesession.runtime.happenings import BudgetLevelPassed, BudgetRanOut
from voicesession.runtime.manager import SessionManager
from voicesession.runtime.services import Services
from voicesession.stores.memory import MemoryStorage

START = datetime(2026, 6, 30, 12, tzinfo=UTC)
SECOND = bytes(32_000)
A_TICK_US = 5_000_000


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock(START)


@pytest.fixture
def storage() -> MemoryStorage:
    return MemoryStorage()


@pytest.fixture
async def voice(clock: SteppedClock, storage: MemoryStorage) -> AsyncGenerator[SessionManager]:
    services = Services(storage=storage, clock=clock, worker_id="w1")
    async with SessionManager(services) as manager:
        yield manager


async def limit(voice: SessionManager, seconds: int, scope: str = "user", **fields: Any) -> None:
    account = voice.budgets.account(scope, None if scope == "tenant" else "ada")
    daily = Limit(
        account=account, meter=Meter.AUDIO_US, window=Window.DAY, amount=seconds * 1_000_000
    )
    await voice.budgets.set_limit(evolve(daily, **fields))


async def speak(handle: SessionHandle, seconds: int) -> int:
    """Feed audio as fast as it is taken; return for how many seconds it was."""
    taken = 0
    for _ in range(seconds):
        if not await handle.afford(SECOND) or not handle.audio(Track.USER, SECOND):
            break
        taken += 1
    return taken


async def until(holds: Callable[[], bool]) -> None:
    for _ in range(500):
        if holds():
            return
        await checkpoint()
    raise AssertionError("it never came true")


async def test_a_session_warns_once_and_pauses_when_its_budget_is_spent(
    voice: SessionManager,
) -> None:
    await limit(voice, 100)
    told: list[Level] = []
    session = await voice.create(user_id="ada")
    async with voice.attach(session.id) as handle:
        handle.subscribe(
            lambda one: (
                told.append(one.standing.level) if isinstance(one, BudgetLevelPassed) else None
            )
        )
        await handle.live()
        assert await speak(handle, 300) == 100
        assert not handle.audio(Track.USER, SECOND)
        await until(lambda: not handle.is_live)
        assert handle.session.pause_reasons == {PauseReason.BUDGET_EXHAUSTED}
        assert told == [Level.WARNED, Level.EXHAUSTED]
        levels = [
            (entry.event.level, entry.event.scope)
            for entry in await voice.journal(session.id)
            if isinstance(entry.event, BudgetLevelReached)
        ]
        assert levels == [("warned", "user"), ("exhausted", "user")]
        assert handle.session.audio_minutes_used == 100 / 60


async def test_that_nothing_is_left_is_told_after_the_level_also_where_two_find_it_out(
    voice: SessionManager, storage: MemoryStorage
) -> None:
    commit, told = storage.sessions.commit, list[str]()

    async def slow_commit(change: Change, /) -> None:
        for _ in range(100):
            await checkpoint()
        await commit(change)

    def hear(happening: object) -> None:
        if isinstance(happening, BudgetLevelPassed):
            told.append(happening.standing.level)
        elif isinstance(happening, BudgetRanOut):
            told.append("ran out")

    await limit(voice, 100)
    session = await voice.create(user_id="ada")
    async with voice.attach(session.id) as handle:
        await handle.live()
        assert await speak(handle, 100) == 100
        storage.sessions.commit = slow_commit  # type: ignore[method-assign]
        handle.subscribe(hear)
        assert not handle.audio(Track.USER, SECOND)
        assert not await handle.afford(SECOND)
        await until(lambda: not handle.is_live)
        storage.sessions.commit = commit  # type: ignore[method-assign]
    assert told == ["exhausted", "ran out"]


async def test_a_raised_limit_lets_the_session_go_on_by_itself(
    voice: SessionManager, clock: SteppedClock
) -> None:
    await limit(voice, 10)
    session = await voice.create(user_id="ada")
    async with voice.attach(session.id) as handle:
        await handle.live()
        await speak(handle, 20)
        handle.audio(Track.USER, SECOND)
        await until(lambda: not handle.is_live)
        ada = voice.budgets.account("user", "ada")
        await voice.budgets.raise_limit(ada, "audio_us", "day", by=5_000_000)
        clock.advance(A_TICK_US)
        await until(lambda: handle.is_live)
        assert await speak(handle, 20) == 5
        kinds = [type(entry.event) for entry in await voice.journal(session.id)]
        assert kinds.index(BudgetSpent) < kinds.index(BudgetRaised)


async def test_a_new_day_lets_the_session_go_on(voice: SessionManager, clock: SteppedClock) -> None:
    await limit(voice, 10)
    await voice.budgets.set_zone(voice.budgets.account("user", "ada"), "Pacific/Auckland")
    clock.advance(int(timedelta(hours=23, minutes=59).total_seconds()) * 1_000_000)
    session = await voice.create(user_id="ada")
    async with voice.attach(session.id) as handle:
        await handle.live()
        assert await speak(handle, 20) == 10
        handle.audio(Track.USER, SECOND)
        await until(lambda: not handle.is_live)
        clock.advance(60_000_000 + A_TICK_US)
        await until(lambda: handle.is_live)
        assert await speak(handle, 20) == 10


async def test_a_session_with_nothing_to_spend_does_not_begin(voice: SessionManager) -> None:
    await limit(voice, 0)
    session = await voice.create(user_id="ada")
    async with voice.attach(session.id) as handle:
        with pytest.raises(BudgetExhausted):
            await handle.live()
        assert handle.session.state == "CONNECTING"


async def test_a_tenant_runs_no_more_sessions_than_it_has_seats(voice: SessionManager) -> None:
    await limit(voice, 1, "tenant", meter=Meter.SESSIONS, window=Window.SESSION, amount=1)
    first, second = [await voice.create() for _ in range(2)]
    async with voice.attach(first.id) as one, voice.attach(second.id) as other:
        await one.live()
        with pytest.raises(QuotaExceeded):
            await other.live()
        await one.end()
        await other.live()


async def test_paused_time_holds_nothing_and_costs_nothing(voice: SessionManager) -> None:
    session = await voice.create(user_id="ada")
    async with voice.attach(session.id) as handle:
        await handle.live()
        await speak(handle, 7)
        await handle.pause()
        status = await voice.budgets.get_budget_status("ada")
        assert status["audio_minutes"] == {
            "used": 7 / 60,
            "reserved": 0.0,
            "limit": None,
            "remaining": None,
            "utilization": None,
        }
        await handle.resume()
        assert await speak(handle, 3) == 3
    status = await voice.budgets.get_budget_status("ada")
    assert (status["audio_minutes"]["used"], status["audio_minutes"]["reserved"]) == (10 / 60, 0)


async def test_an_ended_session_says_what_is_left_of_the_day(voice: SessionManager) -> None:
    await limit(voice, 100)
    session = await voice.create(user_id="ada")
    async with voice.attach(session.id) as handle:
        await handle.live()
        await speak(handle, 30)
        ended = await handle.end()
    assert ended.daily_budget_remaining == DailyRemaining(audio_us=70_000_000)
    assert ended.audio_minutes_used == 0.5


async def test_the_record_says_what_is_left_where_a_budget_stops_the_session_and_lets_it_go_on(
    voice: SessionManager, clock: SteppedClock
) -> None:
    await limit(voice, 100)
    session = await voice.create(user_id="ada")
    async with voice.attach(session.id) as handle:
        await handle.live()
        assert await speak(handle, 300) == 100
        assert not handle.audio(Track.USER, SECOND)
        await until(lambda: not handle.is_live)
        assert handle.session.daily_budget_remaining == DailyRemaining(audio_us=0)
        await limit(voice, 160)
        clock.advance(A_TICK_US)
        await until(lambda: handle.is_live)
        left = handle.session.daily_budget_remaining
        assert left is not None
        assert left.audio_us is not None
        assert 0 < left.audio_us < 60_000_000  # some of it is held again


async def test_what_a_host_charges_may_pass_a_limit_and_then_pauses(
    voice: SessionManager,
) -> None:
    await limit(voice, 1, meter=Meter.LLM_OUTPUT_TOKENS, amount=100)
    session = await voice.create(user_id="ada")
    async with voice.attach(session.id) as handle:
        await handle.live()
        await handle.charge(counts={"llm_output_tokens": 99})
        assert handle.is_live
        await handle.charge(audio_minutes="0.5", counts={"llm_output_tokens": 50})
        assert handle.session.pause_reasons == {PauseReason.BUDGET_EXHAUSTED}
        for wrong in ({"llm_output_tokens": -1}, {"llm_output_tokens": 1.5}, {"fuel": 1}):
            with pytest.raises(InvalidValue):
                await handle.charge(counts=wrong)  # type: ignore[arg-type]
    status = await voice.budgets.get_budget_status("ada")
    assert status["audio_minutes"]["used"] == 0.5


async def test_a_host_that_only_counts_tracks_usage(voice: SessionManager) -> None:
    await limit(voice, 360)
    risen = [
        standing.level
        for minutes in (4.7, "0.1", "1.2")
        for standing in await voice.budgets.track_usage("ada", audio_minutes=minutes)
    ]
    assert risen == [Level.WARNED, Level.EXHAUSTED]
    await voice.budgets.track_usage("ada", counts={"video_tokens": 1200})
    status = await voice.budgets.get_budget_status("ada")
    assert status["audio_minutes"] == {
        "used": 6.0,
        "reserved": 0.0,
        "limit": 6.0,
        "remaining": 0.0,
        "utilization": 1.0,
    }
    assert status["video_tokens"]["used"] == 1200
    for wrong in (-1, "much", float("nan")):
        with pytest.raises(InvalidValue):
            await voice.budgets.track_usage("ada", audio_minutes=wrong)


@pytest.mark.parametrize(
    "counts",
    [
        {"video_tokens": -1},
        {"video_tokens": 0.5},
        {"video_tokens": 2.0},
        {"video_tokens": True},
        {"video_tokens": 2**63},
        {"fuel": 1},
        {"sessions": 1},
    ],
    ids=str,
)
async def test_usage_that_cannot_be_is_refused_and_nothing_of_it_is_counted(
    voice: SessionManager, counts: dict[str, Any]
) -> None:
    with pytest.raises(InvalidValue):
        await voice.budgets.track_usage(
            "ada", audio_minutes=1, counts={"tts_characters": 1, **counts}
        )
    ada = voice.budgets.account("user", "ada")
    meters = (Meter.AUDIO_US, Meter.VIDEO_TOKENS, Meter.TTS_CHARACTERS)
    assert [each.spent for each in await voice.budgets.standings(ada, meters)] == [0] * 6


async def test_no_tenant_sees_or_sets_the_books_of_another(voice: SessionManager) -> None:
    theirs = voice.for_tenant("acme").budgets.account("user", "ada")
    stolen = Limit(account=theirs, meter=Meter.AUDIO_US, window=Window.DAY, amount=0)
    budgets = voice.budgets
    for call in (
        lambda: budgets.set_limit(stolen),
        lambda: budgets.raise_limit(theirs, "audio_us", "day", by=1),
        lambda: budgets.drop_limit(theirs, "audio_us", "day"),
        lambda: budgets.set_zone(theirs, "UTC"),
        lambda: budgets.standings(theirs),
    ):
        with pytest.raises(InvalidValue, match="tenant_id"):
            await call()
    await voice.budgets.track_usage("ada", audio_minutes=1)
    status = await voice.for_tenant("acme").budgets.get_budget_status("ada")
    assert status["audio_minutes"]["used"] == 0


@pytest.mark.parametrize(
    ("scope", "account_id"), [("city", "x"), ("user", None), ("session", None), ("tenant", "other")]
)
def test_an_account_that_cannot_be_is_refused(scope: str, account_id: str | None) -> None:
    voice = SessionManager(Services(storage=MemoryStorage(), worker_id="w1"))
    with pytest.raises(InvalidValue):
        voice.budgets.account(scope, account_id)
