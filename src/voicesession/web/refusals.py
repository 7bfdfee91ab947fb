"""The errors that only HTTP knows; see `statuses` for how they are told."""

from __future__ import annotations

from ..core.errors import InvalidValue, VoiceSessionError

__all__ = (
    "BadRequest",
    "IdempotencyConflict",
    "MethodNotAllowed",
    "NotFound",
    "RangeNotSatisfiable",
    "RateLimited",
    "TooLarge",
    "TooLate",
)


class BadRequest(InvalidValue):
    """The body or a parameter cannot be read, or is not allowed."""

    def __init__(self, field: str, allowed: str) -> None:
        super().__init__(field, "what was sent", allowed)
        self.args = (field, allowed)


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
    """The body is larger than any body that makes sense here."""

    code = "too_large"


class TooLate(VoiceSessionError):
    """The body does not come, or only in drops."""

    code = "request_timeout"
    retryable = True


class RangeNotSatisfiable(VoiceSessionError):
    """The range that is asked for lies outside of the file.

    Attributes:
        size_bytes: Of the file.
    """

    code = "range_not_satisfiable"

    def __init__(self, size_bytes: int) -> None:
        super().__init__(size_bytes)
        self.size_bytes = size_bytes

    def __str__(self) -> str:
        return f"the file has {self.size_bytes} bytes"


class RateLimited(VoiceSessionError):
    """The caller calls more often than it may.

    Attributes:
        retry_after_s: In how many seconds it may call again.
    """

    code = "rate_limited"
    retryable = True

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(retry_after_s)
        self.retry_after_s = retry_after_s

    def __str__(self) -> str:
        return f"call again in {self.retry_after_s} s"
