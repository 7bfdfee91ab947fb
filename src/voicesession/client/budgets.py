"""The budgets of a server: what sessions, users and tenants have spent, and may spend."""

from __future__ import annotations

from ..core.accounts import Scope
from ..core.meters import Meter
from ..core.windows import Window
from ..schemas.budgets import BudgetAnswer
from ..schemas.requests import LimitQuery, SetLimit
from . import operations
from .connection import Connection

__all__ = ("Budgets",)


class Budgets:
    """``client.budgets``; errors as everywhere in the client."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def get(self, scope: Scope, account_id: str) -> BudgetAnswer:
        """Return where an account stands, on each meter and in each window."""
        return await self._connection.ask(operations.GET_BUDGET, _of(scope, account_id))

    async def set_limit(self, scope: Scope, account_id: str, limit: SetLimit) -> BudgetAnswer:
        """Set a limit, or raise it; a session that it has paused may then resume."""
        values = _of(scope, account_id)
        return await self._connection.ask(operations.SET_LIMIT, values, body=limit)

    async def drop_limit(
        self, scope: Scope, account_id: str, *, meter: Meter, window: Window
    ) -> BudgetAnswer:
        """Let an account spend without a limit; nothing happens if there is none."""
        query = LimitQuery.model_validate({"meter": meter, "window": window})
        return await self._connection.ask(
            operations.DROP_LIMIT, _of(scope, account_id), query=query
        )


def _of(scope: Scope, account_id: str) -> dict[str, str]:
    return {"scope": scope, "id": account_id}
