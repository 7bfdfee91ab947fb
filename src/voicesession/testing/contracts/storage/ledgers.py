"""The books: what a store adds to `voicesession.core.budget`, and that it adds nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from random import Random
from typing import Any, Final
from zoneinfo import ZoneInfo

import anyio
import pytest

from ....core import budget
from ....core.accounts import WARN_AT, Account, HoldId, Level, Limit, Scope, Standing
from ....core.books import Books
from ....core.errors import InvalidValue, StoreError
from ....core.identity import SessionId, TenantId
from ....core.ledger import Grant, LedgerEntry, Posted, Want, post
from ....core.meters import LARGEST_QUANTITY, Meter
from ....core.windows import Window
from ....ports.storage import Storage
from .examples import OnStorage

__all__ = ("LedgerContract",)

_NOON: Final = datetime(2026, 6, 30, 12, tzinfo=UTC)
_DAYS: Final = (
    _NOON,
    _NOON + timedelta(days=1),  # of another month
    datetime(2026, 11, 1, 4, 30, tzinfo=UTC),  # half past midnight in Havana, and again in an hour
    datetime(2026, 11, 1, 5, 30, tzinfo=UTC),
)
_TENANT: Final = TenantId("acme")
_CALL: Final = Account(Scope.SESSION, "sess_1", _TENANT)
_OTHER_CALL: Final = Account(Scope.SESSION, "sess_2", _TENANT)
_ADA: Final = Account(Scope.USER, "ada@example.com", _TENANT)
_ACME: Final = Account(Scope.TENANT, "acme", _TENANT)
_ALL: Final = (_CALL, _ADA, _ACME)
_AUDIO: Final = Meter.AUDIO_US
_TOKENS: Final = Meter.LLM_OUTPUT_TOKENS


def _limit(account: Account, amount: int, *, warn_at: Fraction = WARN_AT) -> Limit:
    window = Window.SESSION if account.scope is Scope.SESSION else Window.DAY
    return Limit(account=account, meter=_AUDIO, window=window, amount=amount, warn_at=warn_at)


def _want(hold_id: str, amount: int, meter: Meter = _AUDIO, **fields: Any) -> Want:
    return Want(hold_id=HoldId(hold_id), meter=meter, amount=amount, **fields)


def _settle(**used: int) -> Mapping[HoldId, int]:
    return {HoldId(name): amount for name, amount in used.items()}


async def _post(storage: Storage, *, at: datetime = _NOON, **entry: Any) -> Posted:
    accounts = entry.pop("accounts", _ALL)
    return await storage.ledger.post(LedgerEntry(at=at, accounts=accounts, **entry))


async def _reserve(storage: Storage, *wants: Want, **entry: Any) -> list[int]:
    posted = await _post(storage, reserve=wants, **entry)
    return [grant.amount for grant in posted.grants]


async def _stand(
    storage: Storage, account: Account, meter: Meter = _AUDIO, *, at: datetime = _NOON
) -> list[tuple[int, int]]:
    found = await storage.ledger.standings([account], [meter], at=at)
    return [(standing.spent, standing.held) for standing in found]


@pytest.mark.anyio
class LedgerContract(OnStorage):
    """See `BudgetLedger`."""

    async def test_an_account_that_nobody_has_opened_stands_at_nothing(
        self, storage: Storage
    ) -> None:
        found = await storage.ledger.standings(_ALL, [_AUDIO, Meter.SESSIONS], at=_NOON)
        assert [
            (s.line.account, s.line.meter, s.line.window, s.limit, s.spent, s.held) for s in found
        ] == [
            (account, meter, window, None, 0, 0)
            for account in _ALL
            for meter in (_AUDIO, Meter.SESSIONS)
            for window in (
                (Window.SESSION,)
                if account is _CALL or meter is Meter.SESSIONS
                else (Window.DAY, Window.MONTH)
            )
        ]

    async def test_one_entry_settles_releases_charges_and_reserves(self, storage: Storage) -> None:
        await _post(storage, reserve=[_want("h1", 100), _want("h2", 50)])
        posted = await _post(
            storage,
            settle=_settle(h1=60),
            release=[HoldId("h2"), HoldId("never")],
            charge={_TOKENS: 7},
            reserve=[_want("h3", 10), _want("h4", 3, _TOKENS)],
        )
        assert [grant.amount for grant in posted.grants] == [10, 3]
        for account in _ALL:
            assert set(await _stand(storage, account)) == {(60, 10)}
            assert set(await _stand(storage, account, _TOKENS)) == {(7, 3)}

    async def test_the_tightest_of_all_accounts_grants_the_least_and_is_named(
        self, storage: Storage
    ) -> None:
        for account, amount in ((_CALL, 100), (_ADA, 30), (_ACME, 70)):
            await storage.ledger.set_limit(_limit(account, amount), at=_NOON)
        posted = await _post(storage, reserve=[_want("h1", 50), _want("h2", 1)])
        tightest = Standing(
            line=(await storage.ledger.standings([_ADA], [_AUDIO], at=_NOON))[0].line,
            limit=_limit(_ADA, 30),
            spent=0,
            held=30,
        )
        assert posted.grants == (
            Grant(hold_id=HoldId("h1"), amount=30, tightest=tightest),
            Grant(hold_id=HoldId("h2"), amount=0, tightest=tightest),
        )

    async def test_an_entry_is_booked_whole_or_not_at_all(self, storage: Storage) -> None:
        await _reserve(storage, _want("h1", 100))
        with pytest.raises(InvalidValue, match="hold_id"):
            await _post(
                storage,
                settle=_settle(h1=5, gone=1),
                charge={_TOKENS: 7},
                reserve=[_want("h2", 1)],
            )
        assert await _stand(storage, _CALL) == [(0, 100)]
        assert await _stand(storage, _CALL, _TOKENS) == [(0, 0)]

    async def test_what_no_line_can_hold_is_refused_and_nothing_of_it_is_booked(
        self, storage: Storage
    ) -> None:
        await _post(storage, charge={_TOKENS: LARGEST_QUANTITY - 1})
        for account in (_ACME, _OTHER_CALL):  # one that is full, and one that has never spent
            with pytest.raises((InvalidValue, StoreError)):
                await _post(storage, accounts=(account, _ADA), charge={_AUDIO: 1, _TOKENS: 2})
            assert set(await _stand(storage, account)) == {(0, 0)}
        await _post(storage, charge={_TOKENS: 1})
        assert set(await _stand(storage, _ACME, _TOKENS)) == {(LARGEST_QUANTITY, 0)}

    async def test_an_entry_that_was_granted_something_can_be_repeated(
        self, storage: Storage
    ) -> None:
        await storage.ledger.set_limit(_limit(_CALL, 100), at=_NOON)
        await _reserve(storage, _want("h1", 60))
        entry: dict[str, Any] = {
            "settle": _settle(h1=60),
            "reserve": [_want("h2", 90), _want("h3", 1)],
        }
        for _ in range(3):
            posted = await _post(storage, **entry)
            assert [grant.amount for grant in posted.grants] == [40, 0]
        assert await _stand(storage, _CALL) == [(60, 40)]

    async def test_a_hold_is_settled_once(self, storage: Storage) -> None:
        await _reserve(storage, _want("h1", 100))
        await _post(storage, settle=_settle(h1=40))
        with pytest.raises(InvalidValue, match="hold_id"):
            await _post(storage, settle=_settle(h1=40))
        assert await _stand(storage, _CALL) == [(40, 0)]

    async def test_the_holds_of_another_tenant_do_not_exist(self, storage: Storage) -> None:
        await _reserve(storage, _want("h1", 100))
        stranger = Account(Scope.TENANT, "acme", TenantId("strangers"))
        with pytest.raises(InvalidValue, match="hold_id"):
            await _post(storage, accounts=[stranger], settle=_settle(h1=40))
        await _post(storage, accounts=[stranger], release=[HoldId("h1")])
        assert await _stand(storage, _CALL) == [(0, 100)]
        assert set(await _stand(storage, stranger)) == {(0, 0)}

    async def test_a_hold_of_another_tenant_is_not_taken_over(self, storage: Storage) -> None:
        await _reserve(storage, _want("h1", 100))
        stranger = Account(Scope.TENANT, "strangers", TenantId("strangers"))
        with pytest.raises(InvalidValue, match="hold_id"):
            await _post(storage, accounts=[stranger], reserve=[_want("h1", 1)])
        assert await _stand(storage, _CALL) == [(0, 100)]

    async def test_users_of_two_tenants_with_one_name_are_two(self, storage: Storage) -> None:
        namesake = Account(Scope.USER, _ADA.id, TenantId("other"))
        await storage.ledger.set_limit(_limit(_ADA, 10), at=_NOON)
        await _post(storage, charge={_AUDIO: 10})
        assert await _reserve(storage, _want("h1", 10), accounts=[namesake]) == [10]

    async def test_of_many_racing_reservations_no_more_is_granted_than_there_is(
        self, storage: Storage
    ) -> None:
        await storage.ledger.set_limit(_limit(_ACME, 1_000), at=_NOON)
        granted: list[int] = []

        async def spend(number: int) -> None:
            accounts = (Account(Scope.SESSION, f"s{number}", _TENANT), _ACME)
            for turn in range(4):
                hold = f"h{number}_{turn}"
                (amount,) = await _reserve(storage, _want(hold, 50), accounts=accounts)
                granted.append(amount)
                if amount:
                    await _post(storage, settle=_settle(**{hold: amount}), accounts=accounts)

        async with anyio.create_task_group() as group:
            for number in range(8):
                group.start_soon(spend, number)
        assert sum(granted) == 1_000
        assert set(await _stand(storage, _ACME)) == {(1_000, 0)}

    async def test_racing_charges_all_count(self, storage: Storage) -> None:
        async def charge(number: int) -> None:
            # In another order each: whoever locks must do it in one order all the same.
            accounts = _ALL if number % 2 else _ALL[::-1]
            for _ in range(3):
                await _post(storage, charge={_TOKENS: number}, accounts=accounts)

        async with anyio.create_task_group() as group:
            for number in range(8):
                group.start_soon(charge, number)
        for account in _ALL:
            assert set(await _stand(storage, account, _TOKENS)) == {(3 * 28, 0)}

    async def test_what_rises_is_told_once(self, storage: Storage) -> None:
        await storage.ledger.set_limit(_limit(_ADA, 100), at=_NOON)
        levels = [
            [standing.level for standing in (await _post(storage, charge={_AUDIO: n})).risen]
            for n in (79, 1, 5, 15, 10)
        ]
        assert levels == [[], [Level.WARNED], [], [Level.EXHAUSTED], []]

    async def test_a_limit_can_be_armed_raised_and_dropped(self, storage: Storage) -> None:
        ledger = storage.ledger
        await _post(storage, charge={_AUDIO: 100})
        (risen,) = await ledger.set_limit(_limit(_ADA, 90, warn_at=Fraction(1, 3)), at=_NOON)
        assert (risen.level, risen.limit) == (
            Level.EXHAUSTED,
            _limit(_ADA, 90, warn_at=Fraction(1, 3)),
        )
        assert await _reserve(storage, _want("h1", 10)) == [0]
        (warned,) = await ledger.raise_limit(_ADA, _AUDIO, Window.DAY, by=15, at=_NOON)
        assert (warned.level, warned.remaining) == (Level.WARNED, 5)
        assert await _reserve(storage, _want("h2", 10)) == [5]
        await ledger.drop_limit(_ADA, _AUDIO, Window.DAY)
        await ledger.drop_limit(_ADA, _AUDIO, Window.DAY)
        assert await _reserve(storage, _want("h3", 10)) == [10]
        with pytest.raises(InvalidValue, match="limit"):
            await ledger.raise_limit(_ADA, _AUDIO, Window.DAY, by=1, at=_NOON)

    async def test_a_day_begins_at_the_accounts_own_midnight(self, storage: Storage) -> None:
        await storage.ledger.set_zone(_ADA, "Pacific/Auckland")  # noon in UTC is midnight there
        before, after = _NOON - timedelta(microseconds=1), _NOON
        await _post(storage, charge={_AUDIO: 1}, at=before)
        await _post(storage, charge={_AUDIO: 10}, at=after)
        assert await _stand(storage, _ADA, at=before) == [(1, 0), (1, 0)]
        assert await _stand(storage, _ADA, at=after) == [(10, 0), (10, 0)]
        assert await _stand(storage, _ACME, at=after) == [(11, 0), (11, 0)]

    async def test_a_hold_is_settled_in_the_day_it_was_reserved_in(self, storage: Storage) -> None:
        tomorrow = _NOON + timedelta(days=1)
        await _reserve(storage, _want("h1", 10))
        await _post(storage, settle=_settle(h1=4), at=tomorrow)
        assert await _stand(storage, _ADA) == [(4, 0), (4, 0)]
        assert await _stand(storage, _ADA, at=tomorrow) == [(0, 0), (0, 0)]

    async def test_all_holds_of_a_session_can_be_given_back(self, storage: Storage) -> None:
        await _reserve(storage, _want("h1", 10), _want("h2", 1, Meter.SESSIONS))
        await _reserve(storage, _want("h3", 100), accounts=(_OTHER_CALL, _ADA, _ACME))
        for _ in range(2):
            await storage.ledger.release_session(_TENANT, SessionId(_CALL.id))
            await storage.ledger.release_session(TenantId("x"), SessionId(_OTHER_CALL.id))
        assert await _stand(storage, _CALL) == [(0, 0)]
        assert await _stand(storage, _ACME, Meter.SESSIONS) == [(0, 0)]
        assert set(await _stand(storage, _ACME)) == {(0, 100)}

    async def test_what_a_lost_session_has_used_is_booked_out_of_its_holds_once(
        self, storage: Storage
    ) -> None:
        await _post(storage, charge={_AUDIO: 5})
        await _reserve(storage, _want("h1", 10), _want("h2", 20), _want("h3", 1, Meter.SESSIONS))
        await _reserve(storage, _want("h4", 100), accounts=(_OTHER_CALL, _ADA, _ACME))
        for used in (17, 17, 3):
            await storage.ledger.release_session(_TENANT, SessionId(_CALL.id), audio_used_us=used)
            assert await _stand(storage, _CALL) == [(17, 0)]
            assert set(await _stand(storage, _ACME)) == {(17, 100)}
        assert await _stand(storage, _ACME, Meter.SESSIONS) == [(0, 0)]

    async def test_an_entry_is_told_the_limits_on_what_it_charges(self, storage: Storage) -> None:
        ledger = storage.ledger
        await ledger.set_limit(_limit(_ADA, 10), at=_NOON)
        await _post(storage, charge={_AUDIO: 10}, accounts=(_ADA,))
        posted = await _post(storage, charge={_AUDIO: 0, Meter.MONEY_USD: 3})
        (full,) = posted.limited
        assert (full.line.account, full.spent, full.remaining) == (_ADA, 10, 0)
        assert await _stand(storage, _ACME, Meter.MONEY_USD) == [(3, 0), (3, 0)]

    async def test_holds_expire_at_their_time(self, storage: Storage) -> None:
        soon, late = _NOON + timedelta(seconds=1), _NOON + timedelta(days=1)
        await _reserve(
            storage,
            _want("h1", 1, expires_at=soon),
            _want("h2", 10, expires_at=late),
            _want("h3", 100),
        )
        counts = [
            await storage.ledger.expire_holds(at)
            for at in (soon - timedelta(microseconds=1), soon, soon)
        ]
        assert counts == [0, 1, 0]
        assert await _stand(storage, _CALL) == [(0, 110)]

    async def test_a_zone_that_does_not_exist_is_refused(self, storage: Storage) -> None:
        for wrong in ("Mars/Olympus", "", "../etc", "Europe", "Europe/Zurich\0"):
            with pytest.raises(InvalidValue, match="zone"):
                await storage.ledger.set_zone(_ADA, wrong)

    async def test_the_books_are_those_of_the_core(self, storage: Storage) -> None:
        """Whatever is posted, a store answers as the core does on all books at once.

        Over the end of a month, and of summer time; and one account moves to and fro.
        """
        dice, books = Random(4), Books()
        of_month = Limit(account=_ACME, meter=_AUDIO, window=Window.MONTH, amount=1_500)
        for limit in (_limit(_CALL, 400), _limit(_ADA, 900), _limit(_ACME, 1_200), of_month):
            books = budget.set_limit(books, limit, at=_NOON).books
            await storage.ledger.set_limit(limit, at=_NOON)
        for number in range(60):
            if number % 12 == 6:
                zone = dice.choice(("Pacific/Auckland", "America/Havana", "UTC"))
                books = budget.set_zone(books, _ADA, ZoneInfo(zone))
                await storage.ledger.set_zone(_ADA, zone)
            entry = _some_entry(dice, books, number)
            books, expected = post(books, entry)
            assert await storage.ledger.post(entry) == expected
        accounts = (_CALL, _OTHER_CALL, _ADA, _ACME)
        for at in _DAYS:
            assert list(await storage.ledger.standings(accounts, [_AUDIO, _TOKENS], at=at)) == [
                standing
                for account in accounts
                for meter in (_AUDIO, _TOKENS)
                for standing in budget.standings(books, [account], meter, at)
            ]


def _some_entry(dice: Random, books: Books, number: int) -> LedgerEntry:
    """Return an entry that can be booked, at one of `_DAYS`."""
    held = sorted(books.holds)
    dice.shuffle(held)
    settled, released = held[: dice.randrange(3)], held[3 : 3 + dice.randrange(2)]
    return LedgerEntry(
        at=dice.choice(_DAYS),
        accounts=(dice.choice((_CALL, _OTHER_CALL)), _ADA, _ACME),
        settle={name: dice.randint(0, books.holds[name].amount) for name in settled},
        release=frozenset(released),
        charge={_TOKENS: dice.randrange(50)} if dice.random() < 0.5 else {},
        reserve=tuple(
            _want(f"hold_{number}_{place}", dice.randint(1, 200), dice.choice((_AUDIO, _TOKENS)))
            for place in range(dice.randrange(4))
        ),
    )
