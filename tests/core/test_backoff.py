from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, strategies as st

from voicesession.core.backoff import Backoff
from voicesession.core.errors import InvalidValue

SECOND = 1_000_000
draws = st.floats(0, 1, exclude_max=True)


@st.composite
def backoffs(draw: st.DrawFn) -> Backoff:
    first_us = draw(st.integers(0, 10**9))
    return Backoff(
        retries=draw(st.integers(0, 12)),
        first_us=first_us,
        longest_us=draw(st.integers(first_us, 10**11)),
        jitter=draw(st.floats(0, 1)),
    )


def test_by_default_it_tries_three_times_more_after_one_two_and_four_seconds() -> None:
    assert list(Backoff().delays_us([0.0] * 9)) == [SECOND, 2 * SECOND, 4 * SECOND]


def test_a_draw_shortens_the_wait_by_its_part_of_the_jitter() -> None:
    assert Backoff().delay_us(1, 0.5) == 1_500_000
    assert Backoff(jitter=1).delay_us(0, 1.0) == 0
    assert Backoff(jitter=0).delay_us(0, 0.9) == SECOND


@given(backoffs(), st.integers(0, 10**6), draws)
def test_no_wait_is_longer_than_the_longest_nor_shorter_than_the_jitter_lets_it_be(
    backoff: Backoff, retry: int, draw: float
) -> None:
    full_us = backoff.delay_us(retry, 0.0)
    assert backoff.first_us <= full_us <= backoff.longest_us
    assert full_us * (1 - backoff.jitter) - 1 <= backoff.delay_us(retry, draw) <= full_us


@given(backoffs(), st.integers(0, 100))
def test_each_full_wait_is_twice_the_one_before_until_the_longest(
    backoff: Backoff, retry: int
) -> None:
    wait_us, next_us = (backoff.delay_us(n, 0.0) for n in (retry, retry + 1))
    assert next_us == min(2 * wait_us, backoff.longest_us)


@given(backoffs(), st.lists(draws, max_size=15))
def test_there_is_a_wait_for_each_retry_as_long_as_there_are_draws(
    backoff: Backoff, drawn: list[float]
) -> None:
    waits = list(backoff.delays_us(drawn))
    assert len(waits) == min(backoff.retries, len(drawn))
    assert waits == [backoff.delay_us(n, draw) for n, draw in enumerate(drawn[: len(waits)])]


def test_full_waits_never_get_shorter() -> None:
    waits = list(Backoff(retries=40).delays_us([0.0] * 40))
    assert all(one <= other for one, other in pairwise(waits))
    assert waits[-1] == 30 * SECOND


A_SHARE = "a number from 0 to 1"


@pytest.mark.parametrize(
    ("wrong", "allowed"),
    [
        ({"retries": -1}, "a whole number from 0 to 2^63 - 1"),
        ({"retries": 1.5}, "a whole number from 0 to 2^63 - 1"),
        ({"first_us": -1}, "a whole number from 0 to 2^63 - 1"),
        ({"first_us": 2, "longest_us": 1}, "2 (first_us) or more"),
        ({"jitter": -0.1}, A_SHARE),
        ({"jitter": 1.1}, A_SHARE),
        ({"jitter": float("nan")}, A_SHARE),
    ],
)
def test_a_backoff_that_makes_no_sense_is_refused(wrong: dict[str, Any], allowed: str) -> None:
    with pytest.raises(InvalidValue) as refusal:
        Backoff(**wrong)
    field, value = list(wrong.items())[-1]
    assert refusal.value.field == field
    assert refusal.value.value is value
    assert refusal.value.allowed == allowed


@pytest.mark.parametrize("jitter", [0, 1])
def test_the_ends_of_a_share_belong_to_it(jitter: float) -> None:
    backoff = Backoff(first_us=100, longest_us=100, jitter=jitter)
    assert backoff.delay_us(0, 1) == 100 - 100 * jitter


@pytest.mark.parametrize("draw", [-0.1, 1.1, float("nan")])
def test_a_draw_is_a_share(draw: float) -> None:
    with pytest.raises(InvalidValue) as refusal:
        Backoff().delay_us(0, draw)
    assert refusal.value.field == "draw"
    assert refusal.value.value is draw
    assert refusal.value.allowed == A_SHARE


def test_retries_are_counted_from_0() -> None:
    with pytest.raises(InvalidValue) as refusal:
        Backoff().delay_us(-1, 0.0)
    assert refusal.value.args == ("retry", -1, "0 or more")
