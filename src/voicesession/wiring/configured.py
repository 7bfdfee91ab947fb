"""A manager as a server's settings want it."""

from __future__ import annotations

from datetime import timedelta

from ..runtime.manager import SessionManager
from ..schemas.settings import Settings
from . import open as open_voice

__all__ = ("configured",)


def configured(settings: Settings) -> SessionManager:
    """Return the manager that *settings* describe; nothing is opened before ``async with``.

    Raises:
        InvalidConfig: A URL names no part that there is, or an extra is not installed.
    """
    return open_voice(
        settings.store,
        recordings=settings.recordings,
        checkpoint=timedelta(seconds=settings.checkpoint_seconds),
        life=settings.life,
        admission=settings.admission,
        lease=timedelta(seconds=settings.lease_seconds),
        defaults={"retention_days": settings.retention_days},
    )
