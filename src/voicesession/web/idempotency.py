"""
Creating a session twice by mistake, and getting it once.

A client that heard no answer asks again with the same ``Idempotency-Key``. The id of the
session follows from the key and from who says it, so the second attempt meets the first one in
the store: on any worker, after any crash, and for as long as the session is kept.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any, Final

from ..core.errors import SessionExists, SessionNotFound
from ..core.session import Session
from ..runtime.manager import SessionManager
from ..schemas.refusals import BadRequest, IdempotencyConflict
from .principal import Principal

__all__ = ("create_once",)

_A_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")
_MAY_HAVE_CHANGED: Final = frozenset({"metadata", "recording_consent"})
_OF_THE_ATTEMPT: Final = frozenset({"client_ip", "created_by"})
_SEVERAL: Final = frozenset({"secrets_blurred"})
_OTHERWISE_NAMED: Final = {"resume_session_id": "previous_session_id", "session_id": "id"}


async def create_once(
    voice: SessionManager, principal: Principal, key: str, parameters: dict[str, Any]
) -> tuple[Session, bool]:
    """Return the session of *key*, and whether it was there already.

    Raises:
        BadRequest: The key cannot be one.
        IdempotencyConflict: It was used for another session.
        As `SessionManager.create`.
    """
    if not _A_KEY.fullmatch(key):
        raise BadRequest("Idempotency-Key", "1 to 255 visible ASCII characters")
    session_id: str = parameters.get("session_id") or _id_of(voice.tenant_id, principal, key)
    wanted: dict[str, Any] = {**parameters, "session_id": session_id}
    try:
        return _checked(await voice.get(session_id), wanted), True
    except SessionNotFound:
        pass
    try:
        return await voice.create(**wanted), False
    except SessionExists:
        return _checked(await voice.get(session_id), wanted), True


def _id_of(tenant_id: str, principal: Principal, key: str) -> str:
    """The 32 hex digits are a UUID of version 8: made by a rule of our own (RFC 9562, 5.8)."""
    said = "\0".join((tenant_id, principal.user_id or "", key))
    number = int.from_bytes(hashlib.sha256(said.encode()).digest()[:16])
    number = number & ~(0xF << 76) | 0x8 << 76
    number = number & ~(0b11 << 62) | 0b10 << 62
    return f"sess_{number:032x}"


def _checked(session: Session, wanted: Mapping[str, Any]) -> Session:
    for name in wanted.keys() - _MAY_HAVE_CHANGED - _OF_THE_ATTEMPT:
        there = getattr(session, _OTHERWISE_NAMED.get(name, name))
        if there != (tuple(wanted[name]) if name in _SEVERAL else wanted[name]):
            raise IdempotencyConflict(f"with this key a session with another {name} was created")
    return session
