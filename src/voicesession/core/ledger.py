"""
One entry in the ledger: everything that is booked at one moment, all of it or nothing.

A live session settles the slice that it has used, charges what its providers have told, and
reserves the next slice, for several meters and in every account that applies, in one entry;
so the ledger is asked once where it would be asked five times, and nothing comes between.

To post an entry again that was posted already is harmless if it was granted something: one of
its holds is there, so it is not booked again, and the same is granted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from attrs import field, frozen

from .accounts import Account, Hold, HoldId, Line, Scope, Standing
from .books import Books, Moves, lines_by_meter
from .draft import Draft, check_spendable
from .errors import InvalidValue
from .identity import TenantId
from .instants import as_utc
from .meters import Meter, quantity

__all__ = (
    "Grant",
    "LedgerEntry",
    "Posted",
    "Want",
    "accounts_of",
    "decide",
    "lines_of",
    "post",
)


@frozen(kw_only=True)
class Want:
    """Something to be set aside.

    Attributes:
        hold_id: Names the hold from now on; new, and drawn by whoever asks.
        amount: In units of the meter, 1 or more.
    """

    hold_id: HoldId
    meter: Meter = field(converter=Meter)
    amount: int
    expires_at: datetime | None = None

    def __attrs_post_init__(self) -> None:
        quantity(self.meter, self.amount, at_least=1)


def _as_accounts(accounts: Iterable[Account]) -> tuple[Account, ...]:
    return tuple(accounts)


def _as_holds(hold_ids: Iterable[HoldId]) -> frozenset[HoldId]:
    return frozenset(hold_ids)


def _as_wants(wants: Iterable[Want]) -> tuple[Want, ...]:
    return tuple(wants)


def _are_different(_entry: object, attribute: Any, wants: tuple[Want, ...]) -> None:
    ids = [want.hold_id for want in wants]
    if len(set(ids)) != len(ids):
        raise InvalidValue(attribute.name, ids, "holds that differ in their ids")


@frozen(kw_only=True)
class LedgerEntry:
    """What is to be booked, in the order of its fields.

    Attributes:
        at: Which windows it falls into.
        accounts: All that apply, for ``charge`` and ``reserve``: every one of them counts,
            and the tightest grants the least. One or more, all of one tenant, and of one
            session at most. Holds of other tenants do not exist for the entry.
        settle: Holds that are used, and how much of each was. A hold that is not open is
            refused.
        release: Holds that are not needed; one that is not open is left out in silence.
        charge: What has happened already, by meter; 0 books nothing, and asks where it stands.
        reserve: What is to be set aside.

    Raises:
        InvalidValue: No account, accounts of two tenants or sessions, or two wants with one hold.
    """

    at: datetime = field(converter=as_utc)
    accounts: tuple[Account, ...] = field(converter=_as_accounts)
    settle: Mapping[HoldId, int] = field(factory=dict[HoldId, int])
    release: frozenset[HoldId] = field(factory=frozenset[HoldId], converter=_as_holds)
    charge: Mapping[Meter, int] = field(factory=dict[Meter, int])
    reserve: tuple[Want, ...] = field(default=(), converter=_as_wants, validator=_are_different)

    def __attrs_post_init__(self) -> None:
        tenants = {account.tenant_id for account in self.accounts}
        if len(tenants) != 1:
            raise InvalidValue("accounts", sorted(tenants), "the accounts of one tenant")
        sessions = [account.id for account in self.accounts if account.scope is Scope.SESSION]
        if len(sessions) > 1:
            raise InvalidValue("accounts", sessions, "the account of one session")

    @property
    def tenant_id(self) -> TenantId:
        """Whose books it is booked in."""
        return self.accounts[0].tenant_id


@frozen(kw_only=True)
class Grant:
    """What came of a want.

    Attributes:
        amount: All that was asked for, what was left, or 0; then there is no hold.
        tightest: See `budget.Reservation`.
    """

    hold_id: HoldId
    amount: int
    tightest: Standing | None


@frozen(kw_only=True)
class Posted:
    """What came of an entry.

    Attributes:
        grants: One for each want, in their order.
        risen: Where a limit has come to a higher level by this; see `budget.Posting`.
        limited: Every limit on a meter of ``charge``, and where it stands after this: somebody
            else may have used it up before.
    """

    grants: tuple[Grant, ...] = ()
    risen: tuple[Standing, ...] = ()
    limited: tuple[Standing, ...] = ()


def post(books: Books, entry: LedgerEntry) -> tuple[Books, Posted]:
    """Return *books* after *entry*, and what came of it.

    Raises:
        InvalidValue: A hold that is to be settled is not open, or something else cannot be
            booked; see `budget.settle`, `budget.charge` and `budget.reserve`.
    """
    moves, posted = decide(books, entry)
    return books.after(moves), posted


def decide(books: Books, entry: LedgerEntry) -> tuple[Moves, Posted]:
    """Return what *entry* moves in *books*, and what came of it; see `post`.

    Args:
        books: With all that it depends on: the zones and limits of its accounts, the holds that
            it names, and what stands in those of its lines that have a limit.

    Raises:
        InvalidValue: As `post`.
    """
    draft = Draft(books)
    lines = _lines_on(books, entry)
    risen: tuple[Standing, ...] = ()
    if any(want.hold_id in books.holds for want in entry.reserve):
        grants = tuple(_as_granted(books, want) for want in entry.reserve)
    else:
        risen = _booked(draft, entry, lines)
        grants = tuple(_granted(draft, want, lines[want.meter]) for want in entry.reserve)
    limited = (
        standing
        for meter in entry.charge
        if meter in lines
        for standing in draft.limited(lines[meter])
    )
    return draft.moves, Posted(grants=grants, risen=risen, limited=tuple(limited))


def accounts_of(entry: LedgerEntry, holds: Iterable[Hold]) -> tuple[Account, ...]:
    """Return every account that *entry* touches, sorted, so that all lock them in one order.

    Args:
        holds: Those that the entry names, as far as they are open.
    """
    named = {line.account for hold in holds for line in hold.lines}
    return tuple(sorted({*entry.accounts, *named}, key=lambda a: (a.tenant_id, a.scope, a.id)))


def lines_of(entry: LedgerEntry, books: Books) -> frozenset[Line]:
    """Return every line that *entry* touches, or depends on.

    Args:
        books: With the zones and limits of its accounts, and the holds that it names; no
            balances yet.
    """
    now = (line for lines in _lines_on(books, entry).values() for line in lines)
    return frozenset([*now, *(line for hold in books.holds.values() for line in hold.lines)])


def _lines_on(books: Books, entry: LedgerEntry) -> dict[Meter, tuple[Line, ...]]:
    """Return the lines in which *entry* charges and reserves, by meter."""
    limited = {meter for _, meter, _ in books.limits}
    # To charge nothing is to ask for limits; a session that begins asks for those on everything.
    charged = (meter for meter, used in entry.charge.items() if used or meter in limited)
    reserved = (want.meter for want in entry.reserve)
    return lines_by_meter(books, entry.accounts, (*charged, *reserved), entry.at)


def _booked(
    draft: Draft, entry: LedgerEntry, lines: Mapping[Meter, tuple[Line, ...]]
) -> tuple[Standing, ...]:
    """Book what *entry* settles, releases and charges; return where limits have risen by it."""
    # Settling and then charging the same meter may pass two levels: one is told, the higher.
    risen: dict[Line, Standing] = {}
    for hold_id, used in entry.settle.items():
        for each in draft.settle(hold_id, used, at=entry.at):
            risen[each.line] = each
    for hold_id in entry.release:
        if (hold := draft.held(hold_id)) is not None:
            draft.give_back(hold)
    for meter, used in entry.charge.items():
        check_spendable(meter, used)
        if used:
            for each in draft.spend(lines[meter], used):
                risen[each.line] = each
    return tuple(risen.values())


def _granted(draft: Draft, want: Want, lines: tuple[Line, ...]) -> Grant:
    hold, tight = draft.reserve(
        lines, want.amount, hold_id=want.hold_id, expires_at=want.expires_at
    )
    return Grant(hold_id=want.hold_id, amount=0 if hold is None else hold.amount, tightest=tight)


def _as_granted(books: Books, want: Want) -> Grant:
    """Return what was granted when the entry was posted before."""
    hold = books.holds.get(want.hold_id)
    return Grant(hold_id=want.hold_id, amount=0 if hold is None else hold.amount, tightest=None)
