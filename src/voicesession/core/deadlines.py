"""
Every time limit of a session's life. Nothing here waits: the shell asks when to look
again (`next_deadline`) and, when it looks, what has become due (`due`).

==================  ==========================  ================================
limit               counts from                 what becomes due
==================  ==========================  ================================
connect window      entering CONNECTING         ends, ``connect_timeout``
reconnect grace     ``disconnected``            ends, ``disconnected``
reconnect grace     ``worker_lost, shutdown``   ends, ``worker_lost``
limit grace         ``limit_reached``           ends, ``limit_reached``
idle time           last activity               ends, ``expired``
time to live        creation                    ends, ``expired``
active time         being LIVE; pauses free     pauses, ``limit_reached``
wall-clock time     entering CONNECTING         ends, ``limit_reached``
==================  ==========================  ================================

Of the last two the session may have limits of its own, beside those of the policy: the stricter
holds. The connect window of a session that was promised with a token lasts as long as the token does.
Being *away* is a matter of the floor and of media time: see `voicesession.core.floor`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

from attrs import field, frozen

from .errors import InvalidConfig
from .events import EndRequested, LimitReached, SessionEvent
from .session import LONGEST_LIMIT_US, Session
from .states import EndReason, PauseReason, SessionState

__all__ = ("LifePolicy", "due", "next_deadline", "next_look", "retention_ends")

_ZERO: Final = timedelta()
_LONGEST: Final = timedelta(microseconds=LONGEST_LIMIT_US)
_ALLOWED: Final = f"a timedelta from 0 to {_LONGEST.days} days"


def _is_allowed(value: Any) -> bool:
    return isinstance(value, timedelta) and _ZERO <= value <= _LONGEST


def _is_duration(_policy: object, attribute: Any, value: Any) -> None:
    if not _is_allowed(value):
        raise InvalidConfig(attribute.name, value, _ALLOWED)


def _is_limit(_policy: object, attribute: Any, value: Any) -> None:
    if value is not None and not _is_allowed(value):
        raise InvalidConfig(attribute.name, value, f"{_ALLOWED}, or None for no limit")


@frozen(kw_only=True)
class LifePolicy:
    """How long a session may take for what; None is without limit.

    Raises:
        InvalidConfig: A duration is negative, or longer than a hundred years.
    """

    connect_window: timedelta = field(default=timedelta(seconds=30), validator=_is_duration)
    reconnect_grace: timedelta = field(default=timedelta(seconds=30), validator=_is_duration)
    limit_grace: timedelta = field(default=timedelta(seconds=30), validator=_is_duration)
    idle_time: timedelta | None = field(default=timedelta(minutes=30), validator=_is_limit)
    time_to_live: timedelta | None = field(default=timedelta(hours=24), validator=_is_limit)
    max_active: timedelta | None = field(default=None, validator=_is_limit)
    max_wall_clock: timedelta | None = field(default=None, validator=_is_limit)


def next_deadline(session: Session, policy: LifePolicy) -> datetime | None:
    """Return the instant at which `due` first says something, or None for never."""
    return min((at for at, _ in _limits(session, policy)), default=None)


def retention_ends(session: Session) -> datetime | None:
    """Return when nothing of *session* may be kept any longer; None for never.

    A session that goes on has no end of its retention, and one under a legal hold has none
    until the hold is lifted.
    """
    if session.ended_at is None or session.retention_days < 0 or session.legal_hold:
        return None
    try:
        return session.ended_at + timedelta(days=session.retention_days)
    except OverflowError:
        return None  # behind the last day that there is


def next_look(session: Session, policy: LifePolicy) -> datetime | None:
    """Return when somebody must look at *session* although nothing happens to it.

    It is what `Session.deadline_at` holds: the next deadline while the session goes on, and
    the end of its retention afterwards.
    """
    if session.state is SessionState.ENDED:
        return retention_ends(session)
    return next_deadline(session, policy)


def due(session: Session, policy: LifePolicy, now: datetime) -> SessionEvent | None:
    """Return the event that time itself has brought about by *now*, if any.

    It is stamped with *now*, is always legal, and is the one whose limit passed first.
    Apply it and ask again: the next one may be due as well.
    """
    first = min(_limits(session, policy), key=lambda limit: limit[0], default=None)
    if first is None:
        return None
    at, reason = first
    if at > now:
        return None
    return LimitReached(at=now) if reason is None else EndRequested(at=now, reason=reason)


_END_OF_PAUSE: Final[Mapping[PauseReason, EndReason]] = MappingProxyType(
    {
        PauseReason.DISCONNECTED: EndReason.DISCONNECTED,
        PauseReason.WORKER_LOST: EndReason.WORKER_LOST,
        PauseReason.SHUTDOWN: EndReason.WORKER_LOST,
        PauseReason.LIMIT_REACHED: EndReason.LIMIT_REACHED,
    }
)


def _stricter(of_policy: timedelta | None, of_session_us: int | None) -> timedelta | None:
    if of_session_us is None:
        return of_policy
    of_session = timedelta(microseconds=of_session_us)
    return of_session if of_policy is None else min(of_policy, of_session)


def _limits(session: Session, policy: LifePolicy) -> Iterator[tuple[datetime, EndReason | None]]:
    """Every limit that is running, and why the session ends by it; None where it pauses."""
    if session.state is SessionState.ENDED:
        return
    if policy.time_to_live is not None:
        yield session.created_at + policy.time_to_live, EndReason.EXPIRED
    wall_clock = _stricter(policy.max_wall_clock, session.max_wall_clock_us)
    if session.started_at is not None and wall_clock is not None:
        yield session.started_at + wall_clock, EndReason.LIMIT_REACHED
    if session.state is SessionState.CONNECTING:
        window_ends = session.token_expiry or session.state_since + policy.connect_window
        yield window_ends, EndReason.CONNECT_TIMEOUT
    if session.live_at is not None and policy.idle_time is not None:
        yield session.last_activity_at + policy.idle_time, EndReason.EXPIRED
    active = _stricter(policy.max_active, session.max_active_us)
    if session.state is SessionState.LIVE and active is not None:
        used = timedelta(microseconds=session.active_us)
        yield session.state_since + active - used, None
    for pause in session.pauses:
        if pause.reason in _END_OF_PAUSE:
            limited = pause.reason is PauseReason.LIMIT_REACHED
            grace = policy.limit_grace if limited else policy.reconnect_grace
            yield pause.since + grace, _END_OF_PAUSE[pause.reason]
