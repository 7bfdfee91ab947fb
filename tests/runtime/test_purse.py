"""What a session may spend on audio: reserved before it is used, and never more than there is."""

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import anyio
import pytest
from hypothesis import given, strategies as st

from voicesession.core.accounts import Account, HoldId, Level, Limit, Scope, Standing
from voicesession.core.errors import (
    BudgetExhausted,
    InvalidValue,
    QuotaExceeded,
    StoreTimeout,
    StoreUnavailable,
)
from voicesession.core.ledger import LedgerEntry, Posted, Want
from voicesession.core.meters import Meter
from voicesession.core.windows import Window
from voicesession.runtime.clock import SteppedClock
from voicesession.runtime.purse import FIRST_SLICE_US, LARGEST_SLICE_US, Purse
from voicesession.stores.memory.ledger import MemoryLedger
from voicesession.stores.memory.shelves import Shelves

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
MIDNIGHT_IN_ZURICH = datetime(2026, 11, 21, 23, tzinfo=UTC)
CALL = Account(Scope.SESSION, "sess_1")
ADA = Account(Scope.USER, "ada")
FRAME_US = 20_000
SECOND_US = 1_000_000


class CountedLedger(MemoryLedger):
    """Counts what it is asked, and fails as it is told: ``(written, error)`` for each post."""

    def __init__(self, shelves: Shelves) -> None:
        super().__init__(shelves)
        self.posts = 0
        self.failures: list[tuple[bool, Exception]] = []

    async def post(self, entry: LedgerEntry, /) -> Posted:
        self.posts += 1
        if not self.failures:
            return await super().post(entry)
        written, error = self.failures.pop(0)
        if written:
            await super().post(entry)
        raise error


@pytest.fixture
def ledger() -> CountedLedger:
    return CountedLedger(Shelves())


def a_purse(
    ledger: CountedLedger, session: Account = CALL, clock: SteppedClock | None = None
) -> Purse:
    ids = count()
    return Purse(
        ledger,
        SteppedClock(NOON) if clock is None else clock,
        (session, ADA),
        lambda: HoldId(f"hold_{session.id}_{next(ids)}"),
    )


@pytest.fixture
def purse(ledger: CountedLedger) -> Purse:
    return a_purse(ledger)


async def limit(ledger: CountedLedger, amount: int, **fields: Any) -> None:
    daily: dict[str, Any] = {"account": ADA, "meter": Meter.AUDIO_US, "window": Window.DAY}
    await ledger.set_limit(Limit(**daily | fields, amount=amount), at=NOON)


async def stands(ledger: CountedLedger, account: Account = ADA) -> tuple[int, int]:
    standing: Standing
    standing, *_ = await ledger.standings([account], [Meter.AUDIO_US], at=NOON)
    return standing.spent, standing.held


async def speak(purse: Purse, audio_us: int) -> int:
    """Spend in frames, asking in time as the owner does; return how much was afforded."""
    spoken_us = 0
    while spoken_us + FRAME_US <= audio_us and not purse.is_dry:
        if purse.take(FRAME_US):
            spoken_us += FRAME_US
        if purse.wants_more:
            await purse.ask()
    return spoken_us


async def test_what_is_used_is_booked_to_the_microsecond_and_the_rest_given_back(
    ledger: CountedLedger, purse: Purse
) -> None:
    await purse.open()
    assert await stands(ledger) == (0, FIRST_SLICE_US)
    assert await speak(purse, 61_020_000) == 61_020_000
    await purse.settle(leave=True)
    assert await stands(ledger) == await stands(ledger, CALL) == (61_020_000, 0)


async def test_the_ledger_is_asked_once_a_minute(ledger: CountedLedger, purse: Purse) -> None:
    await purse.open()
    await purse.ask()
    ledger.posts = 0
    await speak(purse, 600 * SECOND_US)
    assert ledger.posts <= 10 + 1


async def test_it_is_asked_while_more_than_a_lease_is_left_and_little_is_held_ahead(
    ledger: CountedLedger, purse: Purse
) -> None:
    await purse.open()
    await purse.ask()
    for _ in range(300):
        await speak(purse, SECOND_US)
        assert 15 * SECOND_US < purse.left_us <= 80 * SECOND_US


async def test_to_begin_is_one_entry(ledger: CountedLedger, purse: Purse) -> None:
    await purse.open()
    await purse.open()
    assert ledger.posts == 1
    assert not purse.wants_more


async def test_near_a_limit_little_is_held(ledger: CountedLedger, purse: Purse) -> None:
    await limit(ledger, 100 * SECOND_US)
    await purse.open()
    held: list[int] = []
    for _ in range(10):
        await speak(purse, 9 * SECOND_US)
        held.append((await stands(ledger))[1])
    assert held[-1] <= 3 * SECOND_US < held[0]


@pytest.mark.parametrize("limit_us", [50_000, 7 * SECOND_US, 30 * SECOND_US, 95 * SECOND_US])
async def test_no_more_is_ever_spent_than_the_limit(
    ledger: CountedLedger, purse: Purse, limit_us: int
) -> None:
    await limit(ledger, limit_us)
    await purse.open()
    spoken_us = await speak(purse, 1_000 * SECOND_US)
    assert limit_us - FRAME_US < spoken_us <= limit_us
    assert purse.is_dry
    await purse.settle()
    assert await stands(ledger) == (spoken_us, 0)


async def test_with_nothing_left_a_session_does_not_begin_and_holds_nothing(
    ledger: CountedLedger, purse: Purse
) -> None:
    await limit(ledger, 0)
    with pytest.raises(BudgetExhausted, match="user"):
        await purse.open()
    assert await stands(ledger) == (0, 0)
    (seats,) = await ledger.standings([ADA], [Meter.SESSIONS], at=NOON)
    assert seats.held == 0


async def test_a_seat_is_taken_until_the_session_leaves(ledger: CountedLedger) -> None:
    await limit(ledger, 1, meter=Meter.SESSIONS, window=Window.SESSION)
    first = a_purse(ledger)
    second = a_purse(ledger, Account(Scope.SESSION, "sess_2"))
    await first.open()
    with pytest.raises(QuotaExceeded, match="user"):
        await second.open()
    await first.settle()
    with pytest.raises(QuotaExceeded):
        await second.open()
    await first.settle(leave=True)
    await second.open()


async def test_what_two_sessions_of_a_user_spend_together_stays_in_the_limit(
    ledger: CountedLedger,
) -> None:
    await limit(ledger, 50 * SECOND_US)
    purses = [a_purse(ledger, Account(Scope.SESSION, f"sess_{n}")) for n in range(2)]
    for purse in purses:
        await purse.open()
    spoken_us = 0
    while not all(purse.is_dry for purse in purses):
        for purse in purses:
            spoken_us += await speak(purse, SECOND_US)
    assert spoken_us <= 50 * SECOND_US
    for purse in purses:
        await purse.settle()
    assert await stands(ledger) == (spoken_us, 0)


async def test_a_raised_limit_is_found_when_the_last_of_it_is_asked_for(
    ledger: CountedLedger, purse: Purse
) -> None:
    await limit(ledger, 10 * SECOND_US)
    await purse.open()
    await speak(purse, 9 * SECOND_US)
    await limit(ledger, 20 * SECOND_US)
    assert await speak(purse, 60 * SECOND_US) == 11 * SECOND_US


async def test_each_level_is_told_once(ledger: CountedLedger, purse: Purse) -> None:
    await limit(ledger, 100 * SECOND_US)
    risen = [*await purse.open()]
    for _ in range(200):
        if not purse.take(SECOND_US) or purse.wants_more:
            risen += await purse.ask()
    risen += await purse.settle()
    assert [standing.level for standing in risen] == [Level.WARNED, Level.EXHAUSTED]


async def test_what_is_reserved_before_midnight_counts_as_the_day_before_also_if_used_after(
    ledger: CountedLedger,
) -> None:
    await ledger.set_zone(ADA, "Europe/Zurich")
    await limit(ledger, 20 * 60 * SECOND_US)
    clock = SteppedClock(MIDNIGHT_IN_ZURICH - timedelta(seconds=1))
    purse = a_purse(ledger, clock=clock)
    await purse.open()
    await purse.ask()
    reserved_us = purse.left_us
    clock.advance(SECOND_US)
    assert await speak(purse, reserved_us + 30 * SECOND_US) == reserved_us + 30 * SECOND_US
    await purse.settle()
    yesterday, today = [
        (await ledger.standings([ADA], [Meter.AUDIO_US], at=clock.now() + since))[0]
        for since in (timedelta(microseconds=-1), timedelta())
    ]
    assert (yesterday.spent, yesterday.held) == (reserved_us, 0)
    assert (today.spent, today.held) == (30 * SECOND_US, 0)


@pytest.mark.parametrize("written", [True, False])
async def test_an_entry_without_an_answer_is_booked_once(
    ledger: CountedLedger, purse: Purse, written: bool
) -> None:
    await purse.open()
    await purse.ask()
    for _ in range(50):
        assert purse.take(SECOND_US)
    ledger.failures = [(written, StoreTimeout("no answer"))]
    with pytest.raises(StoreTimeout):
        await purse.ask()
    await purse.ask()
    assert purse.left_us == FIRST_SLICE_US + 2 * LARGEST_SLICE_US - 50 * SECOND_US
    await purse.settle()
    assert await stands(ledger) == (50 * SECOND_US, 0)


async def test_an_entry_without_an_answer_and_without_a_grant_is_booked_once(
    ledger: CountedLedger, purse: Purse
) -> None:
    await limit(ledger, FIRST_SLICE_US)
    await purse.open()
    assert purse.take(FIRST_SLICE_US)
    ledger.failures = [(True, StoreTimeout("no answer"))]
    with pytest.raises(StoreTimeout):
        await purse.ask()
    assert await stands(ledger) == (FIRST_SLICE_US, 0)
    await purse.ask()
    assert (purse.left_us, await stands(ledger)) == (0, (FIRST_SLICE_US, 0))


async def test_a_refused_entry_leaves_what_was_used_to_the_next(
    ledger: CountedLedger, purse: Purse
) -> None:
    await purse.open()
    assert purse.take(FIRST_SLICE_US)
    ledger.failures = [(False, StoreUnavailable("away"))]
    with pytest.raises(StoreUnavailable):
        await purse.ask()
    await purse.settle()
    assert await stands(ledger) == (FIRST_SLICE_US, 0)


async def test_settling_finds_out_first_what_had_no_answer(
    ledger: CountedLedger, purse: Purse
) -> None:
    await purse.open()
    ledger.failures = [(True, StoreTimeout("no answer"))]
    with pytest.raises(StoreTimeout):
        await purse.ask()
    await purse.settle(leave=True)
    assert await stands(ledger) == (0, 0)


async def test_a_mistake_is_not_taken_for_an_unknown_entry(
    ledger: CountedLedger, purse: Purse
) -> None:
    await purse.open()
    assert purse.take(FIRST_SLICE_US)
    await ledger.release_session(CALL.tenant_id, CALL.id)  # type: ignore[arg-type]
    with pytest.raises(InvalidValue, match="hold_id"):
        await purse.ask()


@given(st.lists(st.integers(0, 40 * SECOND_US), max_size=30))
def test_nothing_is_spent_that_is_not_reserved(pieces: list[int]) -> None:

    async def check() -> None:
        ledger = CountedLedger(Shelves())
        purse, spent_us = a_purse(ledger), 0
        await purse.open()
        for piece in pieces:
            left_us = purse.left_us
            taken = purse.take(piece)
            assert taken == (piece <= left_us)
            spent_us += piece if taken else 0
            assert purse.left_us == left_us - (piece if taken else 0)
            if purse.wants_more:
                await purse.ask()
        await purse.settle()
        assert await stands(ledger) == (spent_us, 0)

    anyio.run(check)


@given(st.integers(15, 90), st.lists(st.integers(1, 500_000), max_size=4))
def test_what_is_told_to_remain_is_what_the_session_may_still_spend_its_own_slices_too(
    seconds: int, others_us: list[int]
) -> None:
    async def check() -> None:
        ledger = CountedLedger(Shelves())
        await limit(ledger, seconds * SECOND_US)
        purse, spent_us, told = a_purse(ledger), 0, list[Standing]()
        for number, held_us in enumerate(others_us):
            want = Want(hold_id=HoldId(f"other_{number}"), meter=Meter.AUDIO_US, amount=held_us)
            await ledger.post(LedgerEntry(at=NOON, accounts=(ADA,), reserve=(want,)))
        await purse.open()
        while not purse.is_dry:
            spent_us += FRAME_US if purse.take(FRAME_US) else 0
            if purse.wants_more:
                risen = await purse.ask()
                left_us = seconds * SECOND_US - sum(others_us) - spent_us
                assert [standing.remaining for standing in risen] == [left_us] * len(risen)
                told += risen
        assert told

    anyio.run(check)


# --- besides audio --------------------------------------------------------------------------

TOKENS = Meter.LLM_OUTPUT_TOKENS


async def spent_on(ledger: CountedLedger, meter: Meter) -> int:
    standing, *_ = await ledger.standings([ADA], [meter], at=NOON)
    return standing.spent


@pytest.mark.parametrize(
    ("written", "error"),
    [
        (True, StoreTimeout("no answer")),
        (False, StoreTimeout("no answer")),
        (False, StoreUnavailable("away")),
    ],
)
async def test_what_was_noted_is_booked_once_whatever_the_ledger_answers(
    ledger: CountedLedger, purse: Purse, written: bool, error: Exception
) -> None:
    await purse.open()
    purse.besides.note({TOKENS: 7})
    ledger.failures = [(written, error)]
    with pytest.raises(type(error)):
        await purse.ask()
    purse.besides.note({TOKENS: 2})
    await purse.ask()
    await purse.settle(leave=True)
    assert await spent_on(ledger, TOKENS) == 9
    assert not purse.besides.is_due


async def test_what_is_noted_comes_along_with_little_audio_and_none_is_asked_twice_for(
    ledger: CountedLedger, purse: Purse
) -> None:
    await purse.open()
    await purse.ask()
    before_us = purse.left_us
    purse.besides.note({TOKENS: 7})
    await purse.ask()
    assert purse.left_us == before_us + SECOND_US
    assert await spent_on(ledger, TOKENS) == 7


async def test_a_limit_that_somebody_else_has_used_up_is_told_with_the_next_entry(
    ledger: CountedLedger, purse: Purse
) -> None:
    await limit(ledger, 100, meter=TOKENS)
    await purse.open([TOKENS])
    assert purse.besides.limited == {TOKENS}
    other = LedgerEntry(at=NOON, accounts=[ADA], charge={TOKENS: 100})
    await ledger.post(other)
    assert not purse.besides.exhausted
    await purse.ask()
    (standing,) = purse.besides.exhausted
    assert (standing.line.account, standing.spent) == (ADA, 100)
    await limit(ledger, 200, meter=TOKENS)
    await purse.ask()
    assert not purse.besides.exhausted


async def test_a_limit_that_was_known_is_not_forgotten_with_an_answer_that_was_lost(
    ledger: CountedLedger, purse: Purse
) -> None:
    await limit(ledger, FIRST_SLICE_US)
    await limit(ledger, 100, meter=TOKENS)
    await purse.open([TOKENS])
    assert purse.take(FIRST_SLICE_US)
    purse.besides.note({TOKENS: 7})
    ledger.failures = [(True, StoreTimeout("no answer"))]
    with pytest.raises(StoreTimeout):
        await purse.ask()
    await purse.ask()
    assert purse.besides.limited == {TOKENS}
    assert await spent_on(ledger, TOKENS) == 7


@given(st.integers(0, 10_000), st.integers(0, 200), st.integers(1, 64))
def test_sessions_that_wait_with_what_they_noted_pass_no_limit_together(
    amount: int, noted: int, sessions: int
) -> None:
    async def check() -> None:
        ledger = CountedLedger(Shelves())
        await limit(ledger, amount, meter=TOKENS)
        purse = a_purse(ledger)
        purse.besides.note({TOKENS: 0})
        await purse.ask()
        purse.besides.note({TOKENS: noted})
        assert purse.besides.is_pressing or noted * sessions <= amount

    anyio.run(check)


async def test_what_is_counted_is_what_is_booked_and_what_is_not(
    ledger: CountedLedger, purse: Purse
) -> None:
    async def booked() -> dict[Meter, int]:
        found = await ledger.standings([CALL], [Meter.AUDIO_US, TOKENS], at=NOON)
        return {standing.line.meter: standing.spent for standing in found}

    await purse.open()
    for _ in range(23):
        if purse.left_us < SECOND_US:
            await purse.ask()
        assert purse.take(SECOND_US)
        purse.besides.note({TOKENS: 3})
    assert await purse.counted(booked) == {Meter.AUDIO_US: 23 * SECOND_US, TOKENS: 69}
    await purse.settle()
    assert await purse.counted(booked) == {Meter.AUDIO_US: 23 * SECOND_US, TOKENS: 69}
