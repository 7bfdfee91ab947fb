from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, strategies as st

from voicesession.core.accounts import Account, HoldId, Level, Limit, Scope
from voicesession.core.books import Books
from voicesession.core.budget import charge, release, reserve, set_limit, settle, standings
from voicesession.core.errors import InvalidValue
from voicesession.core.identity import TenantId
from voicesession.core.ledger import LedgerEntry, Posted, Want, accounts_of, lines_of, post
from voicesession.core.meters import Meter
from voicesession.core.windows import Window

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
CALL = Account(Scope.SESSION, "sess_1")
ADA = Account(Scope.USER, "ada")
ACME = Account(Scope.TENANT, "acme")
ALL = (CALL, ADA, ACME)
AUDIO, TOKENS = Meter.AUDIO_US, Meter.LLM_OUTPUT_TOKENS
H1, H2, H3 = HoldId("h1"), HoldId("h2"), HoldId("h3")


def entry(**booked: Any) -> LedgerEntry:
    fields: dict[str, Any] = {"at": NOON, "accounts": ALL}
    return LedgerEntry(**fields | booked)


def want(hold_id: HoldId, amount: int, meter: Meter = AUDIO) -> Want:
    return Want(hold_id=hold_id, meter=meter, amount=amount)


def limited(amount: int, account: Account = ADA, meter: Meter = AUDIO) -> Books:
    window = Window.SESSION if account is CALL else Window.DAY
    limit = Limit(account=account, meter=meter, window=window, amount=amount)
    return set_limit(Books(), limit, at=NOON).books


HELD = post(limited(100), entry(reserve=[want(H1, 60), want(H2, 30, TOKENS)]))[0]


def test_an_entry_is_booked_as_its_parts_are_one_after_the_other() -> None:
    after, posted = post(
        HELD, entry(settle={H1: 50}, release=[H2], charge={TOKENS: 7}, reserve=[want(H3, 80)])
    )
    by_hand = settle(HELD, H1, 50, at=NOON).books
    by_hand = charge(release(by_hand, H2), ALL, TOKENS, 7, at=NOON).books
    reserved = reserve(by_hand, ALL, AUDIO, 80, hold_id=H3, at=NOON)
    assert after == reserved.books
    assert [(grant.hold_id, grant.amount) for grant in posted.grants] == [(H3, 50)]
    assert posted.grants[0].tightest == reserved.tightest


def test_what_is_settled_and_released_makes_room_for_what_is_reserved() -> None:
    full = post(limited(100), entry(reserve=[want(H1, 60), want(H2, 40)]))[0]
    for room, freed in (({"settle": {H1: 20}}, 40), ({"release": [H2]}, 40)):
        _, posted = post(full, entry(**room, reserve=[want(H3, 1_000)]))
        assert posted.grants[0].amount == freed


def test_every_account_of_the_entry_pays() -> None:
    after, _ = post(Books(), entry(charge={TOKENS: 7, Meter.TTS_CHARACTERS: 2}))
    for account in ALL:
        for meter, spent in ((TOKENS, 7), (Meter.TTS_CHARACTERS, 2)):
            assert standings(after, [account], meter, NOON)[0].spent == spent


def test_a_hold_that_is_not_open_is_not_settled() -> None:
    with pytest.raises(InvalidValue, match="hold_id"):
        post(HELD, entry(settle={H3: 1}))


def test_a_hold_that_is_not_open_is_released_in_silence() -> None:
    assert post(HELD, entry(release=[H3])) == (HELD, Posted())


def test_a_level_is_told_once_where_settling_and_charging_pass_two() -> None:
    books = limited(100, meter=TOKENS)
    books = post(books, entry(reserve=[want(H1, 90, TOKENS)]))[0]
    _, posted = post(books, entry(settle={H1: 85}, charge={TOKENS: 20}))
    (risen,) = posted.risen
    assert (risen.level, risen.spent) == (Level.EXHAUSTED, 105)


def test_an_entry_is_told_every_limit_on_what_it_charges_also_those_that_others_used_up() -> None:
    books = post(limited(10, meter=TOKENS), entry(accounts=[ADA], charge={TOKENS: 10}))[0]
    for used in (0, 3):
        _, posted = post(books, entry(charge={TOKENS: used, AUDIO: used}))
        assert posted.risen == ()
        (full,) = posted.limited
        assert (full.line.account, full.spent, full.remaining) == (ADA, 10 + used, 0)


def test_an_entry_that_is_posted_again_is_told_the_same_limits() -> None:
    asked = entry(charge={TOKENS: 3}, reserve=[want(H1, 5)])
    after, posted = post(limited(10, meter=TOKENS), asked)
    assert post(after, asked)[1].limited == posted.limited


@given(st.integers(1, 200), st.integers(1, 200), st.integers(0, 60))
def test_an_entry_that_was_granted_something_is_booked_once(
    first: int, second: int, used: int
) -> None:
    repeated = entry(settle={H1: used}, reserve=[want(H3, first), want(HoldId("h4"), second)])
    after, posted = post(HELD, repeated)
    again, told = post(after, repeated)
    assert again == after
    assert [(grant.hold_id, grant.amount) for grant in told.grants] == [
        (grant.hold_id, grant.amount) for grant in posted.grants
    ]


def test_a_hold_lapses_when_its_want_says() -> None:
    soon = NOON + timedelta(minutes=1)
    lapsing = Want(hold_id=H3, meter=AUDIO, amount=1, expires_at=soon)
    after, _ = post(HELD, entry(reserve=[lapsing]))
    assert after.holds[H3].expires_at == soon


def test_a_want_is_for_one_or_more() -> None:
    for amount in (0, -1, 1.5):
        with pytest.raises(InvalidValue, match="audio_us"):
            want(H1, amount)  # type: ignore[arg-type]


def test_two_wants_have_two_holds() -> None:
    with pytest.raises(InvalidValue, match="reserve"):
        entry(reserve=[want(H1, 1), want(H1, 2)])


@pytest.mark.parametrize(
    "accounts",
    [
        (),
        (ADA, Account(Scope.USER, "ada", TenantId("other"))),
        (CALL, Account(Scope.SESSION, "sess_2")),
    ],
)
def test_an_entry_is_for_one_tenant_and_one_session(accounts: tuple[Account, ...]) -> None:
    with pytest.raises(InvalidValue, match="accounts"):
        entry(accounts=accounts)


def test_an_entry_is_its_tenants() -> None:
    stranger = Account(Scope.USER, "ada", TenantId("other"))
    assert entry(accounts=[stranger]).tenant_id == "other"


def test_an_entry_has_an_instant() -> None:
    with pytest.raises(InvalidValue):
        entry(at=datetime(2026, 11, 21))  # noqa: DTZ001  # that is the point


def test_the_accounts_of_an_entry_are_sorted_and_those_of_its_holds_among_them() -> None:
    settling = entry(accounts=[CALL], settle={H1: 1})
    assert accounts_of(settling, [HELD.holds[H1]]) == (CALL, ACME, ADA)
    assert accounts_of(entry(accounts=[ADA, CALL]), []) == (CALL, ADA)


def test_the_lines_of_an_entry_are_those_that_it_changes() -> None:
    tomorrow = NOON + timedelta(days=1)
    booked = entry(at=tomorrow, accounts=[ADA], settle={H1: 1}, charge={TOKENS: 1})
    books = Books(holds={H1: HELD.holds[H1]})
    after, _ = post(Books(balances=HELD.balances, holds=books.holds), booked)
    changed = {
        line for line, balance in after.balances.items() if HELD.balances.get(line) != balance
    }
    assert lines_of(booked, books) == changed


def test_the_lines_of_an_entry_include_those_that_it_reserves_in() -> None:
    booked = entry(accounts=[CALL], reserve=[want(H1, 1)])
    assert {line.meter for line in lines_of(booked, Books())} == {AUDIO}


def test_an_entry_that_only_asks_for_limits_touches_the_lines_of_what_has_one() -> None:
    spent = [meter for meter in Meter if meter is not Meter.SESSIONS]
    asking = entry(accounts=[ADA, ACME], charge=dict.fromkeys(spent, 0) | {TOKENS: 3})
    assert {line.meter for line in lines_of(asking, Books())} == {TOKENS}
    assert {line.meter for line in lines_of(asking, limited(100))} == {AUDIO, TOKENS}
    assert [each.line.meter for each in post(limited(100), asking)[1].limited] == [AUDIO]
