"""The buckets of callers."""

import pytest
from hypothesis import given, strategies as st

from voicesession import InvalidConfig
from voicesession.schemas.refusals import RateLimited
from voicesession.web.rates import Rate, RateLimiter

PAUSES = st.lists(st.integers(0, 3_000_000), max_size=60)


def taken(limiter: RateLimiter, caller: str, *, at_us: int) -> bool:
    try:
        limiter.take(caller, at_us=at_us)
    except RateLimited as refusal:
        return (refusal.retry_after_s or 0) < 1  # never: who is refused is told to wait
    return True


@given(per_second=st.integers(1, 20), burst=st.integers(1, 20), pauses=PAUSES)
def test_nobody_gets_more_than_the_burst_and_the_rate_allow(
    per_second: int, burst: int, pauses: list[int]
) -> None:
    limiter = RateLimiter(Rate(per_second=per_second, burst=burst))
    now_us = count = 0
    for pause in pauses:
        now_us += pause
        count += taken(limiter, "ada", at_us=now_us)
        earned = now_us // (1_000_000 // per_second)
        assert count <= burst + earned


@given(pauses=PAUSES)
def test_who_keeps_to_the_rate_is_never_refused(pauses: list[int]) -> None:
    limiter = RateLimiter(Rate(per_second=4, burst=1))
    now_us = 0
    for pause in pauses:
        now_us += 250_000 + pause
        assert taken(limiter, "ada", at_us=now_us)


@given(callers=st.lists(st.sampled_from("abcdef"), max_size=60))
def test_callers_do_not_share_and_only_so_many_are_remembered(callers: list[str]) -> None:
    limiter = RateLimiter(Rate(per_second=1, burst=1), most=3)
    for caller in callers:
        taken(limiter, caller, at_us=0)
        assert len(limiter) <= 3
    assert taken(limiter, "somebody new", at_us=0)


def test_a_rate_is_a_positive_number() -> None:
    for wrong in (0, -1, 1.5):
        with pytest.raises(InvalidConfig):
            Rate(per_second=wrong)  # type: ignore[arg-type]
