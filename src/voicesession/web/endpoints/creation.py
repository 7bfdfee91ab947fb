"""``POST …``: a new session."""

from __future__ import annotations

from typing import Any, Final

from ...core.errors import InvalidValue, SessionNotFound
from ...core.identity import checked_id
from ...schemas.requests import NewSession, Query
from ..access import user_meant
from ..call import Answer, Call
from ..idempotency import create_once
from ..key_hashes import check_key_hash
from .answers import session_answer

__all__ = ("create",)

_NOT_OF_THE_SESSION: Final = {"tenant_id", "namespace_id", "organization_id"}


async def create(call: Call[Query, NewSession]) -> Answer:
    """Return a new session in CONNECTING; it ends if no client connects in time."""
    await check_key_hash(call, call.body.key_hash)
    wanted = _parameters(call)
    _check_previous(wanted)
    headers: dict[str, str] = {}
    key = call.request.headers.get("idempotency-key")
    if key is None:
        session = await call.voice.create(**wanted)
    else:
        session, was_there = await create_once(call.voice, call.principal, key, wanted)
        headers["idempotent-replayed"] = "true" if was_there else "false"
    headers["location"] = f"{call.request.origin.root}{call.request.mount}/{session.id}"
    return await session_answer(call, session, status=201, headers=headers)


def _parameters(call: Call[Query, NewSession]) -> dict[str, Any]:
    """What was said, and nothing else: for the rest the host and the template have defaults."""
    said = call.body.model_fields_set - _NOT_OF_THE_SESSION
    wanted = {
        name: value
        for name in said
        if (value := getattr(call.body, name)) is not None or name == "recording_consent"
    }
    return wanted | {
        "user_id": user_meant(call, call.body.user_id, call.query.user_id),
        "created_by": call.principal.user_id,
        "client_ip": call.request.origin.client_host,
    }


def _check_previous(wanted: dict[str, Any]) -> None:
    previous = wanted.get("resume_session_id")
    if previous is not None:
        try:
            checked_id("resume_session_id", previous)
        except InvalidValue:
            raise SessionNotFound(previous) from None
