"""
What an error is on the wire: its HTTP status, its close code, and the body that tells of it.

One table, by the stable code of the error. What is not in it is a fault of ours: a 500
that says nothing more.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import Any, Final

from attrs import frozen

from ..core.errors import InvalidValue, ProviderBusy, VoiceSessionError
from ..schemas.refusals import RateLimited

__all__ = (
    "PROBLEM_TYPE",
    "STATUSES",
    "CloseCode",
    "Status",
    "problem_of",
    "retry_after_s",
    "status_of",
)

PROBLEM_TYPE: Final = "application/problem+json"
"""RFC 9457."""

_RETRY_AFTER_S: Final = 1
_US_PER_S: Final = 1_000_000


class CloseCode(IntEnum):
    """Why a WebSocket is closed by the server."""

    ENDED = 1000
    REFUSED = 1008
    """Not found, or not authorised: which of the two is not told."""
    TOO_BIG = 1009
    INTERNAL = 1011
    DRAINING = 1012
    BAD_MESSAGE = 4400
    BUDGET_EXHAUSTED = 4402
    TOO_SLOW = 4408
    TAKEN_OVER = 4409
    EXPIRED = 4410
    QUOTA_EXCEEDED = 4429


@frozen
class Status:
    """How an error is told.

    Attributes:
        title: The same for each error of the code.
        is_told: Whether the error's own text is meant for the caller. Texts of stores and
            providers are not: they name machines and files.
    """

    http: int
    close: CloseCode
    title: str
    is_told: bool = True


_C = CloseCode

STATUSES: Final[Mapping[str, Status]] = MappingProxyType(
    {
        "invalid_value": Status(400, _C.BAD_MESSAGE, "A value is not allowed"),
        "invalid_config": Status(400, _C.BAD_MESSAGE, "A setting is not allowed"),
        "unauthenticated": Status(401, _C.REFUSED, "No credentials, or bad ones"),
        "budget_exhausted": Status(402, _C.BUDGET_EXHAUSTED, "The budget is used up"),
        "access_denied": Status(403, _C.REFUSED, "You may not do this"),
        "not_found": Status(404, _C.REFUSED, "There is nothing here"),
        "session_not_found": Status(404, _C.REFUSED, "There is no such session"),
        "template_not_found": Status(404, _C.REFUSED, "There is no such template"),
        "method_not_allowed": Status(405, _C.BAD_MESSAGE, "This cannot be done here"),
        "request_timeout": Status(408, _C.TOO_SLOW, "The request did not come in time"),
        "idempotency_conflict": Status(409, _C.BAD_MESSAGE, "The key was used for something else"),
        "invalid_state": Status(409, _C.BAD_MESSAGE, "Not in the session's present state"),
        "session_already_active": Status(409, _C.TAKEN_OVER, "The session runs already"),
        "session_exists": Status(409, _C.BAD_MESSAGE, "The id is taken"),
        "session_not_active": Status(409, _C.REFUSED, "The session does not run"),
        "version_conflict": Status(409, _C.BAD_MESSAGE, "Somebody else was faster"),
        "lease_lost": Status(409, _C.TAKEN_OVER, "The session runs elsewhere now", is_told=False),
        "session_expired": Status(410, _C.EXPIRED, "The session's time is over"),
        "too_large": Status(413, _C.TOO_BIG, "Too large"),
        "range_not_satisfiable": Status(416, _C.BAD_MESSAGE, "There are no such bytes"),
        "quota_exceeded": Status(429, _C.QUOTA_EXCEEDED, "Too many sessions at once"),
        "rate_limited": Status(429, _C.QUOTA_EXCEEDED, "Too many calls"),
        "recording_failed": Status(500, _C.INTERNAL, "Audio could not be kept", is_told=False),
        "internal_error": Status(500, _C.INTERNAL, "Something went wrong here", is_told=False),
        "provider_failed": Status(502, _C.INTERNAL, "A provider failed", is_told=False),
        "draining": Status(503, _C.DRAINING, "This server is going away; ask another one"),
        "provider_unavailable": Status(503, _C.INTERNAL, "A provider is away", is_told=False),
        "provider_busy": Status(503, _C.INTERNAL, "A provider takes no more", is_told=False),
        "store_unavailable": Status(503, _C.INTERNAL, "The store is away", is_told=False),
        "store_timeout": Status(504, _C.INTERNAL, "No answer from the store", is_told=False),
        "timeout": Status(504, _C.INTERNAL, "It took too long"),
    }
)

_FAULT: Final = VoiceSessionError.code


def code_told(kind: type[BaseException]) -> str:
    """Return the code that errors of *kind* are told by: their own, or that of a kind above."""
    for ancestor in kind.__mro__:
        if issubclass(ancestor, VoiceSessionError) and ancestor.code in STATUSES:
            return ancestor.code
    return _FAULT


def status_of(error: BaseException) -> Status:
    """Return how *error* is told, whatever it is."""
    return STATUSES[code_told(type(error))]


def problem_of(error: BaseException) -> dict[str, Any]:
    """Return the body that tells of *error*: never more than the error says to its caller.

    ``type, title, status, code, detail, retryable``, and ``field`` where one value is at
    fault. The value itself is not repeated: it may be a secret, or very long.
    """
    status = status_of(error)
    code = code_told(type(error))
    problem: dict[str, Any] = {
        "type": f"urn:voicesession:problem:{code}",
        "title": status.title,
        "status": status.http,
        "code": code,
        "detail": _detail(error) if status.is_told else status.title,
        "retryable": isinstance(error, VoiceSessionError) and error.retryable,
    }
    if isinstance(error, InvalidValue):
        problem["field"] = error.field
    return problem


def retry_after_s(error: BaseException) -> int | None:
    """Return after how many seconds it may be tried again; None where that is no use."""
    if isinstance(error, RateLimited) and error.retry_after_s is not None:
        return error.retry_after_s
    if isinstance(error, ProviderBusy) and error.retry_after_us is not None:
        return max(_RETRY_AFTER_S, -(-error.retry_after_us // _US_PER_S))
    return _RETRY_AFTER_S if status_of(error).http in {429, 503} else None


def _detail(error: BaseException) -> str:
    if isinstance(error, InvalidValue):
        return f"{error.field} is not allowed; allowed: {error.allowed}"
    return str(error)
