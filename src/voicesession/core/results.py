"""
Where in an object store the results of a session lie.

    sessions/{session_id}/                      where tenants share a folder
    tenants/{tenant_id}/sessions/{session_id}/  where each has its own

A host may go over from the one to the other: what lies in the one place stays there.
"""

from __future__ import annotations

import re
from typing import Final, Self

from attrs import field, frozen
from attrs.validators import optional

from .identity import is_id

__all__ = ("ROOTS", "SessionFolder", "session_folders")

_SESSIONS: Final = "sessions/"
_TENANTS: Final = "tenants/"

ROOTS: Final = (_SESSIONS, _TENANTS)
"""What the key of every result begins with."""

_RESULT: Final = re.compile(r"(?:tenants/([^/]+)/)?sessions/([^/]+)/(.+)")


@frozen
class SessionFolder:
    """The folder of one session.

    Attributes:
        tenant_id: Whose folder it lies in; None where tenants share one.

    Raises:
        InvalidValue: One of them cannot be part of a key.
    """

    session_id: str = field(validator=is_id)
    tenant_id: str | None = field(default=None, validator=optional(is_id))

    def __str__(self) -> str:
        """Return what all keys in it begin with, up to and with the last ``/``."""
        tenant = "" if self.tenant_id is None else f"{_TENANTS}{self.tenant_id}/"
        return f"{tenant}{_SESSIONS}{self.session_id}/"

    @classmethod
    def of(cls, key: str) -> tuple[Self, str] | None:
        """Return the folder that *key* lies in, and its name there; None where in none."""
        parts = _RESULT.fullmatch(key)
        return None if parts is None else (cls(parts[2], parts[1]), parts[3])


def session_folders(session_id: str, tenant_id: str) -> tuple[SessionFolder, SessionFolder]:
    """Return both folders in which results of the session may lie, its tenant's own first."""
    return SessionFolder(session_id, tenant_id), SessionFolder(session_id)
