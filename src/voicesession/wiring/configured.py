"""A manager as a server's settings want it."""

from __future__ import annotations

from datetime import timedelta

from ..ports.rooms import RoomService
from ..pricing import prices
from ..runtime.budget_policy import BudgetPolicy
from ..runtime.manager import SessionManager
from ..schemas.settings import Settings
from . import Options, open as open_voice

__all__ = ("configured",)


def configured(settings: Settings, *, rooms: RoomService | None = None) -> SessionManager:
    """Return the manager that *settings* describe; nothing is opened before ``async with``.

    It counts money by the prices that the package knows, and by the host's own before those.

    Args:
        rooms: Of another server, such as `voicesession.integrations.livekit.LiveKitRooms`.

    Raises:
        InvalidConfig: A URL names no part that there is, an extra is not installed, or the
            prices cannot be read.
    """
    options: Options = {
        "life": settings.life,
        "admission": settings.admission,
        "budgets": BudgetPolicy(allow_unpriced=settings.allow_unpriced),
        "prices": prices(settings.prices),
        "lease": timedelta(seconds=settings.lease_seconds),
        "defaults": {"retention_days": settings.retention_days},
    }
    if rooms is not None:
        options["rooms"] = rooms
    return open_voice(
        settings.store,
        recordings=settings.recordings,
        checkpoint=timedelta(seconds=settings.checkpoint_seconds),
        **options,
    )
