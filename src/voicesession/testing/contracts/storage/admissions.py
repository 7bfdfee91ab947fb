"""Who may open another session: no quota is passed, however many ask at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from random import Random
from typing import Final

import anyio
import pytest

from ....core.admission import AdmissionPolicy
from ....core.errors import QuotaExceeded, SessionExists
from ....core.events import EndRequested
from ....core.identity import DEFAULT_TENANT, TenantId
from ....core.session import Session
from ....core.states import EndReason
from ....ports.storage import Change, Scope, Storage
from .examples import START, OnStorage, a_session, a_tombstone, change_of, live

__all__ = ("AdmissionContract",)

_TWO_EACH: Final = AdmissionPolicy(per_user=2)
_OTHER: Final = TenantId("other")
_USERS: Final = (None, "ada", "bob")


def _sessions(*user_ids: str | None, tenant_id: TenantId = DEFAULT_TENANT) -> list[Session]:
    return [
        a_session(f"{tenant_id}_{number}", user_id=user_id, tenant_id=tenant_id)
        for number, user_id in enumerate(user_ids)
    ]


async def _let_in(
    storage: Storage, sessions: Iterable[Session], policy: AdmissionPolicy = _TWO_EACH
) -> list[bool]:
    """Have *sessions* created one after the other; return which of them were."""
    answers: list[bool] = []
    for session in sessions:
        change = Change(session=session, expected_seq=None, admission=policy)
        try:
            await storage.sessions.commit(change)
        except QuotaExceeded:
            answers.append(False)
        else:
            answers.append(True)
    return answers


async def _end(storage: Storage, session: Session) -> None:
    ended = EndRequested(at=START, reason=EndReason.COMPLETED)
    await storage.sessions.commit(change_of(session, ended))


@pytest.mark.anyio
class AdmissionContract(OnStorage):
    """See ``Change.admission``."""

    async def test_each_user_may_open_as_many_sessions_as_the_quota_says(
        self, storage: Storage
    ) -> None:
        asking = _sessions("ada", "ada", "ada", "bob", None, None, None)
        assert await _let_in(storage, asking) == [True, True, False, True, True, True, False]
        strangers = _sessions("ada", "ada", "ada", tenant_id=_OTHER)
        assert await _let_in(storage, strangers) == [True, True, False]

    async def test_all_users_of_a_tenant_share_its_quota(self, storage: Storage) -> None:
        policy = AdmissionPolicy(per_user=2, per_tenant=3)
        asking = _sessions("ada", "ada", "ada", "bob", None)
        assert await _let_in(storage, asking, policy) == [True, True, False, True, False]
        assert await _let_in(storage, _sessions("ada", tenant_id=_OTHER), policy) == [True]

    async def test_without_a_quota_nobody_counts(self, storage: Storage) -> None:
        policy = AdmissionPolicy(per_user=None)
        assert all(await _let_in(storage, _sessions(*["ada"] * 4, None), policy))
        assert not any(await _let_in(storage, [a_session("s1", user_id="ada")]))

    async def test_one_that_has_ended_or_is_deleted_leaves_room(self, storage: Storage) -> None:
        first, second, *others = _sessions(*["ada"] * 6)
        assert await _let_in(storage, [first, second]) == [True, True]
        await _end(storage, first)
        assert await _let_in(storage, others[:2]) == [True, False]
        for gone in (first, second):  # of which one was open
            await storage.sessions.delete(gone.id, Scope(gone.tenant_id), tombstone=a_tombstone())
        assert await _let_in(storage, others[1:3]) == [True, False]

    async def test_one_that_is_refused_is_not_there(self, storage: Storage) -> None:
        asking = _sessions("ada", "ada", "ada")
        await _let_in(storage, asking)
        assert await storage.sessions.count_open(Scope(None), user_id="ada") == (2, 2)
        await _end(storage, asking[0])
        assert await _let_in(storage, asking[2:]) == [True]

    async def test_one_that_is_there_is_not_counted_again(self, storage: Storage) -> None:
        there = await live(storage, user_id="ada")
        full = AdmissionPolicy(per_user=0, per_tenant=0)
        again = Change(session=a_session(user_id="ada"), expected_seq=None, admission=full)
        with pytest.raises(SessionExists):
            await storage.sessions.commit(again)
        ended = change_of(there, EndRequested(at=START, reason=EndReason.COMPLETED))
        await storage.sessions.commit(
            Change(
                session=ended.session,
                expected_seq=there.seq,
                entries=ended.entries,
                admission=full,
            )
        )

    @pytest.mark.parametrize(
        "policy",
        [AdmissionPolicy(per_user=3), AdmissionPolicy(per_user=None, per_tenant=3)],
        ids=str,
    )
    @pytest.mark.parametrize("user_id", ["ada", None])
    async def test_of_many_racing_for_the_last_places_only_so_many_are_let_in(
        self, storage: Storage, policy: AdmissionPolicy, user_id: str | None
    ) -> None:
        asking = _sessions(*[user_id] * 10)
        assert await _let_in(storage, asking[:1], policy) == [True]
        let_in: list[bool] = []

        async def ask(session: Session) -> None:
            let_in.extend(await _let_in(storage, [session], policy))

        async with anyio.create_task_group() as group:
            for session in asking[1:]:
                group.start_soon(ask, session)
        assert sorted(let_in) == [False] * 7 + [True] * 2
        counted = await storage.sessions.count_open(Scope(DEFAULT_TENANT), user_id=user_id)
        assert counted == (3, 3)

    async def test_whoever_comes_and_goes_no_quota_is_passed_nor_kept_from_anybody(
        self, storage: Storage
    ) -> None:
        """What a naive count of the open sessions says."""
        dice = Random(7)
        policy = AdmissionPolicy(per_user=2, per_tenant=4)
        open_sessions: list[Session] = []
        for number in range(60):
            if open_sessions and dice.random() < 0.4:
                gone = open_sessions.pop(dice.randrange(len(open_sessions)))
                await _end(storage, gone)
                continue
            of_user = Counter(session.user_id for session in open_sessions)
            asking = a_session(f"s{number}", user_id=dice.choice(_USERS))
            has_room = of_user[asking.user_id] < 2 and of_user.total() < 4
            assert await _let_in(storage, [asking], policy) == [has_room]
            open_sessions += [asking] if has_room else []
