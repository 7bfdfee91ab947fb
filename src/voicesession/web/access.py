"""
Whose sessions a caller may see: the one place that knows.

A tenant's store holds nothing of another one. Within a tenant a user sees their own sessions;
whoever has the reach *all* sees everybody's, and may say whose they mean. What one may not see
is not there: a 404, unless the host wants it told.
"""

from __future__ import annotations

from typing import Any, Final

from ..core.errors import AccessDenied, InvalidValue, SessionNotFound, VoiceSessionError
from ..core.identity import checked_id
from ..core.session import Session
from ..schemas.refusals import NotFound
from .call import Call
from .principal import Permission, Reach

__all__ = ("FOREIGN", "foreign", "user_meant", "visible")

FOREIGN: Final = "it belongs to somebody else"
"""All that is ever told of it, and only where the host wants it told."""


def foreign(call: Call[Any, Any], hidden: VoiceSessionError) -> VoiceSessionError:
    """Return the error for what belongs to somebody else; *hidden* says that it is not there."""
    if call.options.reveal_foreign:
        return AccessDenied(FOREIGN)
    return hidden


def user_meant(call: Call[Any, Any], *named: str | None) -> str | None:
    """Return the user whose sessions are meant; None for everybody's.

    Args:
        named: By the caller, in several places.

    Raises:
        NotFound: It is not for this caller to name them, or two are named.
    """
    users = {user for user in named if user is not None}
    if call.reach is Reach.OWN:
        users.add(call.principal.user_id or "")
    if len(users) > 1:
        raise foreign(call, NotFound("there is nothing of that user here"))
    return next(iter(users), None)


async def visible(
    call: Call[Any, Any], permission: Permission | None = None, *, session_id: str | None = None
) -> Session:
    """Return the session that the path names, as it is now.

    Args:
        permission: What is to be done to it; what the call needs, if it is not given.
        session_id: Another one than the path names.

    Raises:
        AccessDenied: The caller may do this to no session.
        SessionNotFound: There is none, or none that the caller may know of.
    """
    wanted = session_id or call.request.values["session_id"]
    reach = call.reach if permission is None else call.principal.require(permission)
    try:
        session = await call.voice.get(checked_id("session_id", wanted))
    except InvalidValue:
        raise SessionNotFound(wanted) from None
    named = getattr(call.query, "user_id", None)
    is_own = session.user_id is not None and session.user_id == call.principal.user_id
    is_meant = named is None or named == session.user_id
    if not is_meant or (reach is Reach.OWN and not is_own):
        raise foreign(call, SessionNotFound(wanted))
    return session
