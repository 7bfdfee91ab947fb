"""Whose data a call may see."""

from __future__ import annotations

from typing import Final

from attrs import frozen

from ..core.identity import TenantId

__all__ = ("EVERYTHING", "Scope")


@frozen
class Scope:
    """Whose data a call may see: one tenant's, or everybody's (None)."""

    tenant_id: TenantId | None


EVERYTHING: Final = Scope(None)
"""The scope of operators and sweepers; never of a request."""
