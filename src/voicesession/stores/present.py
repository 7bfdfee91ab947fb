"""The time as this machine has it: a store stamps its own."""

from __future__ import annotations

from datetime import UTC, datetime

__all__ = ("present",)


def present() -> datetime:
    """Return the present instant."""
    return datetime.now(UTC)  # noqa: TID251 - a store stamps its own time
