"""How a connection comes to its end."""

from __future__ import annotations

from datetime import datetime

from attrs import frozen

from ...schemas.messages import ErrorOccurred, ServerMessage, SessionTerminated
from ..statuses import CloseCode, problem_of, status_of

__all__ = (
    "DRAINING",
    "ENDED",
    "TAKEN_OVER",
    "TOO_SLOW",
    "VANISHED",
    "Outcome",
    "error_message",
    "refused",
)


@frozen(kw_only=True)
class Outcome:
    """Why it is over, and what is left to do.

    Attributes:
        reason: Stable, and safe to tell.
        leaves_session: The session waits for its client to come back.
        recoverable: The client may.
        listens: The client is there, and is told.
        error: What it did, or what went wrong.
    """

    code: CloseCode
    reason: str
    leaves_session: bool = True
    recoverable: bool = True
    listens: bool = True
    error: Exception | None = None

    def farewell(self, at: datetime) -> tuple[ServerMessage, ...]:
        """Return the last messages of a connection whose session goes on."""
        terminated = SessionTerminated(at=at, reason=self.reason, recoverable=self.recoverable)
        if self.error is None:
            return (terminated,)
        return error_message(self.error, at), terminated


def error_message(error: Exception, at: datetime) -> ErrorOccurred:
    """Return how *error* is told."""
    problem = problem_of(error)
    return ErrorOccurred(
        at=at, code=problem["code"], message=problem["detail"], retryable=problem["retryable"]
    )


ENDED = Outcome(code=CloseCode.ENDED, reason="ended", leaves_session=False)
VANISHED = Outcome(code=CloseCode.ENDED, reason="disconnected", listens=False)
TOO_SLOW = Outcome(code=CloseCode.TOO_SLOW, reason="too_slow", listens=False)
DRAINING = Outcome(code=CloseCode.DRAINING, reason="draining", leaves_session=False)
TAKEN_OVER = Outcome(
    code=CloseCode.TAKEN_OVER, reason="taken_over", leaves_session=False, recoverable=False
)


def refused(error: Exception) -> Outcome:
    """Return the end of a connection whose client has done what it may not."""
    return Outcome(code=status_of(error).close, reason=problem_of(error)["code"], error=error)
