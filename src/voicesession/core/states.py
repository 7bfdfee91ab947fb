"""The words of both machines: states and reasons. They are stored; never rename one."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from .fields import Vocabulary

__all__ = (
    "STATUS_OF_END",
    "EndReason",
    "PauseReason",
    "SessionState",
    "SessionStatus",
    "TurnState",
)


class SessionState(Vocabulary):
    """Where a session is in its life."""

    IDLE = "IDLE"
    CONNECTING = "CONNECTING"
    LIVE = "LIVE"
    PAUSED = "PAUSED"
    ENDED = "ENDED"


class TurnState(Vocabulary):
    """Who has the floor while a session is LIVE."""

    INITIAL = "initial"
    LISTENING = "listening"
    PROCESSING = "processing"
    SPEAKING = "speaking"
    AWAY = "away"
    ENDED = "ended"


class PauseReason(Vocabulary):
    """Why a session stands still. A session may have several reasons at once."""

    USER = "user"
    BUDGET_EXHAUSTED = "budget_exhausted"
    DISCONNECTED = "disconnected"
    LIMIT_REACHED = "limit_reached"
    WORKER_LOST = "worker_lost"
    SHUTDOWN = "shutdown"


class EndReason(Vocabulary):
    """How a session ended."""

    COMPLETED = "completed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    LIMIT_REACHED = "limit_reached"
    DISCONNECTED = "disconnected"
    WORKER_LOST = "worker_lost"
    ERROR = "error"
    CONNECT_TIMEOUT = "connect_timeout"


class SessionStatus(Vocabulary):
    """What lists show; derived from the state and the end reason."""

    ACTIVE = "active"
    COMPLETED = "completed"
    INTERRUPTED = "interrupted"
    ERROR = "error"


STATUS_OF_END: Final[Mapping[EndReason, SessionStatus]] = MappingProxyType(
    {
        EndReason.COMPLETED: SessionStatus.COMPLETED,
        EndReason.CANCELLED: SessionStatus.COMPLETED,
        EndReason.EXPIRED: SessionStatus.COMPLETED,
        EndReason.LIMIT_REACHED: SessionStatus.COMPLETED,
        EndReason.DISCONNECTED: SessionStatus.INTERRUPTED,
        EndReason.WORKER_LOST: SessionStatus.INTERRUPTED,
        EndReason.ERROR: SessionStatus.ERROR,
        EndReason.CONNECT_TIMEOUT: SessionStatus.ERROR,
    }
)
