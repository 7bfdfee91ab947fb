"""What is known only when it has happened waits, but not where a limit on it comes near."""

from collections.abc import Mapping
from datetime import UTC, datetime

from attrs import define, field
from hypothesis import given, strategies as st

from voicesession.core.accounts import Account, Limit, Scope
from voicesession.core.books import Books
from voicesession.core.budget import set_limit
from voicesession.core.ledger import LedgerEntry, Posted, post
from voicesession.core.meters import Meter
from voicesession.core.windows import Window
from voicesession.runtime.afterwards import Afterwards

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
TOKENS = Meter.LLM_OUTPUT_TOKENS
ADA = Account(Scope.USER, "ada")
A_LEASE_AND_A_SWEEP = 4
"""In ticks of a worker."""


@define
class Desk:
    """Books of one account that sessions post to."""

    books: Books = field(factory=Books)

    def limit(self, amount: int, window: Window = Window.DAY) -> None:
        limit = Limit(account=ADA, meter=TOKENS, window=window, amount=amount)
        self.books = set_limit(self.books, limit, at=NOON).books

    def charge(self, used: Mapping[Meter, int]) -> Posted:
        self.books, posted = post(self.books, LedgerEntry(at=NOON, accounts=(ADA,), charge=used))
        return posted

    def book(self, session: Afterwards) -> None:
        charge = session.asked()
        session.learn(charge, self.charge(charge))


def ticks_until_due(session: Afterwards) -> int:
    return next(tick for tick in range(1, 100) if session.is_due_at_tick())


def acquainted(desk: Desk, used: int = 0) -> Afterwards:
    """Return a session that has been told twice, and knows how fast others are."""
    session = Afterwards()
    for _ in range(2):
        session.note({TOKENS: used})
        desk.book(session)
    return session


@given(st.integers(1, 10**9), st.none() | st.integers(10**12, 10**15))
def test_far_from_any_limit_it_waits_for_as_long_as_a_dead_worker_goes_unnoticed(
    used: int, limit: int | None
) -> None:
    desk = Desk()
    if limit is not None:
        desk.limit(limit)
    session = acquainted(desk, used)
    session.note({TOKENS: used})
    assert ticks_until_due(session) == A_LEASE_AND_A_SWEEP


def test_with_nothing_noted_nothing_is_ever_due() -> None:
    desk = Desk()
    desk.limit(1)
    session = acquainted(desk)
    assert not any(session.is_due_at_tick() for _ in range(10))


def test_whoever_has_just_met_a_limit_books_with_the_next_tick() -> None:
    desk, session = Desk(), Afterwards()
    desk.limit(10**12)
    session.note({TOKENS: 1})
    desk.book(session)
    session.note({TOKENS: 1})
    assert session.is_due_at_tick()


def test_a_limit_that_is_set_anew_is_met_anew() -> None:
    desk = Desk()
    desk.limit(10**12)
    session = acquainted(desk)
    desk.limit(2 * 10**12)
    desk.book(session)
    session.note({TOKENS: 1})
    assert session.is_due_at_tick()


def test_where_others_use_a_limit_up_fast_it_is_booked_with_the_next_tick() -> None:
    desk = Desk()
    desk.limit(1_000_000)
    session = acquainted(desk)
    desk.charge({TOKENS: 100_000})
    desk.book(session)
    session.note({TOKENS: 1})
    assert session.is_due_at_tick()


def test_what_many_sessions_cannot_wait_with_is_due_with_the_next_tick() -> None:
    desk = Desk()
    desk.limit(6_400)
    session = acquainted(desk)
    session.note({TOKENS: 99})
    assert not session.is_due_at_tick()
    session.note({TOKENS: 1})
    assert session.is_due_at_tick()


def test_of_two_limits_on_one_meter_the_tighter_decides() -> None:
    desk = Desk()
    desk.limit(10**12, Window.MONTH)
    desk.limit(6_400)
    session = acquainted(desk)
    session.note({TOKENS: 100})
    assert session.is_due_at_tick()
    session.note({TOKENS: 6_300})
    desk.book(session)
    (exhausted,) = session.exhausted
    assert exhausted.line.window is Window.DAY


@given(st.integers(0, 200_000), st.lists(st.integers(1, 400), min_size=1, max_size=12))
def test_sessions_that_wait_pass_a_limit_by_no_more_than_they_use_in_a_tick(
    limit: int, paces: list[int]
) -> None:
    desk, used = Desk(), 0
    desk.limit(limit)
    sessions = [(Afterwards(), pace) for pace in paces]
    for session, _ in sessions:
        session.note({TOKENS: 0})
        desk.book(session)
    while running := [each for each in sessions if not each[0].exhausted]:
        for session, pace in running:
            session.note({TOKENS: pace})
            used += pace
            if session.is_due_at_tick():
                desk.book(session)
    assert used <= limit + sum(paces)
