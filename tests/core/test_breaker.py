from __future__ import annotations

import pickle
from typing import Any

import pytest
from hypothesis import given, strategies as st

from voicesession.core.breaker import (
    TRANSITIONS,
    Breaker,
    BreakerPolicy,
    BreakerState,
    Outcome,
    admit,
    record,
)
from voicesession.core.errors import InvalidValue

SECOND = 1_000_000
OK, FAILED = Outcome.SUCCESS, Outcome.FAILURE


def after(*outcomes: Outcome, breaker: Breaker | None = None, now_us: int = 0) -> Breaker:
    breaker = breaker or Breaker()
    for outcome in outcomes:
        breaker = record(breaker, outcome, now_us)
    return breaker


def half_open(*, trials: int = 1) -> Breaker:
    breaker = after(*[FAILED] * 5)
    for _ in range(trials):
        breaker, admitted = admit(breaker, 30 * SECOND)
        assert admitted
    return breaker


def test_these_are_all_the_moves_there_are() -> None:
    moves = {(s, o, t) for s, row in TRANSITIONS.items() for o, t in row.items()}
    assert moves == {
        ("closed", "failure", "open"),
        ("half_open", "success", "closed"),
        ("half_open", "failure", "open"),
    }
    assert set(TRANSITIONS) == set(BreakerState)


def test_it_opens_at_the_fifth_failure_in_a_row() -> None:
    assert after(*[FAILED] * 4).state is BreakerState.CLOSED
    assert after(*[FAILED] * 5).state is BreakerState.OPEN


def test_a_success_forgives_the_failures_before_it() -> None:
    assert after(*[FAILED] * 4, OK, *[FAILED] * 4).state is BreakerState.CLOSED
    assert after(*[FAILED] * 4, OK) == Breaker()


def test_while_it_is_closed_every_call_goes_through_and_costs_nothing() -> None:
    closed = Breaker()
    assert admit(closed, 0) == (closed, True)
    assert admit(closed, 0)[0] is record(closed, OK, 0) is closed
    assert closed.retry_at_us is None


def test_while_it_is_open_calls_are_refused_for_thirty_seconds() -> None:
    opened = after(*[FAILED] * 5, now_us=7)
    assert opened.retry_at_us == 30 * SECOND + 7
    assert admit(opened, 30 * SECOND + 6) == (opened, False)
    trying, admitted = admit(opened, 30 * SECOND + 7)
    assert admitted
    assert trying.state is BreakerState.HALF_OPEN


def test_half_open_it_lets_two_trials_through_and_no_more() -> None:
    trying = half_open(trials=2)
    assert admit(trying, 59 * SECOND) == (trying, False)
    assert trying.retry_at_us == 60 * SECOND


def test_as_many_trials_go_through_as_it_takes_successes() -> None:
    patient = Breaker(policy=BreakerPolicy(failures=1, successes=3))
    trying = after(FAILED, breaker=patient)
    admitted = []
    for _ in range(5):
        trying, let_through = admit(trying, 30 * SECOND)
        admitted.append(let_through)
    assert admitted == [True, True, True, False, False]


def test_two_successful_trials_close_it() -> None:
    once = after(OK, breaker=half_open(trials=2), now_us=31 * SECOND)
    assert once.state is BreakerState.HALF_OPEN
    closed = after(OK, breaker=once, now_us=32 * SECOND)
    assert closed.state is BreakerState.CLOSED
    # What it went through before is forgotten.
    assert after(*[FAILED] * 4, breaker=closed).state is BreakerState.CLOSED


def test_one_failed_trial_opens_it_again_for_the_whole_time() -> None:
    opened = after(OK, FAILED, breaker=half_open(trials=2), now_us=40 * SECOND)
    assert opened.state is BreakerState.OPEN
    assert opened.retry_at_us == 70 * SECOND


def test_trials_that_never_tell_how_they_went_block_it_no_longer_than_an_opening() -> None:
    trying = half_open(trials=2)
    again, admitted = admit(trying, 60 * SECOND)
    assert admitted
    assert admit(again, 60 * SECOND)[1]
    assert after(OK, OK, breaker=again).state is BreakerState.CLOSED


def test_a_call_that_ends_while_it_is_open_changes_nothing() -> None:
    opened = after(*[FAILED] * 5)
    assert after(OK, FAILED, OK, breaker=opened, now_us=9) is opened


@given(
    st.builds(
        BreakerPolicy,
        failures=st.integers(1, 4),
        successes=st.integers(1, 4),
        open_us=st.integers(1, 20),
    ),
    st.lists(st.tuples(st.sampled_from([None, OK, FAILED]), st.integers(0, 10)), max_size=40),
)
def test_it_never_stays_shut_for_longer_than_its_time_and_a_refusal_changes_nothing(
    policy: BreakerPolicy, steps: list[tuple[Outcome | None, int]]
) -> None:
    breaker, now_us = Breaker(policy=policy), 0
    for outcome, later in steps:
        now_us += later
        if outcome is None:
            before = breaker
            breaker, admitted = admit(before, now_us)
            assert admitted or breaker is before
        else:
            breaker = record(breaker, outcome, now_us)
        assert breaker.trials <= policy.successes
        assert breaker.streak < max(policy.failures, policy.successes)
        assert admit(breaker, now_us + policy.open_us)[1]
        if breaker.retry_at_us is not None:
            assert not admit(breaker, breaker.retry_at_us - 1)[1]


@pytest.mark.parametrize("field", ["failures", "successes", "open_us"])
@pytest.mark.parametrize("value", [0, -1, 1.5, True])
def test_a_policy_counts_from_one(field: str, value: Any) -> None:
    with pytest.raises(InvalidValue) as refusal:
        BreakerPolicy(**{field: value})
    assert (refusal.value.field, refusal.value.value) == (field, value)
    if value in (0, -1):
        assert refusal.value.allowed in ("1 or more", "a whole number from 0 to 2^63 - 1")


def test_the_first_trial_that_fails_opens_it_again() -> None:
    assert record(half_open(), Outcome.FAILURE, 40 * SECOND).state == "open"
    assert record(half_open(), Outcome.SUCCESS, 40 * SECOND).state == "half_open"


def test_a_breaker_can_be_sent_to_another_process() -> None:
    trying = half_open()
    assert pickle.loads(pickle.dumps(trying)) == trying  # noqa: S301  # our own pickle
