"""
What lets a WebSocket in without a header: tickets, and tokens to come back with.

A browser cannot send a header with a WebSocket, and a long-lived token has no place in a URL. So
whoever may write to a session asks for a *ticket* first: it is good for this session, for this
user, for half a minute, and once. A *resume token* is handed out with ``session.begin`` and lets a
client come back to its session for as long as that may go on; it is never part of a URL.

A ticket names the epoch of its session, which counts those who have held it. Whoever comes in
begins the next one, on whichever worker, and the ticket is used up: no list of them is kept.

Both are ``v1.<claims>.<mac>``: the claims in base64url say the kind, the tenant, the user and
the last moment; the MAC (HMAC-SHA256) covers them together with the session, so that neither can
be shown for another session, or in place of the other kind.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final, cast

from attrs import frozen

from ..core.errors import InvalidConfig
from ..core.identity import TenantId
from ..core.instants import duration_us, to_us
from ..core.session import Session
from ..ports.clock import Clock
from ..runtime.clock import SystemClock
from .principal import Permission, Principal, Unauthenticated

__all__ = ("Kind", "Pass", "Passes")

_VERSION: Final = "v1"
_LEAST_SECRET_BYTES: Final = 32
_LONGEST: Final = 2_048
_REFUSED: Final = "the ticket or token is not good, or not any more"


class Kind(StrEnum):
    """What it is good for."""

    TICKET = "ticket"
    RESUME = "resume"


@frozen(kw_only=True)
class Pass:
    """Whom a ticket or a token lets in.

    Attributes:
        user_id: Of the session; None where it has none.
        epoch: Of the session, in which a ticket is good; None of a token.
    """

    tenant_id: TenantId
    user_id: str | None
    epoch: int | None = None

    @property
    def principal(self) -> Principal:
        """Somebody who may read and write this user's sessions; nobody but us narrows it down."""
        scopes = frozenset({Permission.READ, Permission.WRITE})
        return Principal(tenant_id=self.tenant_id, user_id=self.user_id, scopes=scopes)


class Passes:
    """Signs tickets and resume tokens, and knows its own.

    Args:
        secret: At least 32 random bytes, the same on every worker.
        ticket_for: How long a ticket is good.
        resume_for: How long a resume token is.

    Raises:
        InvalidConfig: The secret is too short.
    """

    def __init__(
        self,
        secret: bytes,
        *,
        clock: Clock | None = None,
        ticket_for: timedelta = timedelta(seconds=30),
        resume_for: timedelta = timedelta(hours=24),
    ) -> None:
        if len(secret) < _LEAST_SECRET_BYTES:
            raise InvalidConfig("secret", "what was given", f"{_LEAST_SECRET_BYTES} bytes or more")
        self._secret = secret
        self._clock = clock or SystemClock()
        self._good_for = {Kind.TICKET: ticket_for, Kind.RESUME: resume_for}

    def issue(self, kind: Kind, session: Session) -> str:
        """Return a ticket or token for *session*, which only it can be shown for."""
        expires_us = to_us(self._clock.now()) + duration_us(self._good_for[kind])
        claims = {"k": kind.value, "t": session.tenant_id, "u": session.user_id, "x": expires_us}
        if kind is Kind.TICKET:
            claims["e"] = session.epoch
        coded = _coded(json.dumps(claims, separators=(",", ":")).encode())
        return f"{_VERSION}.{coded}.{self._mac(coded, session.id)}"

    def check(self, kind: Kind, shown: str, session_id: str) -> Pass:
        """Return whom *shown* lets in to the session; a ticket only in its epoch.

        Raises:
            Unauthenticated: It is not ours, not of this kind, not for this session, or too old.
        """
        version, _, rest = shown[:_LONGEST].partition(".")
        coded, _, mac = rest.partition(".")
        is_ours = hmac.compare_digest(mac.encode(), self._mac(coded, session_id).encode())
        if not is_ours or version != _VERSION:
            raise Unauthenticated(_REFUSED)
        claims = cast(
            "dict[str, Any]", json.loads(urlsafe_b64decode(coded + "=" * (-len(coded) % 4)))
        )
        if claims["k"] != kind or claims["x"] <= to_us(self._clock.now()):
            raise Unauthenticated(_REFUSED)
        return Pass(tenant_id=TenantId(claims["t"]), user_id=claims["u"], epoch=claims.get("e"))

    def _mac(self, coded: str, session_id: str) -> str:
        signed = f"{_VERSION}.{coded}.{session_id}".encode()
        return _coded(hmac.digest(self._secret, signed, hashlib.sha256))


def _coded(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")
