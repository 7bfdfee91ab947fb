"""Sessions that somebody must look at although nothing happens to them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import anyio
import pytest
from attrs import evolve

from ....core.errors import InvalidValue, LeaseLost
from ....core.events import ConnectRequested, EndRequested, PauseRequested
from ....core.states import EndReason
from ....ports.storage import EVERYTHING, DueSession, Lease, Storage
from .examples import HOME, START, OnStorage, a_session, a_tombstone, change_of, live, put

__all__ = ("SweepingContract",)

_HOUR = timedelta(hours=1)
_AT_ONCE = timedelta(microseconds=1)
_PAST = START
_FAR = START + timedelta(days=70_000)


async def _sweep(
    storage: Storage, worker_id: str = "sweeper", *, limit: int = 100
) -> list[DueSession]:
    return list(await storage.sessions.take_due(worker_id=worker_id, duration=_HOUR, limit=limit))


async def _sweep_until_found(storage: Storage, **how: Any) -> list[DueSession]:
    while not (found := await _sweep(storage, **how)):  # a lease has yet to lapse
        pass
    return found


@pytest.mark.anyio
class SweepingContract(OnStorage):
    """See `SessionStore.take_due`."""

    async def test_a_session_past_its_deadline_is_taken_with_a_lease(
        self, storage: Storage
    ) -> None:
        late = a_session(deadline_at=_PAST)
        await put(storage, late)
        (taken,) = await _sweep(storage)
        lease = Lease(
            session_id=late.id,
            worker_id="sweeper",
            epoch=1,
            expires_at=taken.lease.expires_at,
        )
        assert taken == DueSession(session=late, lease=lease)
        assert await storage.sessions.load(late.id, HOME) == evolve(
            late, worker_id="sweeper", epoch=1, lease_expires_at=lease.expires_at
        )
        assert await _sweep(storage) == []

    async def test_nothing_is_taken_before_its_time_or_without_one(self, storage: Storage) -> None:
        await put(storage, a_session("s1"), a_session("s2", deadline_at=_FAR))
        assert await _sweep(storage) == []

    async def test_a_leased_session_is_its_owners_however_late_it_is(
        self, storage: Storage
    ) -> None:
        session = await live(storage, deadline_at=_PAST)
        await storage.sessions.take_lease(session.id, HOME, worker_id="w1", duration=_HOUR)
        assert await _sweep(storage) == []

    async def test_a_session_whose_lease_has_lapsed_is_taken_from_its_owner(
        self, storage: Storage
    ) -> None:
        session = await live(storage, deadline_at=_FAR)
        lost = await storage.sessions.take_lease(
            session.id, HOME, worker_id="w1", duration=_AT_ONCE
        )
        (taken,) = await _sweep_until_found(storage)
        assert (taken.session.worker_id, taken.session.epoch) == ("w1", 1)
        assert taken.session.lease_expires_at == lost.expires_at
        assert (taken.lease.worker_id, taken.lease.epoch) == ("sweeper", 2)
        change = change_of(session, PauseRequested(at=START), epoch=lost.epoch)
        with pytest.raises(LeaseLost):
            await storage.sessions.commit(change)
        assert not await storage.sessions.renew_leases({session.id: lost.epoch}, duration=_HOUR)

    async def test_a_released_session_waits_for_its_deadline_again(self, storage: Storage) -> None:
        session = a_session(deadline_at=_PAST)
        await put(storage, session)
        for epoch in (1, 2):
            (taken,) = await _sweep(storage)
            assert taken.lease.epoch == epoch
            await storage.sessions.release_lease(session.id, epoch=epoch)
        (taken,) = await _sweep(storage)
        moved = change_of(
            taken.session,
            ConnectRequested(at=START),
            epoch=3,
            deadline_at=_FAR,
        )
        await storage.sessions.commit(moved)
        await storage.sessions.release_lease(session.id, epoch=3)
        assert await _sweep(storage) == []

    async def test_of_many_racing_sweepers_each_session_goes_to_one(self, storage: Storage) -> None:
        await put(storage, *(a_session(f"s{n}", deadline_at=_PAST) for n in range(7)))
        taken: list[DueSession] = []

        async def sweep(worker_id: str) -> None:
            while found := await _sweep(storage, worker_id, limit=2):
                assert all(one.lease.worker_id == worker_id for one in found)
                taken.extend(found)

        async with anyio.create_task_group() as group:
            for number in range(4):
                group.start_soon(sweep, f"w{number}")
        assert sorted(one.session.id for one in taken) == [f"s{n}" for n in range(7)]
        assert all(one.lease.epoch == 1 for one in taken)

    async def test_sessions_that_have_waited_longest_are_taken_first(
        self, storage: Storage
    ) -> None:
        waiting = [a_session(f"s{n}", deadline_at=_PAST - n * _AT_ONCE) for n in range(5)]
        await put(storage, *waiting)
        assert [one.session.id for one in await _sweep(storage, limit=3)] == ["s4", "s3", "s2"]
        assert [one.session.id for one in await _sweep(storage, limit=3)] == ["s1", "s0"]

    async def test_sessions_of_all_tenants_are_swept(self, storage: Storage) -> None:
        tenants = ("default", "strangers")
        await put(
            storage,
            *(a_session(f"of_{tenant}", tenant_id=tenant, deadline_at=_PAST) for tenant in tenants),
        )
        assert {one.session.tenant_id for one in await _sweep(storage)} == set(tenants)

    async def test_an_ended_session_is_looked_at_once_more_at_its_deadline(
        self, storage: Storage
    ) -> None:
        session = await live(storage)
        end = change_of(
            session, EndRequested(at=START, reason=EndReason.COMPLETED), deadline_at=_PAST
        )
        await storage.sessions.commit(end)
        (taken,) = await _sweep(storage)
        assert (taken.session.id, taken.session.deadline_at) == (session.id, _PAST)
        await storage.sessions.delete(session.id, EVERYTHING, tombstone=a_tombstone())
        assert await _sweep(storage) == []

    async def test_a_sweep_of_nothing_by_nobody_is_refused(self, storage: Storage) -> None:
        with pytest.raises(InvalidValue, match="worker_id"):
            await _sweep(storage, "")
        with pytest.raises(InvalidValue, match="limit"):
            await _sweep(storage, limit=0)
        with pytest.raises(InvalidValue, match="duration"):
            await storage.sessions.take_due(worker_id="w1", duration=timedelta())
