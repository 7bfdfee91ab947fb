from __future__ import annotations

import json
import pickle
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from functools import reduce
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings, strategies as st

from voicesession.core.accounts import Account, HoldId, Level, Limit, Scope, Standing
from voicesession.core.books import Books, lines_at
from voicesession.core.budget import (
    charge,
    drop_limit,
    expire,
    limited,
    raise_limit,
    release,
    reserve,
    set_limit,
    set_zone,
    settle,
    settle_session,
    standings,
)
from voicesession.core.budget_status import budget_status
from voicesession.core.errors import InvalidValue
from voicesession.core.meters import Meter
from voicesession.core.windows import Window
from voicesession.testing.effort import examples
from voicesession.testing.machines import BudgetMachine
from voicesession.testing.strategies import limits

TestAnySpending = BudgetMachine.TestCase
TestAnySpending.settings = settings(max_examples=examples(60), stateful_step_count=30)

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
NAIVE = datetime(2026, 11, 21, 12)  # noqa: DTZ001  # that is the point
SESSION = Account(Scope.SESSION, "sess_1")
ADA = Account(Scope.USER, "ada")
ACME = Account(Scope.TENANT, "acme")
ALL = (SESSION, ADA, ACME)
AUDIO = Meter.AUDIO_US
TOKENS = Meter.LLM_OUTPUT_TOKENS
SLOTS = Meter.SESSIONS
H1, H2 = HoldId("h1"), HoldId("h2")


def limit(
    amount: int, *, account: Account = ADA, meter: Meter = AUDIO, window: Window = Window.DAY
) -> Limit:
    return Limit(account=account, meter=meter, window=window, amount=amount)


def books(*limits: Limit, at: datetime = NOON) -> Books:
    return reduce(lambda so_far, one: set_limit(so_far, one, at=at).books, limits, Books())


def held(before: Books, amount: int, *, hold_id: HoldId = H1, meter: Meter = AUDIO) -> Books:
    return reserve(before, ALL, meter, amount, hold_id=hold_id, at=NOON).books


def spent(of: Books, account: Account = ADA, *, meter: Meter = AUDIO, at: datetime = NOON) -> int:
    """What stands in the account's first window: the day, or the session."""
    return standings(of, [account], meter, at)[0].spent


def stands(of: Books, *meters: Meter) -> list[Standing]:
    return [each for meter in meters for each in standings(of, [ADA], meter, NOON)]


@given(
    st.sets(st.sampled_from(ALL)),
    st.sets(
        st.sampled_from(
            [
                limit(100, account=SESSION, window=Window.SESSION),
                limit(90),
                limit(80, window=Window.MONTH),
                limit(70, account=ACME),
                limit(60, account=ACME, meter=TOKENS),
            ]
        )
    ),
)
def test_an_account_stands_in_each_of_its_lines_and_is_limited_in_some(
    accounts: set[Account], armed: set[Limit]
) -> None:
    now = held(books(*armed), 10)
    all_standings = standings(now, accounts, AUDIO, NOON)
    assert tuple(each.line for each in all_standings) == lines_at(now, accounts, AUDIO, NOON)
    with_limit = [each for each in all_standings if each.limit is not None]
    assert list(limited(now, accounts, AUDIO, NOON)) == with_limit
    assert {each.limit for each in with_limit} == {
        one for one in armed if one.meter is AUDIO and one.account in accounts
    }


# --- Reserving ---------------------------------------------------------------------------


def test_of_all_accounts_the_tightest_bounds_the_grant_and_is_named() -> None:
    tenant = limit(70, account=ACME, window=Window.MONTH)
    asked = reserve(
        books(limit(100), tenant, limit(90, account=SESSION, window=Window.SESSION)),
        ALL,
        AUDIO,
        80,
        hold_id=H1,
        at=NOON,
    )
    assert asked.granted == 70
    assert asked.tightest is not None
    assert asked.tightest.limit == tenant
    assert asked.tightest.remaining == 0


def test_where_nothing_is_left_nothing_is_held_and_nothing_changes() -> None:
    full = held(books(limit(100)), 100)
    asked = reserve(full, ALL, AUDIO, 1, hold_id=H2, at=NOON)
    assert (asked.granted, asked.hold, asked.books) == (0, None, full)
    assert asked.tightest is not None
    assert asked.tightest.limit == limit(100)


def test_without_a_limit_everything_is_granted_and_nothing_is_tight() -> None:
    asked = reserve(Books(), ALL, AUDIO, 10**12, hold_id=H1, at=NOON)
    assert asked.granted == 10**12
    assert asked.tightest is None


def test_an_account_that_is_named_twice_pays_once() -> None:
    asked = reserve(books(limit(100)), [ADA, ADA], AUDIO, 60, hold_id=H1, at=NOON)
    assert [standing.held for standing in standings(asked.books, [ADA] * 2, AUDIO, NOON)] == [
        60,
        60,
    ]


@pytest.mark.parametrize("amount", [0, -1, 1.5, True, "1"])
def test_only_a_positive_whole_amount_can_be_reserved(amount: Any) -> None:
    with pytest.raises(InvalidValue, match="audio_us"):
        reserve(Books(), ALL, AUDIO, amount, hold_id=H1, at=NOON)


def test_a_hold_has_its_name_alone() -> None:
    with pytest.raises(InvalidValue, match=rf"^hold_id is '{H1}'; allowed: one that is not held$"):
        held(held(Books(), 1), 1)


def test_the_tightest_limit_is_the_one_with_the_least_left_even_nothing() -> None:
    both = books(limit(11), limit(10, account=ACME))
    full = charge(both, ALL, AUDIO, 10, at=NOON).books
    tightest = reserve(full, ALL, AUDIO, 5, hold_id=H1, at=NOON).tightest
    assert tightest is not None
    assert (tightest.line.account, tightest.remaining) == (ACME, 0)


# --- Settling and releasing --------------------------------------------------------------


def test_settling_books_what_was_used_and_gives_the_rest_back() -> None:
    settled = settle(held(books(limit(100)), 80), H1, 30, at=NOON).books
    (day, month) = standings(settled, [ADA], AUDIO, NOON)
    assert (day.spent, day.held, day.remaining) == (30, 0, 70)
    assert (month.spent, month.held, month.remaining) == (30, 0, None)
    assert spent(settled, SESSION) == spent(settled, ACME) == 30


def test_audio_is_never_settled_for_more_than_was_held() -> None:
    with pytest.raises(
        InvalidValue, match=r"^used is 81; allowed: at most 80, which was reserved$"
    ):
        settle(held(Books(), 80), H1, 81, at=NOON)


def test_what_is_only_known_afterwards_is_booked_in_full_even_past_its_limit() -> None:
    reserved = held(books(limit(100, meter=TOKENS)), 90, meter=TOKENS)
    posting = settle(reserved, H1, 130, at=NOON)
    assert spent(posting.books, meter=TOKENS) == 130
    assert [standing.level for standing in posting.risen] == [Level.EXHAUSTED]


@pytest.mark.parametrize("used", [-1, 0.5, True])
def test_only_whole_units_can_be_settled_or_charged(used: Any) -> None:
    with pytest.raises(InvalidValue, match=r"^audio_us is "):
        settle(held(Books(), 80), H1, used, at=NOON)
    with pytest.raises(InvalidValue, match=r"^audio_us is "):
        charge(Books(), ALL, AUDIO, used, at=NOON)


def test_a_released_hold_leaves_no_trace() -> None:
    before = held(books(limit(100)), 10, hold_id=H2)
    assert release(held(before, 80), H1) == before


@pytest.mark.parametrize("again", ["settle", "release"])
def test_a_hold_ends_once(again: str) -> None:
    ended = settle(held(Books(), 80), H1, 80, at=NOON).books
    with pytest.raises(InvalidValue, match=rf"^hold_id is '{H1}'; allowed: one that is held$"):
        settle(ended, H1, 0, at=NOON) if again == "settle" else release(ended, H1)


def test_a_hold_is_settled_in_the_day_it_was_reserved_in_and_warns_nobody_tomorrow() -> None:
    reserved = held(books(limit(100)), 100)
    tomorrow = NOON + timedelta(days=1)
    posting = settle(reserved, H1, 100, at=tomorrow)
    assert spent(posting.books, at=NOON) == 100
    assert spent(posting.books, at=tomorrow) == 0
    assert posting.risen == ()
    # The month is the same one, so there it counts.
    assert standings(posting.books, [ADA], AUDIO, tomorrow)[1].spent == 100


def test_a_hold_is_settled_where_it_was_reserved_though_the_account_has_moved() -> None:
    moved = set_zone(held(books(limit(100)), 100), ADA, ZoneInfo("Pacific/Auckland"))
    settled = settle(moved, H1, 60, at=NOON).books
    assert spent(settled) == 0
    assert spent(set_zone(settled, ADA, UTC)) == 60


def test_expired_holds_are_given_back_and_others_stay() -> None:
    lapsing = reserve(
        books(limit(100)), ALL, AUDIO, 60, hold_id=H1, at=NOON, expires_at=NOON + timedelta(hours=1)
    ).books
    both = held(lapsing, 40, hold_id=H2)
    assert expire(both, NOON + timedelta(minutes=59)) == both
    expired = expire(both, NOON + timedelta(hours=1))
    assert set(expired.holds) == {H2}
    assert standings(expired, [ADA], AUDIO, NOON)[0].remaining == 60


def test_all_holds_of_a_session_are_given_back_and_no_other_ones() -> None:
    other = Account(Scope.SESSION, "sess_2")
    mine = held(held(Books(), 60), 5, hold_id=HoldId("h3"), meter=TOKENS)
    both = reserve(mine, [other, ADA], AUDIO, 7, hold_id=H2, at=NOON).books
    swept = settle_session(both, SESSION)
    assert set(swept.holds) == {H2}
    assert standings(swept, [ADA], AUDIO, NOON)[0].held == 7


def test_what_a_lost_session_has_used_is_booked_out_of_its_holds_and_only_once() -> None:
    other = Account(Scope.SESSION, "sess_2")
    theirs = reserve(books(limit(200)), [other, ADA], AUDIO, 30, hold_id=HoldId("h9"), at=NOON)
    mine = held(held(theirs.books, 60), 50, hold_id=H2)
    mine = held(mine, 5, hold_id=HoldId("h3"), meter=TOKENS)
    booked = charge(mine, ALL, AUDIO, 10, at=NOON).books
    swept = settle_session(booked, SESSION, audio_used_us=85)
    assert [spent(swept, account) for account in ALL] == [85, 85, 85]
    assert [standing.held for standing in standings(swept, [ADA], AUDIO, NOON)] == [30, 30]
    assert stands(swept, TOKENS)[0].held == 0
    assert settle_session(swept, SESSION, audio_used_us=85) == swept


def test_a_lost_session_is_never_booked_more_than_it_held() -> None:
    assert spent(settle_session(held(books(limit(60)), 60), SESSION, audio_used_us=999)) == 60
    assert spent(settle_session(Books(), SESSION, audio_used_us=999)) == 0


def test_to_charge_nothing_opens_no_line() -> None:
    assert charge(Books(), ALL, AUDIO, 0, at=NOON).books == Books()


# --- Slots -------------------------------------------------------------------------------


def test_a_slot_is_held_over_midnight_and_over_the_end_of_the_month() -> None:
    slots = books(limit(1, meter=SLOTS, window=Window.SESSION))
    taken = reserve(slots, [ADA], SLOTS, 1, hold_id=H1, at=NOON).books
    later = NOON + timedelta(days=40)
    assert reserve(taken, [ADA], SLOTS, 1, hold_id=H2, at=later).granted == 0
    assert reserve(release(taken, H1), [ADA], SLOTS, 1, hold_id=H2, at=later).granted == 1


def test_a_slot_is_not_spent() -> None:
    taken = reserve(Books(), [ADA], SLOTS, 1, hold_id=H1, at=NOON).books
    with pytest.raises(
        InvalidValue,
        match=r"^meter is <Meter.SESSIONS: 'sessions'>; allowed: one that is spent; a slot is held",
    ):
        settle(taken, H1, 1, at=NOON)
    with pytest.raises(
        InvalidValue,
        match=r"^meter is <Meter.SESSIONS: 'sessions'>; allowed: one that is spent; a slot is held",
    ):
        charge(taken, [ADA], SLOTS, 1, at=NOON)


# --- Charging and levels -----------------------------------------------------------------


@given(limits(most=400), st.lists(st.integers(0, 100), max_size=8))
def test_charging_in_pieces_is_the_same_as_charging_the_sum(one: Limit, pieces: list[int]) -> None:
    meter = TOKENS if one.meter is SLOTS else one.meter
    account = one.account
    before = books(one)
    in_pieces = before
    warned: list[Level] = []
    for piece in pieces:
        posting = charge(in_pieces, [account], meter, piece, at=NOON)
        in_pieces = posting.books
        warned += [standing.level for standing in posting.risen]
    at_once = charge(before, [account], meter, sum(pieces), at=NOON)
    assert standings(in_pieces, [account], meter, NOON) == standings(
        at_once.books, [account], meter, NOON
    )
    assert warned[-1:] == [standing.level for standing in at_once.risen]
    assert len(warned) == len(set(warned))


def test_a_limit_warns_once_at_four_fifths_and_is_exhausted_once_at_all() -> None:
    now = books(limit(100))
    told: list[tuple[int, Level]] = []
    for step in range(1, 12):
        posting = charge(now, [ADA], AUDIO, 10, at=NOON)
        now = posting.books
        told += [(10 * step, standing.level) for standing in posting.risen]
    assert told == [(80, Level.WARNED), (100, Level.EXHAUSTED)]


def test_what_has_happened_is_booked_although_the_limit_is_passed() -> None:
    over = charge(books(limit(100)), ALL, AUDIO, 150, at=NOON).books
    standing = standings(over, [ADA], AUDIO, NOON)[0]
    assert (standing.spent, standing.remaining) == (150, 0)
    assert standing.utilization == Fraction(3, 2)


def test_each_window_warns_by_itself_and_a_new_day_begins_at_nothing() -> None:
    both = books(limit(10), limit(30, window=Window.MONTH))
    day, month = [], []
    for days in range(3):
        posting = charge(both, [ADA], AUDIO, 9, at=NOON + timedelta(days=days))
        both = posting.books
        day += [days for s in posting.risen if s.line.window is Window.DAY]
        month += [days for s in posting.risen if s.line.window is Window.MONTH]
    assert (day, month) == ([0, 1, 2], [2])


# --- Limits ------------------------------------------------------------------------------


def test_a_limit_that_is_set_at_noon_knows_the_morning() -> None:
    morning = charge(Books(), ALL, AUDIO, 90, at=NOON - timedelta(hours=3)).books
    posting = set_limit(morning, limit(100), at=NOON)
    assert [standing.level for standing in posting.risen] == [Level.WARNED]
    assert standings(posting.books, [ADA], AUDIO, NOON)[0].remaining == 10


@pytest.mark.parametrize("amount", [0, 50])
def test_a_limit_below_what_is_spent_is_exhausted_at_once(amount: int) -> None:
    used = charge(books(limit(100)), ALL, AUDIO, 60, at=NOON).books
    posting = set_limit(used, limit(amount), at=NOON)
    assert [standing.level for standing in posting.risen] == [Level.EXHAUSTED]
    assert reserve(posting.books, ALL, AUDIO, 1, hold_id=H1, at=NOON).granted == 0


def test_the_same_limit_again_is_not_armed_anew() -> None:
    warned = charge(books(limit(100)), ALL, AUDIO, 90, at=NOON).books
    posting = set_limit(warned, limit(100), at=NOON)
    assert posting.books is warned
    assert posting.risen == ()


def test_a_raised_limit_leaves_room_and_warns_anew_when_it_is_reached() -> None:
    full = charge(books(limit(100)), ALL, AUDIO, 100, at=NOON).books
    raised = raise_limit(full, ADA, AUDIO, Window.DAY, 100, at=NOON)
    assert raised.risen == ()
    assert reserve(raised.books, ALL, AUDIO, 500, hold_id=H1, at=NOON).granted == 100
    warned = charge(raised.books, ALL, AUDIO, 60, at=NOON)
    assert [standing.level for standing in warned.risen] == [Level.WARNED]


def test_a_limit_raised_too_little_says_so_at_once() -> None:
    full = charge(books(limit(100)), ALL, AUDIO, 100, at=NOON).books
    raised = raise_limit(full, ADA, AUDIO, Window.DAY, 10, at=NOON)
    assert [(s.level, s.remaining) for s in raised.risen] == [(Level.WARNED, 10)]


def test_only_a_limit_that_is_set_can_be_raised_and_only_upwards() -> None:
    with pytest.raises(
        InvalidValue, match=r"^limit is 'user audio_us day'; allowed: one that is set$"
    ):
        raise_limit(Books(), ADA, AUDIO, Window.DAY, 10, at=NOON)
    with pytest.raises(InvalidValue, match=r"^audio_us is 0; allowed: .* from 1"):
        raise_limit(books(limit(1)), ADA, AUDIO, Window.DAY, 0, at=NOON)


def test_without_its_limit_an_account_spends_freely_and_the_others_do_not() -> None:
    both = books(limit(1), limit(5, account=ACME))
    freed = drop_limit(both, ADA, AUDIO, Window.DAY)
    assert reserve(freed, ALL, AUDIO, 9, hold_id=H1, at=NOON).granted == 5
    assert drop_limit(freed, ADA, AUDIO, Window.DAY) == freed


# --- Zones -------------------------------------------------------------------------------


def test_a_new_day_begins_at_midnight_where_the_account_is() -> None:
    there = set_zone(books(limit(100)), ADA, ZoneInfo("Asia/Kathmandu"))
    full = charge(there, [ADA], AUDIO, 100, at=datetime(2026, 11, 21, 18, 14, tzinfo=UTC)).books
    before, after = (datetime(2026, 11, 21, 18, minute, tzinfo=UTC) for minute in (14, 15))
    assert reserve(full, [ADA], AUDIO, 9, hold_id=H1, at=before).granted == 0
    assert reserve(full, [ADA], AUDIO, 9, hold_id=H1, at=after).granted == 9


def test_nobody_gets_the_same_day_twice_by_moving_to_and_fro() -> None:
    full = charge(books(limit(100)), [ADA], AUDIO, 100, at=NOON).books
    for zone in ("Pacific/Auckland", "UTC"):
        full = set_zone(full, ADA, ZoneInfo(zone))
        granted = reserve(full, [ADA], AUDIO, 100, hold_id=H1, at=NOON).granted
        assert granted == (100 if zone == "Pacific/Auckland" else 0)


def test_the_name_of_a_zone_is_no_zone() -> None:
    with pytest.raises(
        InvalidValue, match=r"^zone is 'Europe/Berlin'; allowed: a tzinfo, such as zoneinfo makes"
    ):
        set_zone(Books(), ADA, "Europe/Berlin")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "act",
    [
        lambda: standings(Books(), ALL, AUDIO, NAIVE),
        lambda: reserve(Books(), ALL, AUDIO, 1, hold_id=H1, at=NAIVE),
        lambda: reserve(Books(), ALL, AUDIO, 1, hold_id=H1, at=NOON, expires_at=NAIVE),
        lambda: settle(held(Books(), 1), H1, 1, at=NAIVE),
        lambda: charge(Books(), ALL, AUDIO, 1, at=NAIVE),
        lambda: set_limit(Books(), limit(1), at=NAIVE),
        lambda: expire(Books(), NAIVE),
    ],
)
def test_a_naive_instant_is_refused(act: Any) -> None:
    with pytest.raises(InvalidValue):
        act()


# --- What is shown -----------------------------------------------------------------------


def test_the_status_has_exactly_the_published_shape() -> None:
    minute = 60_000_000
    now = books(limit(10 * minute), limit(8, meter=Meter.VIDEO_TOKENS))
    now = charge(now, ALL, AUDIO, 5 * minute + minute // 2, at=NOON).books
    now = held(now, minute)
    assert json.loads(
        json.dumps(budget_status(stands(now, AUDIO, Meter.VIDEO_TOKENS, Meter.SCREEN_TOKENS)))
    ) == {
        "audio_minutes": {
            "used": 5.5,
            "reserved": 1.0,
            "limit": 10.0,
            "remaining": 3.5,
            "utilization": 0.55,
        },
        "video_tokens": {"used": 0, "reserved": 0, "limit": 8, "remaining": 8, "utilization": 0.0},
        "screen_tokens": dict.fromkeys(["limit", "remaining", "utilization"])
        | {"used": 0, "reserved": 0},
    }


def test_of_several_limits_the_status_shows_the_tightest() -> None:
    both = books(limit(10), limit(15, window=Window.MONTH))
    both = charge(both, [ADA], AUDIO, 9, at=NOON - timedelta(days=1)).books
    shown = budget_status(stands(both, AUDIO, SLOTS))
    assert list(shown) == ["audio_minutes", "sessions"]
    assert shown["audio_minutes"]["limit"] == 15 / 60_000_000


def test_books_can_be_sent_to_another_process() -> None:
    full = set_zone(held(books(limit(100)), 10), ADA, ZoneInfo("Europe/Berlin"))
    assert pickle.loads(pickle.dumps(full)) == full  # noqa: S301  # our own pickle
