"""
What every ledger does around the core: which rows an entry needs, and which it has changed.

A store loads the rows that an entry depends on into small `Books`, lets the core decide on
them, and writes what moves. That is all that a medium adds: how rows are found, locked and
written.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ..core.accounts import Account, Hold, HoldId, Line, Standing
from ..core.books import Books
from ..core.budget import standings
from ..core.errors import InvalidValue
from ..core.ledger import LedgerEntry
from ..core.meters import Meter

__all__ = (
    "holds_named",
    "holds_of",
    "lines_shown",
    "shown",
    "zone_named",
)


def holds_named(entry: LedgerEntry) -> tuple[HoldId, ...]:
    """Return every hold that *entry* names, open or not; sorted, so that all find the same first."""
    wanted = (want.hold_id for want in entry.reserve)
    return tuple(sorted({*entry.settle, *entry.release, *wanted}))


def holds_of(entry: LedgerEntry, found: Iterable[Hold]) -> tuple[Hold, ...]:
    """Return those of *found* that exist for *entry*: the holds of its tenant.

    Raises:
        InvalidValue: It wants to open one that another tenant has.
    """
    holds = tuple(found)
    own = tuple(hold for hold in holds if hold.lines[0].account.tenant_id == entry.tenant_id)
    wanted = {want.hold_id for want in entry.reserve}
    for hold in holds:
        if hold not in own and hold.id in wanted:
            raise InvalidValue("hold_id", hold.id, "one that is not held")
    return own


def lines_shown(
    books: Books, accounts: Iterable[Account], meters: Iterable[Meter], at: datetime
) -> tuple[Line, ...]:
    """Return the lines in which *accounts* stand, given their zones in *books*."""
    return tuple(standing.line for standing in shown(books, accounts, meters, at))


def shown(
    books: Books, accounts: Iterable[Account], meters: Iterable[Meter], at: datetime
) -> tuple[Standing, ...]:
    """Return where *accounts* stand on *meters*: by account, meter and window."""
    meters = tuple(meters)
    return tuple(
        standing
        for account in dict.fromkeys(accounts)
        for meter in meters
        for standing in standings(books, [account], meter, at)
    )


def zone_named(name: str) -> tzinfo:
    """Return the time zone *name*.

    Raises:
        InvalidValue: There is no such zone.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        # OSError: some names are those of folders of the database.
        raise InvalidValue("zone", name, "an IANA time zone, such as Europe/Zurich") from None
