from __future__ import annotations

import pickle
from fractions import Fraction
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given, strategies as st

from voicesession.core.accounts import (
    Account,
    Balance,
    Level,
    Limit,
    Line,
    Scope,
    Standing,
    windows_of,
)
from voicesession.core.errors import InvalidValue
from voicesession.core.identity import TenantId
from voicesession.core.meters import Meter
from voicesession.core.windows import Window
from voicesession.testing.strategies import limits

SESSION = Account(Scope.SESSION, "sess_1")
ADA = Account(Scope.USER, "ada")
ACME = Account(Scope.TENANT, "acme")
AUDIO = Meter.AUDIO_US
SLOTS = Meter.SESSIONS


def standing(limit: Limit | None, *, spent: int = 0, held: int = 0) -> Standing:
    line = Line(ADA, AUDIO, Window.DAY, "2026-11-21")
    return Standing(line=line, limit=limit, spent=spent, held=held)


def of(amount: int, *, warn_at: Any = "0.8") -> Limit:
    return Limit(account=ADA, meter=AUDIO, window=Window.DAY, amount=amount, warn_at=warn_at)


def test_users_and_tenants_count_by_calendar_and_sessions_and_slots_as_a_whole() -> None:
    assert windows_of(ADA, AUDIO) == windows_of(ACME, AUDIO) == (Window.DAY, Window.MONTH)
    assert windows_of(SESSION, AUDIO) == windows_of(ADA, SLOTS) == (Window.SESSION,)


@pytest.mark.parametrize(
    ("account", "meter", "window"),
    [
        (SESSION, AUDIO, Window.DAY),
        (ADA, AUDIO, Window.SESSION),
        (ACME, SLOTS, Window.MONTH),
    ],
)
def test_a_limit_stands_only_in_a_window_that_is_counted(
    account: Account, meter: Meter, window: Window
) -> None:
    with pytest.raises(InvalidValue, match="window"):
        Limit(account=account, meter=meter, window=window, amount=1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"amount": -1},
        {"amount": 0.5},
        {"meter": "fuel"},
        {"window": "week"},
        {"warn_at": 0},
        {"warn_at": "1.01"},
        {"warn_at": "most"},
    ],
)
def test_a_limit_that_means_nothing_is_refused(wrong: dict[str, Any]) -> None:
    right: dict[str, Any] = {"account": ADA, "meter": AUDIO, "window": "day", "amount": 1}
    assert Limit(**right).window is Window.DAY
    with pytest.raises(InvalidValue):
        Limit(**right | wrong)


@pytest.mark.parametrize(
    ("scope", "name"),
    [("city", "x"), ("user", ""), ("user", "x" * 257), ("user", "nul\0"), ("user", None)],
)
def test_an_account_has_a_scope_and_the_name_that_the_host_gave(scope: Any, name: Any) -> None:
    assert [Account(Scope.USER, "x" * size).id for size in (1, 256)] == ["x", "x" * 256]
    assert Account(Scope.USER, "ada@example.com/7").id == "ada@example.com/7"
    with pytest.raises(InvalidValue):
        Account(scope, name)


def test_accounts_of_two_tenants_are_two() -> None:
    assert Account(Scope.USER, "ada", TenantId("acme")) != ADA
    with pytest.raises(InvalidValue, match="tenant_id"):
        Account(Scope.USER, "ada", TenantId("a/b"))


@pytest.mark.parametrize("share", [0.1, "0.1", "1/10", Fraction(1, 10)])
def test_a_limit_warns_exactly_where_it_says(share: Any) -> None:
    early = of(1_000, warn_at=share)
    assert standing(early, spent=99).level is Level.OK
    assert standing(early, spent=100).level is Level.WARNED


def test_a_limit_warns_at_four_fifths_and_is_exhausted_at_all_of_it() -> None:
    spent = [79, 80, 99, 100, 101]
    levels = [standing(of(100), spent=each).level for each in spent]
    assert levels == ["ok", "warned", "warned", "exhausted", "exhausted"]


@given(limits(), st.integers(0, 2_000), st.integers(0, 2_000))
def test_what_remains_is_what_is_neither_spent_nor_held_and_never_less_than_nothing(
    limit: Limit, spent: int, held: int
) -> None:
    now = standing(limit, spent=spent, held=held)
    assert now.remaining == max(0, limit.amount - spent - held)
    assert now.level is evolve(now, held=0).level
    assert (now.level is Level.EXHAUSTED) == (spent >= limit.amount)


def test_more_than_everything_can_be_used() -> None:
    assert standing(of(100), spent=150).utilization == Fraction(3, 2)


def test_a_limit_of_nothing_is_fully_used() -> None:
    assert standing(of(0)).utilization == 1
    assert standing(of(0)).level is Level.EXHAUSTED


def test_no_limit_is_never_used_up() -> None:
    free = standing(None, spent=10**12)
    assert (free.level, free.utilization, free.remaining) == (Level.OK, None, None)


@pytest.mark.parametrize("balance", [{"spent": -1}, {"held": -1}, {"spent": 0.5}])
def test_a_balance_is_never_negative_nor_broken(balance: dict[str, Any]) -> None:
    with pytest.raises(InvalidValue):
        Balance(**balance)


@given(limits())
def test_a_limit_can_be_sent_to_another_process(limit: Limit) -> None:
    assert pickle.loads(pickle.dumps(limit)) == limit  # noqa: S301  # our own pickle
