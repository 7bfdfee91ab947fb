"""
The circuit breaker: stop calling what keeps failing, and find out carefully when it works.

Closed, calls go through. After enough failures in a row it opens: calls are refused at
once. When it has been open for a while it is half open: as many trial calls go through as
must succeed, and no more. If they do, it closes; one that fails opens it again.

A trial that never tells how it went (its caller was cancelled) does not block the others
for good: after as long as the breaker stays open, trials start afresh.

Time is any clock that does not run backwards, in microseconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from attrs import evolve, field, frozen

from .errors import InvalidValue
from .fields import Vocabulary, is_count

__all__ = ("TRANSITIONS", "Breaker", "BreakerPolicy", "BreakerState", "Outcome", "admit", "record")


class BreakerState(Vocabulary):
    """Whether calls go through."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Outcome(Vocabulary):
    """How a call went."""

    SUCCESS = "success"
    FAILURE = "failure"


def _is_positive(_instance: object, attribute: Any, value: int) -> None:
    if value < 1:
        raise InvalidValue(attribute.name, value, "1 or more")


@frozen(kw_only=True)
class BreakerPolicy:
    """When to open and when to close.

    Attributes:
        failures: In a row, while closed, that open it.
        successes: Of trials, while half open, that close it.
        open_us: How long it stays open, in microseconds.
    """

    failures: int = field(default=5, validator=[is_count, _is_positive])
    successes: int = field(default=2, validator=[is_count, _is_positive])
    open_us: int = field(default=30_000_000, validator=[is_count, _is_positive])


@frozen(kw_only=True)
class Breaker:
    """One breaker; `admit` and `record` return the next.

    Attributes:
        streak: Outcomes in a row that count towards the next state.
        since_us: When it opened or, half open, when its trials began.
        trials: Calls let through since then, while half open.
    """

    policy: BreakerPolicy = field(factory=BreakerPolicy)
    state: BreakerState = BreakerState.CLOSED
    streak: int = 0
    since_us: int = 0
    trials: int = 0

    @property
    def retry_at_us(self) -> int | None:
        """When a call may go through at the earliest, if one is refused now; else None."""
        is_full = self.trials >= self.policy.successes
        if self.state is BreakerState.OPEN or (self.state is BreakerState.HALF_OPEN and is_full):
            return self.since_us + self.policy.open_us
        return None


_S = BreakerState

TRANSITIONS: Final[Mapping[BreakerState, Mapping[Outcome, BreakerState]]] = MappingProxyType(
    {
        _S.CLOSED: MappingProxyType({Outcome.FAILURE: _S.OPEN}),
        _S.OPEN: MappingProxyType({}),
        _S.HALF_OPEN: MappingProxyType({Outcome.SUCCESS: _S.CLOSED, Outcome.FAILURE: _S.OPEN}),
    }
)
"""Where enough outcomes of a kind lead. What is not here leads nowhere; in OPEN, the calls
that tell of themselves were let through before."""


def admit(breaker: Breaker, now_us: int) -> tuple[Breaker, bool]:
    """Return the breaker after somebody asked to make a call, and whether they may.

    Who may tells how it went by `record`, whatever the state is by then.
    """
    if breaker.state is _S.CLOSED:
        return breaker, True
    retry_at_us = breaker.retry_at_us
    if retry_at_us is None:
        return evolve(breaker, trials=breaker.trials + 1), True
    if now_us < retry_at_us:
        return breaker, False
    return evolve(breaker, state=_S.HALF_OPEN, since_us=now_us, trials=1), True


def record(breaker: Breaker, outcome: Outcome, now_us: int) -> Breaker:
    """Return the breaker after a call that was let through has ended in *outcome*."""
    target = TRANSITIONS[breaker.state].get(outcome)
    if target is None:
        return evolve(breaker, streak=0) if breaker.streak else breaker
    streak = breaker.streak + 1
    if streak < _needed(breaker, outcome):
        return evolve(breaker, streak=streak)
    return Breaker(policy=breaker.policy, state=target, since_us=now_us)


def _needed(breaker: Breaker, outcome: Outcome) -> int:
    if breaker.state is _S.CLOSED:
        return breaker.policy.failures
    return breaker.policy.successes if outcome is Outcome.SUCCESS else 1
