"""
The errors that only HTTP knows: a server says no by them, and a client is told so.

Their codes, as all codes, stand in the table of `voicesession.web.statuses`.
"""

from __future__ import annotations

from ..core.errors import InvalidValue, VoiceSessionError

__all__ = (
    "BadRequest",
    "IdempotencyConflict",
    "MethodNotAllowed",
    "NotFound",
    "RangeNotSatisfiable",
    "RateLimited",
    "RequestTimeout",
    "TooLarge",
    "Unauthenticated",
)


class BadRequest(InvalidValue):
    """The body or a parameter cannot be read, or is not allowed."""

    def __init__(self, field: str, allowed: str) -> None:
        super().__init__(field, "what was sent", allowed)
        self.args = (field, allowed)


class Unauthenticated(VoiceSessionError):
    """There are no credentials, or they are not good. It never says which part of them."""

    code = "unauthenticated"


class NotFound(VoiceSessionError):
    """There is nothing at this address, or nothing that the caller may know of."""

    code = "not_found"


class MethodNotAllowed(VoiceSessionError):
    """There is something at this address, and it cannot be treated so."""

    code = "method_not_allowed"


class IdempotencyConflict(VoiceSessionError):
    """An Idempotency-Key was used again, for another request."""

    code = "idempotency_conflict"


class TooLarge(VoiceSessionError):
    """What was sent is larger than anything that makes sense there."""

    code = "too_large"


class RequestTimeout(VoiceSessionError):
    """What is being sent does not come, or only in drops."""

    code = "request_timeout"
    retryable = True


class RangeNotSatisfiable(VoiceSessionError):
    """The range that is asked for lies outside of the file.

    Attributes:
        size_bytes: Of the file; None where the server has not said it.
    """

    code = "range_not_satisfiable"

    def __init__(self, size_bytes: int | None) -> None:
        super().__init__(size_bytes)
        self.size_bytes = size_bytes

    def __str__(self) -> str:
        if self.size_bytes is None:
            return "the file has no such bytes"
        return f"the file has {self.size_bytes} bytes"


class RateLimited(VoiceSessionError):
    """The caller calls more often than it may.

    Attributes:
        retry_after_s: In how many seconds it may call again; None where the server has not
            said it.
    """

    code = "rate_limited"
    retryable = True

    def __init__(self, retry_after_s: int | None) -> None:
        super().__init__(retry_after_s)
        self.retry_after_s = retry_after_s

    def __str__(self) -> str:
        if self.retry_after_s is None:
            return "call again later"
        return f"call again in {self.retry_after_s} s"
