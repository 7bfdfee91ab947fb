"""What a vendor's no means: which of our errors it is, and whether asking again may help."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final, TypeGuard

from ..core.errors import ProviderBusy, ProviderError, ProviderUnavailable

__all__ = ("closed", "malformed", "refused", "silent")

_FOR_NOW: Final = frozenset({408, 409, 425, 429})
"""Besides every 5xx. 409 is a vendor's own race, not a state of ours."""
_BUSY: Final = frozenset({429, 503})
_OUR_FAULT: Final = frozenset({1002, 1003, 1007, 1008, 1009, 1010})
"""Close codes (RFC 6455, 7.4.1) that say that the same messages will not be taken again."""
_CODE_FIELDS: Final = ("code", "type", "err_code", "status", "error")
_MACHINE_WORD: Final = re.compile(r"[A-Z]{2,5}-\d{4}|[A-Za-z]+(?:_[A-Za-z]+)+")
"""``rate_limit_exceeded``, ``INVALID_AUTH``, ``NET-0001``. Nothing else that a vendor says is
repeated: its sentences may hold the key, or words that the user has said."""


def refused(
    provider: str, status: int, *, retry_after: str | None = None, body: bytes = b""
) -> ProviderError:
    """Return the error for an HTTP answer that is no success.

    Args:
        retry_after: The header, if there was one. Dates are not taken, only seconds.
        body: What came with it; only a code in it is repeated.
    """
    code = next(_codes(body), None)
    problem = f"HTTP {status}" + (f" ({code})" if code else "")
    if status in _BUSY and code != "insufficient_quota":
        return ProviderBusy(provider, problem, _microseconds(retry_after))
    if status >= 500 or (status in _FOR_NOW and status not in _BUSY):
        return ProviderUnavailable(provider, problem)
    return ProviderError(provider, problem)


def closed(provider: str, code: int | None, reason: str = "") -> ProviderError:
    """Return the error for a WebSocket that the vendor closed; *code* is None for a cut."""
    if code is None:
        return ProviderUnavailable(provider, "the connection was cut")
    word = _MACHINE_WORD.search(reason)
    problem = f"closed the connection with {code}" + (f" ({word[0]})" if word else "")
    kind = ProviderError if code in _OUR_FAULT else ProviderUnavailable
    return kind(provider, problem)


def silent(provider: str, patience_s: float) -> ProviderUnavailable:
    """Return the error for an answer that did not come in time."""
    return ProviderUnavailable(provider, f"no answer in {patience_s:g} s")


def malformed(provider: str) -> ProviderUnavailable:
    """Return the error for an answer that makes no sense: another connection may do better."""
    return ProviderUnavailable(provider, "sent something that is not its protocol")


def _microseconds(retry_after: str | None) -> int | None:
    if retry_after is None or not re.fullmatch(r"\d{1,6}(\.\d{1,6})?", retry_after.strip()):
        return None
    return round(float(retry_after) * 1_000_000)


def _codes(body: bytes) -> Iterator[str]:
    try:
        answer: Any = json.loads(body)
    except ValueError:
        return
    if _is_object(answer):
        for part in (answer, answer.get("error"), answer.get("detail")):
            if _is_object(part):
                values = (part.get(name) for name in _CODE_FIELDS)
                yield from (v for v in values if isinstance(v, str) and _MACHINE_WORD.fullmatch(v))


def _is_object(value: Any) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)
