"""What each of a vendor's faults has to become, whoever the vendor is."""

from __future__ import annotations

from tests.providers.wire.links import Fault, Refusal

from voicesession.core.errors import ProviderBusy, ProviderError, ProviderUnavailable

KEY = "k-secret-1"

FAULTS: dict[Fault, type[ProviderError]] = {
    Fault.HANG: ProviderUnavailable,
    Fault.CUT: ProviderUnavailable,
    Fault.GARBAGE: ProviderUnavailable,
    Fault.STRANGE: ProviderUnavailable,
    Fault.CLOSE_1008: ProviderError,
    Fault.CLOSE_1011: ProviderUnavailable,
}

REFUSALS: list[tuple[Refusal, type[ProviderError], str]] = [
    (Refusal(400, '{"err_code": "Bad Request", "reason": "words"}'), ProviderError, "HTTP 400"),
    (
        Refusal(401, f'{{"err_code": "INVALID_AUTH", "err_msg": "no such key {KEY}"}}'),
        ProviderError,
        "HTTP 401 (INVALID_AUTH)",
    ),
    (Refusal(403, f"<html>{KEY}</html>"), ProviderError, "HTTP 403"),
    (
        Refusal(404, '{"detail": {"status": "voice_not_found"}}'),
        ProviderError,
        "HTTP 404 (voice_not_found)",
    ),
    (
        Refusal(429, '{"error": {"code": "rate_limit_exceeded"}}', retry_after="2.5"),
        ProviderBusy,
        "HTTP 429 (rate_limit_exceeded)",
    ),
    (
        Refusal(429, '{"error": {"type": "insufficient_quota"}}'),
        ProviderError,
        "HTTP 429 (insufficient_quota)",
    ),
    (Refusal(500), ProviderUnavailable, "HTTP 500"),
    (Refusal(503, retry_after="Sat, 21 Nov 2026 06:00:00 GMT"), ProviderBusy, "HTTP 503"),
]
