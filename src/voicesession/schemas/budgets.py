"""Budgets on the wire: where an account stands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import Field

from ..core.accounts import Account, Level, Scope, Standing
from ..core.budget_status import budget_status
from ..core.meters import Meter
from ..core.windows import Window
from .parts import Told

__all__ = ("BudgetAnswer", "MeterStatus", "StandingRow", "budget_document")


class MeterStatus(Told):
    """Where an account stands on one meter, by its tightest limit; null without one."""

    used: float = Field(ge=0)
    reserved: float = Field(ge=0)
    limit: float | None = Field(ge=0)
    remaining: float | None = Field(ge=0)
    utilization: float | None = Field(ge=0)


class StandingRow(Told):
    """Where an account stands on one meter in one window, in whole units of the meter."""

    meter: Meter
    window: Window
    used: int = Field(ge=0)
    reserved: int = Field(ge=0)
    limit: int | None = Field(ge=0)
    remaining: int | None = Field(ge=0)
    utilization: float | None = Field(ge=0)
    level: Level


class BudgetAnswer(Told):
    """The books of one session, user or tenant.

    ``budget`` has ``audio_minutes`` in minutes, and every other meter in whole units.
    """

    scope: Scope
    id: str
    budget: dict[str, MeterStatus]
    standings: list[StandingRow]


def budget_document(account: Account, standings: Sequence[Standing]) -> dict[str, Any]:
    """Return where *account* stands, by meter, and by meter and window."""
    return {
        "scope": account.scope,
        "id": account.id,
        "budget": budget_status(standings),
        "standings": [_row(standing) for standing in standings],
    }


def _row(standing: Standing) -> dict[str, Any]:
    limit, utilization = standing.limit, standing.utilization
    return {
        "meter": standing.line.meter,
        "window": standing.line.window,
        "used": standing.spent,
        "reserved": standing.held,
        "limit": None if limit is None else limit.amount,
        "remaining": standing.remaining,
        "utilization": None if utilization is None else float(utilization),
        "level": standing.level,
    }
