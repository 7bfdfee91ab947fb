from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from attrs import evolve, fields_dict
from hypothesis import given, settings, strategies as st

from voicesession.core.deadlines import (
    LifePolicy,
    due,
    next_deadline,
    next_look,
    retention_ends,
)
from voicesession.core.errors import InvalidConfig, InvalidValue
from voicesession.core.events import (
    BudgetSpent,
    ConnectRequested,
    EndRequested,
    LimitRaised,
    LimitReached,
    PauseRequested,
    ResumeRequested,
    SessionEvent,
    ShutdownBegan,
    TransportLost,
    TransportReady,
    WorkerLost,
)
from voicesession.core.identity import SessionId
from voicesession.core.life import apply, is_legal
from voicesession.core.session import LONGEST_LIMIT_US, Session
from voicesession.core.states import EndReason, SessionState
from voicesession.testing.effort import examples
from voicesession.testing.strategies_life import life_policies, sessions

T0 = datetime(2026, 11, 21, tzinfo=UTC)
MOMENT = timedelta(microseconds=1)
NEW = Session(
    id=SessionId("sess_1"), created_at=T0, updated_at=T0, state_since=T0, last_activity_at=T0
)
NEVER = timedelta(days=900)
PATIENT = LifePolicy(
    connect_window=NEVER,
    reconnect_grace=NEVER,
    limit_grace=NEVER,
    idle_time=None,
    time_to_live=None,
    max_active=None,
    max_wall_clock=None,
)


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def policy(**limits: float) -> LifePolicy:
    """Return a policy in which nothing but *limits*, in seconds, ever happens."""
    spans: dict[str, Any] = {name: timedelta(seconds=span) for name, span in limits.items()}
    return evolve(PATIENT, **spans)


def lived(*story: tuple[float, type[SessionEvent]]) -> Session:
    session = NEW
    for seconds, kind in story:
        session = apply(session, kind(at=at(seconds)))
    return session


CONNECTING = lived((10, ConnectRequested))
LIVE = lived((10, ConnectRequested), (20, TransportReady))
PAUSED = apply(LIVE, PauseRequested(at=at(50)))
DROPPED = apply(PAUSED, TransportLost(at=at(70)))


def first(session: Session, limits: LifePolicy) -> tuple[datetime, SessionEvent] | None:
    """Return when time first does something to *session*, and what; checked from both sides."""
    deadline = next_deadline(session, limits)
    soon = session.updated_at + NEVER / 2
    if deadline is None or deadline > soon:
        assert due(session, limits, soon) is None
        return None
    assert due(session, limits, deadline - MOMENT) is None
    event = due(session, limits, deadline)
    assert event is not None
    return deadline, event


def ends(seconds: float, reason: EndReason) -> tuple[datetime, SessionEvent]:
    return at(seconds), EndRequested(at=at(seconds), reason=reason)


# --- Each limit by itself ---------------------------------------------------------------


def test_a_client_that_does_not_come_in_the_connect_window_ends_the_session() -> None:
    limits = policy(connect_window=30)
    assert first(CONNECTING, limits) == ends(40, EndReason.CONNECT_TIMEOUT)
    for session in (NEW, LIVE, PAUSED):
        assert first(session, limits) is None


@pytest.mark.parametrize("good_for", [5, 3_600])
def test_the_connect_window_of_a_session_with_a_token_is_the_life_of_the_token(
    good_for: int,
) -> None:
    promised = evolve(CONNECTING, token_expiry=at(10 + good_for))
    limits = policy(connect_window=30)
    assert first(promised, limits) == ends(10 + good_for, EndReason.CONNECT_TIMEOUT)
    assert first(apply(promised, TransportReady(at=at(12))), limits) is None


@pytest.mark.parametrize(
    ("lost", "reason"),
    [
        (TransportLost, EndReason.DISCONNECTED),
        (WorkerLost, EndReason.WORKER_LOST),
        (ShutdownBegan, EndReason.WORKER_LOST),
    ],
)
def test_whoever_is_gone_has_the_reconnect_grace_to_come_back(
    lost: type[SessionEvent], reason: EndReason
) -> None:
    limits = policy(reconnect_grace=30)
    for before in (LIVE, PAUSED):
        assert first(before, limits) is None
        assert first(apply(before, lost(at=at(70))), limits) == ends(100, reason)


def test_a_grace_counts_from_its_own_reason_and_not_from_the_pause() -> None:
    assert DROPPED.state_since == at(50)
    assert first(DROPPED, policy(reconnect_grace=30)) == ends(100, EndReason.DISCONNECTED)


def test_a_grace_of_zero_ends_a_dropped_session_at_once() -> None:
    assert first(DROPPED, policy(reconnect_grace=0)) == ends(70, EndReason.DISCONNECTED)


def test_one_who_came_back_is_no_longer_waited_for() -> None:
    assert first(apply(DROPPED, TransportReady(at=at(80))), policy(reconnect_grace=30)) is None


def test_a_session_that_used_up_its_active_time_may_be_given_more_during_the_limit_grace() -> None:
    limits = policy(limit_grace=30, reconnect_grace=5)
    full = apply(LIVE, LimitReached(at=at(70)))
    assert first(full, limits) == ends(100, EndReason.LIMIT_REACHED)
    assert first(apply(full, LimitRaised(at=at(80))), limits) is None


@pytest.mark.parametrize("pausing", [PauseRequested, BudgetSpent])
def test_a_pause_by_the_user_or_the_budget_has_no_grace_of_its_own(
    pausing: type[SessionEvent],
) -> None:
    paused = apply(LIVE, pausing(at=at(50)))
    assert first(paused, policy(reconnect_grace=1, limit_grace=1, connect_window=1)) is None


def test_a_session_ends_when_nobody_gave_a_sign_of_life_for_the_idle_time() -> None:
    limits = policy(idle_time=60)
    assert first(LIVE, limits) == ends(80, EndReason.EXPIRED)
    assert first(PAUSED, limits) == ends(110, EndReason.EXPIRED)
    assert first(DROPPED, limits) == ends(110, EndReason.EXPIRED)


def test_a_session_that_was_never_live_is_not_idle() -> None:
    for session in (NEW, CONNECTING):
        assert first(session, policy(idle_time=0)) is None


def test_the_time_to_live_counts_from_creation_whatever_happens() -> None:
    for session in (NEW, CONNECTING, LIVE, PAUSED, DROPPED):
        assert first(session, policy(time_to_live=500)) == ends(500, EndReason.EXPIRED)


def test_wall_clock_time_counts_from_the_connect_and_runs_through_pauses() -> None:
    limits = policy(max_wall_clock=500)
    assert first(NEW, limits) is None
    for session in (CONNECTING, LIVE, PAUSED, DROPPED):
        assert first(session, limits) == ends(510, EndReason.LIMIT_REACHED)


def test_active_time_stands_still_in_a_pause_and_its_end_is_a_pause() -> None:
    limits = policy(max_active=100)
    assert first(LIVE, limits) == (at(120), LimitReached(at=at(120)))
    for session in (NEW, CONNECTING, PAUSED):
        assert first(session, limits) is None
    resumed = apply(PAUSED, ResumeRequested(at=at(1_000)))  # 30 s were used up by then
    assert first(resumed, limits) == (at(1_070), LimitReached(at=at(1_070)))


def test_active_time_that_is_overdrawn_is_due_at_once() -> None:
    resumed = apply(PAUSED, ResumeRequested(at=at(1_000)))
    limits = policy(max_active=10)
    deadline = next_deadline(resumed, limits)
    assert deadline is not None
    assert deadline <= at(1_000)
    assert due(resumed, limits, at(1_000)) == LimitReached(at=at(1_000))


def test_active_and_wall_clock_time_are_two_limits() -> None:
    both = policy(max_active=100, max_wall_clock=500)
    assert first(LIVE, both) == (at(120), LimitReached(at=at(120)))
    assert first(PAUSED, both) == ends(510, EndReason.LIMIT_REACHED)


# --- Limits of its own ------------------------------------------------------------------


@pytest.mark.parametrize(("own", "of_policy"), [(100, None), (100, 400), (400, 100), (100, 100)])
def test_of_the_limits_of_the_session_and_of_the_policy_the_stricter_holds(
    own: int, of_policy: int | None
) -> None:
    limits = PATIENT if of_policy is None else policy(max_active=of_policy)
    active = evolve(LIVE, max_active_us=own * 1_000_000)
    assert first(active, limits) == (at(120), LimitReached(at=at(120)))
    limits = PATIENT if of_policy is None else policy(max_wall_clock=of_policy)
    for session in (CONNECTING, LIVE, PAUSED, DROPPED):
        lasting = evolve(session, max_wall_clock_us=own * 1_000_000)
        assert first(lasting, limits) == ends(110, EndReason.LIMIT_REACHED)


@settings(max_examples=examples(40))
@given(sessions(), life_policies())
def test_what_the_session_says_of_itself_is_as_if_the_policy_said_it(
    session: Session, limits: LifePolicy
) -> None:
    def shorter(of_policy: timedelta | None, own_us: int | None) -> timedelta | None:
        own = None if own_us is None else timedelta(microseconds=own_us)
        return min((limit for limit in (of_policy, own) if limit is not None), default=None)

    silent = evolve(session, max_active_us=None, max_wall_clock_us=None)
    strict = evolve(
        limits,
        max_active=shorter(limits.max_active, session.max_active_us),
        max_wall_clock=shorter(limits.max_wall_clock, session.max_wall_clock_us),
    )
    assert next_deadline(session, limits) == next_deadline(silent, strict)


def test_a_limit_of_its_own_may_be_anything_from_nothing_to_a_hundred_years() -> None:
    for limit_us in (0, LONGEST_LIMIT_US):
        limited = evolve(LIVE, max_active_us=limit_us, max_wall_clock_us=limit_us)
        assert next_deadline(limited, PATIENT) is not None
    for wrong in (-1, LONGEST_LIMIT_US + 1, 1.5, True, "1"):
        for name in ("max_active_us", "max_wall_clock_us"):
            refused: dict[str, Any] = {name: wrong}
            with pytest.raises(InvalidValue, match=name):
                evolve(LIVE, **refused)


# --- All of them together ---------------------------------------------------------------


def test_of_several_limits_the_one_that_passed_first_speaks_also_when_asked_late() -> None:
    limits = policy(reconnect_grace=30, idle_time=60, time_to_live=90)
    assert due(DROPPED, limits, at(99)) == EndRequested(at=at(99), reason=EndReason.EXPIRED)
    assert next_deadline(DROPPED, limits) == at(90)
    late = policy(reconnect_grace=15, idle_time=60, time_to_live=90)
    assert due(DROPPED, late, at(99)) == EndRequested(at=at(99), reason=EndReason.DISCONNECTED)


@settings(max_examples=examples(40))
@given(sessions(), life_policies(), st.timedeltas(timedelta(), timedelta(days=3)))
def test_the_deadline_is_when_time_first_does_something_and_that_is_legal(
    session: Session, limits: LifePolicy, later: timedelta
) -> None:
    found = first(session, limits)
    if found is None:
        return
    deadline, _ = found
    now = deadline + later
    event = due(session, limits, now)
    assert event is not None
    assert event.at == now
    assert is_legal(session, event)


@settings(max_examples=examples(40))
@given(sessions(), life_policies())
def test_time_alone_never_goes_round_in_circles(session: Session, limits: LifePolicy) -> None:
    now = session.updated_at + timedelta(days=1000)
    for _ in range(2):  # a limit that pauses, then its grace
        event = due(session, limits, now)
        if event is not None:
            session = apply(session, event)
    assert due(session, limits, now) is None


@settings(max_examples=examples(40))
@given(sessions(SessionState.ENDED), life_policies())
def test_no_deadline_survives_the_end(session: Session, limits: LifePolicy) -> None:
    assert next_deadline(session, limits) is None
    assert due(session, limits, at(10**9)) is None


@settings(max_examples=examples(40))
@given(sessions(), life_policies(), st.timedeltas(timedelta(), timedelta(days=1)))
def test_a_session_that_is_looked_at_once_is_looked_at_for_the_same_reason_later(
    session: Session, limits: LifePolicy, later: timedelta
) -> None:
    deadline = next_deadline(session, limits)
    if deadline is not None:
        soon, late = (due(session, limits, deadline + wait) for wait in (timedelta(), later))
        assert soon is not None
        assert evolve(soon, at=deadline + later) == late


# --- The policy -------------------------------------------------------------------------


def test_the_defaults_are_the_documented_ones() -> None:
    assert LifePolicy() == LifePolicy(
        connect_window=timedelta(seconds=30),
        reconnect_grace=timedelta(seconds=30),
        limit_grace=timedelta(seconds=30),
        idle_time=timedelta(minutes=30),
        time_to_live=timedelta(hours=24),
        max_active=None,
        max_wall_clock=None,
    )


ALWAYS_LIMITED = {"connect_window", "reconnect_grace", "limit_grace"}
HUNDRED_YEARS = timedelta(days=36_500)


@pytest.mark.parametrize("wrong", [-MOMENT, HUNDRED_YEARS + MOMENT, timedelta.max, 30, 1.5, "30"])
@pytest.mark.parametrize("name", fields_dict(LifePolicy))
def test_a_limit_is_a_duration_of_a_sensible_length(name: str, wrong: Any) -> None:
    with pytest.raises(InvalidConfig) as refusal:
        LifePolicy(**{name: wrong})
    assert (refusal.value.field, refusal.value.value) == (name, wrong)
    or_none = "" if name in ALWAYS_LIMITED else ", or None for no limit"
    assert refusal.value.allowed == f"a timedelta from 0 to 36500 days{or_none}"


@pytest.mark.parametrize("name", fields_dict(LifePolicy))
def test_every_limit_may_be_zero_or_a_hundred_years_and_some_may_be_none(name: str) -> None:
    for limit in (timedelta(), HUNDRED_YEARS):
        limited: dict[str, Any] = {name: limit}
        limits = LifePolicy(**limited)
        assert getattr(limits, name) == limit
        for session in (NEW, CONNECTING, LIVE, PAUSED, DROPPED):
            assert next_deadline(session, limits) is not None
    no_limit: dict[str, Any] = {name: None}
    if name in ALWAYS_LIMITED:
        with pytest.raises(InvalidConfig, match=name):
            LifePolicy(**no_limit)
    else:
        assert getattr(LifePolicy(**no_limit), name) is None


# --- After the end ----------------------------------------------------------------------


def ended(**fields: Any) -> Session:
    return evolve(apply(LIVE, EndRequested(at=at(90), reason=EndReason.COMPLETED)), **fields)


@pytest.mark.parametrize("days", [0, 1, 30])
def test_an_ended_session_is_kept_for_its_days(days: int) -> None:
    over = ended(retention_days=days)
    assert retention_ends(over) == at(90) + timedelta(days=days) == next_look(over, PATIENT)
    assert next_deadline(over, PATIENT) is None


@pytest.mark.parametrize(
    "kept", [{"retention_days": -1}, {"legal_hold": True}, {"retention_days": 2**31 - 1}]
)
def test_what_is_kept_for_good_is_not_looked_at_again(kept: dict[str, Any]) -> None:
    over = ended(**kept)
    assert retention_ends(over) is next_look(over, PATIENT) is None


def test_nothing_of_a_session_that_goes_on_is_due_to_be_deleted() -> None:
    for session in (CONNECTING, LIVE, PAUSED):
        assert retention_ends(evolve(session, retention_days=0)) is None


@given(sessions(), life_policies())
def test_a_session_that_goes_on_is_looked_at_at_its_next_deadline(
    session: Session, limits: LifePolicy
) -> None:
    if session.state is not SessionState.ENDED:
        assert next_look(session, limits) == next_deadline(session, limits)


def test_limits_that_pass_at_the_same_instant_are_not_in_each_others_way() -> None:
    limits = policy(max_active=30, idle_time=30)
    assert next_deadline(LIVE, limits) == at(50)
    event = due(LIVE, limits, at(50))
    assert event is not None
    assert apply(LIVE, event).seq == LIVE.seq + 1
