"""Where in an object store the results of a session lie."""

from __future__ import annotations

from typing import Final

__all__ = ("SESSIONS", "session_folder")

SESSIONS: Final = "sessions/"
"""The folder of all sessions."""


def session_folder(session_id: str) -> str:
    """Return what all keys of a session begin with, up to and with the last ``/``."""
    return f"{SESSIONS}{session_id}/"
