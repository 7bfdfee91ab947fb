"""The hash of a namespace's key, which a new session names where the host asks for it."""

from __future__ import annotations

from typing import Any

from .call import Call
from .principal import Unauthenticated

__all__ = ("check_key_hash",)


async def check_key_hash(call: Call[Any, Any], named: str | None) -> None:
    """Do nothing, if *named* is the hash of the namespace's key, or the host asks for none.

    Args:
        named: None from whoever has no place to name one: a room, or a WebSocket that creates
            its session. Theirs begin by a POST.

    Raises:
        Unauthenticated: It is not.
    """
    verify = call.options.verify_key_hash
    if verify is not None and (named is None or not await verify(call.voice.tenant_id, named)):
        raise Unauthenticated("Invalid encryption key hash")
