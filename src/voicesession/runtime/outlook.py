"""What a sweep would make of a session as it is stored now: decided as there, and nothing done."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from ..core.deadlines import LifePolicy, due, retention_ends
from ..core.events import WorkerLost
from ..core.life import apply, is_legal
from ..core.session import Session
from ..core.states import SessionState

__all__ = ("SessionFate", "fate_of", "foreseen", "loss_of")


class SessionFate(StrEnum):
    """What becomes of a session that nobody runs. The values are printed; never rename one."""

    ENDED = "ended"
    """It is over, and its files are made."""
    PAUSED = "paused"
    """It may be resumed: its grace has not passed."""
    ERASED = "erased"
    """The days of its retention are over."""
    UNCHANGED = "unchanged"
    """By our limits it is not due, or it could not be looked after: somebody looks again."""


def foreseen(session: Session, policy: LifePolicy, now: datetime) -> SessionFate | None:
    """Return what a sweep at *now* would make of *session*; None where it would not look at it."""
    noticed_at = session.deadline_at if session.worker_id is None else session.lease_expires_at
    if noticed_at is None or noticed_at > now:
        return None
    if session.state is SessionState.ENDED:
        ends = retention_ends(session)
        return SessionFate.ERASED if ends is not None and ends <= now else SessionFate.ENDED
    if lost := loss_of(session, now):
        session = apply(session, lost)
    while event := due(session, policy, now):
        session = apply(session, event)
    return fate_of(session)


def fate_of(session: Session) -> SessionFate:
    """Return what has become of *session*, which is still stored."""
    if session.state is SessionState.ENDED:
        return SessionFate.ENDED
    is_paused = session.state is SessionState.PAUSED
    return SessionFate.PAUSED if is_paused else SessionFate.UNCHANGED


def loss_of(session: Session, now: datetime) -> WorkerLost | None:
    """Return the event that the worker of *session* is lost, if it had one, and that is news."""
    if session.lease_expires_at is None:
        return None
    # Not when we noticed: the grace begins when the worker was last heard of.
    lost = WorkerLost(at=min(session.lease_expires_at, now))
    return lost if is_legal(session, lost) else None
