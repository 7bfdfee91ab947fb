"""Where budgets are kept: who may spend how much, what is spent, and what is held."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Protocol

from ..core.accounts import Account, Limit, Standing
from ..core.identity import SessionId, TenantId
from ..core.ledger import LedgerEntry, Posted
from ..core.meters import Meter
from ..core.windows import Window

__all__ = ("BudgetLedger",)


class BudgetLedger(Protocol):
    """Keeps the books of `voicesession.core.budget`, which decides what they come to.

    Every method is atomic over all accounts and meters that it touches: of many callers at
    once, none sees half of what another one does, and what one grants no other grants again.
    An account needs no opening; one that nobody has limited is unlimited.
    """

    async def post(self, entry: LedgerEntry, /) -> Posted:
        """Book *entry*, all of it or nothing; see `voicesession.core.ledger.post`.

        After a `StoreTimeout` an entry that reserves may be posted again as it is. One that
        only settles is refused, if it was booked, because its holds are gone. One that only
        charges would be booked twice.

        Raises:
            InvalidValue: As `post`; nothing was booked.
        """
        ...

    async def release_session(
        self, tenant_id: TenantId, session_id: SessionId, /, *, audio_used_us: int = 0
    ) -> None:
        """Give back every hold in which the account of this session has a part.

        Args:
            audio_used_us: What the session is known to have used in all; what of that is not
                booked yet is booked, as far as its holds go. See `budget.settle_session`.
        """
        ...

    async def expire_holds(self, at: datetime, /) -> int:
        """Give back all holds of all tenants that have expired at *at*; return how many."""
        ...

    async def standings(
        self, accounts: Iterable[Account], meters: Iterable[Meter], /, *, at: datetime
    ) -> Sequence[Standing]:
        """Return where *accounts* stand on each of *meters*, in the windows of *at*.

        By account, then by meter, then by window, in the order given.
        """
        ...

    async def set_limit(self, limit: Limit, /, *, at: datetime) -> Sequence[Standing]:
        """Arm *limit* in place of the one before it; return where it has risen at once."""
        ...

    async def raise_limit(
        self, account: Account, meter: Meter, window: Window, /, *, by: int, at: datetime
    ) -> Sequence[Standing]:
        """Arm a limit anew, *by* units higher; return where it has risen at once.

        Raises:
            InvalidValue: There is no such limit, or *by* is not a positive whole number.
        """
        ...

    async def drop_limit(self, account: Account, meter: Meter, window: Window, /) -> None:
        """Let *account* spend without this limit; nothing happens if there is none."""
        ...

    async def set_zone(self, account: Account, zone: str, /) -> None:
        """Let the windows of *account* begin at midnight in *zone* from now on.

        Raises:
            InvalidValue: *zone* is no name of the IANA time zone database.
        """
        ...
