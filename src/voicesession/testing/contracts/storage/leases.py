"""Who owns a live session, and what only the owner counts."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import anyio
import pytest
from attrs import evolve

from ....core.errors import InvalidValue, LeaseLost, SessionNotActive, SessionNotFound
from ....core.events import EndRequested, PauseRequested
from ....core.identity import SessionId
from ....core.session import Session
from ....core.states import EndReason
from ....ports.storage import EVERYTHING, Change, Lease, RunningStats, Storage
from .examples import HOME, START, OnStorage, a_session, change_of, live, put

__all__ = ("LeaseContract",)

_HOUR = timedelta(hours=1)
_NOBODY = SessionId("nobody")


async def _take(storage: Storage, session: Session, worker_id: str = "w1") -> Lease:
    return await storage.sessions.take_lease(session.id, HOME, worker_id=worker_id, duration=_HOUR)


async def _stored(storage: Storage, session: Session) -> Session:
    return await storage.sessions.load(session.id, HOME)


async def _end(storage: Storage, session: Session, **write: Any) -> Session:
    change = change_of(session, EndRequested(at=START, reason=EndReason.COMPLETED), **write)
    await storage.sessions.commit(change)
    return change.session


def _counted(epoch: int, *, transcript_partial: str | None = "and th") -> RunningStats:
    return RunningStats(
        epoch=epoch,
        audio_duration_us=1_000_001,
        audio_chunks_received=20,
        audio_chunks_processed=19,
        audio_used_us=999_999,
        transcript_partial=transcript_partial,
    )


def _with(session: Session, counted: RunningStats) -> Session:
    return evolve(
        session,
        audio_duration_us=counted.audio_duration_us,
        audio_chunks_received=counted.audio_chunks_received,
        audio_chunks_processed=counted.audio_chunks_processed,
        audio_used_us=counted.audio_used_us,
        transcript_partial=counted.transcript_partial,
    )


@pytest.mark.anyio
class LeaseContract(OnStorage):
    """Leases and running stats: the columns that are the store's own."""

    async def test_a_new_session_has_no_owner_whatever_its_snapshot_says(
        self, storage: Storage
    ) -> None:
        claimed = a_session(worker_id="w9", epoch=9, lease_expires_at=START)
        await put(storage, claimed)
        assert await _stored(storage, claimed) == a_session()

    async def test_nobody_owns_a_session_before_it_is_there(self, storage: Storage) -> None:
        with pytest.raises(LeaseLost):
            await storage.sessions.commit(Change(session=a_session(), expected_seq=None, epoch=1))
        with pytest.raises(SessionNotFound):
            await storage.sessions.load(a_session().id, HOME)

    async def test_who_takes_the_lease_owns_the_session(self, storage: Storage) -> None:
        session = await live(storage)
        lease = await _take(storage, session)
        assert lease == Lease(
            session_id=session.id, worker_id="w1", epoch=1, expires_at=lease.expires_at
        )
        assert await _stored(storage, session) == evolve(
            session, worker_id="w1", epoch=1, lease_expires_at=lease.expires_at
        )

    async def test_a_lease_is_taken_over_at_once_and_the_epoch_grows(
        self, storage: Storage
    ) -> None:
        session = await live(storage)
        for epoch, worker_id in enumerate(("w1", "w2", "w2"), start=1):
            lease = await _take(storage, session, worker_id)
            assert (lease.worker_id, lease.epoch) == (worker_id, epoch)

    async def test_a_longer_lease_ends_later(self, storage: Storage) -> None:
        session = await live(storage)
        long = await _take(storage, session)
        short = await storage.sessions.take_lease(
            session.id, HOME, worker_id="w1", duration=timedelta(seconds=1)
        )
        assert short.expires_at < long.expires_at

    async def test_racing_takers_get_epochs_of_their_own(self, storage: Storage) -> None:
        session = await live(storage)
        leases: list[Lease] = []

        async def take(worker_id: str) -> None:
            leases.append(await _take(storage, session, worker_id))

        async with anyio.create_task_group() as group:
            for number in range(8):
                group.start_soon(take, f"w{number}")
        assert sorted(lease.epoch for lease in leases) == list(range(1, 9))
        owner = max(leases, key=lambda lease: lease.epoch)
        assert (await _stored(storage, session)).worker_id == owner.worker_id

    async def test_nobody_owns_what_has_ended_or_is_not_there(self, storage: Storage) -> None:
        ended = await _end(storage, await live(storage))
        with pytest.raises(SessionNotActive):
            await _take(storage, ended)
        assert await _stored(storage, ended) == ended
        with pytest.raises(SessionNotFound):
            await _take(storage, a_session("nobody"))

    async def test_an_owner_has_a_name(self, storage: Storage) -> None:
        session = await live(storage)
        for worker_id in ("", "nul\0", "lone \ud800"):
            with pytest.raises(InvalidValue, match="worker_id"):
                await _take(storage, session, worker_id)
        assert await _stored(storage, session) == session

    async def test_a_lease_lasts_for_some_time_and_not_for_ever(self, storage: Storage) -> None:
        session = await live(storage)
        for duration in (timedelta(), timedelta(seconds=-1), timedelta.max):
            with pytest.raises(InvalidValue, match="duration"):
                await storage.sessions.take_lease(
                    session.id, HOME, worker_id="w1", duration=duration
                )
            with pytest.raises(InvalidValue, match="duration"):
                await storage.sessions.renew_leases({}, duration=duration)
        assert await _stored(storage, session) == session

    async def test_renewing_tells_the_seq_of_what_is_still_held(self, storage: Storage) -> None:
        held, lost, released, over = [await live(storage, f"s{n}") for n in range(4)]
        leases = {s.id: await _take(storage, s) for s in (held, lost, released, over)}
        await _take(storage, lost, "w2")
        await storage.sessions.release_lease(released.id, epoch=1)
        over = await _end(storage, over, epoch=1)
        command = change_of(held, PauseRequested(at=START))
        await storage.sessions.commit(command)
        epochs = {lease.session_id: lease.epoch for lease in leases.values()} | {_NOBODY: 1}
        renewed = await storage.sessions.renew_leases(epochs, duration=2 * _HOUR)
        assert renewed == {held.id: command.session.seq}
        stored = await _stored(storage, held)
        assert stored.lease_expires_at is not None
        assert stored.lease_expires_at > leases[held.id].expires_at
        assert (stored.worker_id, stored.epoch) == ("w1", 1)
        assert (await _stored(storage, lost)).worker_id == "w2"
        assert (await _stored(storage, released)).lease_expires_at is None
        assert (await _stored(storage, over)).lease_expires_at is None

    async def test_renewing_nothing_renews_nothing(self, storage: Storage) -> None:
        assert await storage.sessions.renew_leases({}, duration=_HOUR) == {}

    async def test_a_released_lease_is_free_and_its_epoch_is_not_used_again(
        self, storage: Storage
    ) -> None:
        session = await live(storage)
        await _take(storage, session)
        await storage.sessions.release_lease(session.id, epoch=1)
        stored = await _stored(storage, session)
        assert stored == evolve(session, epoch=1)
        assert (await _take(storage, session)).epoch == 2

    async def test_an_old_owner_releases_nothing(self, storage: Storage) -> None:
        session = await live(storage)
        await _take(storage, session, "w1")
        await _take(storage, session, "w2")
        before = await _stored(storage, session)
        await storage.sessions.release_lease(session.id, epoch=1)
        await storage.sessions.release_lease(_NOBODY, epoch=1)
        assert await _stored(storage, session) == before

    async def test_a_commit_brings_no_older_lease_back(self, storage: Storage) -> None:
        session = await live(storage)
        lease = await _take(storage, session)
        for epoch in (None, lease.epoch):
            change = change_of(
                session,
                *(() if epoch else (PauseRequested(at=START),)),
                epoch=epoch,
                worker_id="an older one",
                lease_expires_at=START,
            )
            await storage.sessions.commit(change)
            session = change.session
            stored = await _stored(storage, session)
            assert (stored.worker_id, stored.epoch) == ("w1", lease.epoch)
            assert stored.lease_expires_at == lease.expires_at

    async def test_a_command_brings_no_older_stats_back(self, storage: Storage) -> None:
        session = await live(storage)
        lease = await _take(storage, session)
        counted = _counted(lease.epoch)
        await storage.sessions.write_stats({session.id: counted})
        await storage.sessions.commit(change_of(session, PauseRequested(at=START)))
        stored = await _stored(storage, session)
        assert stored.state == "PAUSED"
        assert _with(stored, counted) == evolve(
            stored, transcript_partial=counted.transcript_partial
        )

    async def test_the_owner_brings_its_stats_along(self, storage: Storage) -> None:
        session = await live(storage)
        lease = await _take(storage, session)
        change = change_of(session, PauseRequested(at=START), epoch=lease.epoch)
        counted = _counted(lease.epoch)
        await storage.sessions.commit(evolve(change, session=_with(change.session, counted)))
        stored = await _stored(storage, session)
        assert stored == _with(stored, counted)

    @pytest.mark.parametrize("by_owner", [True, False])
    async def test_the_end_drops_the_lease_and_keeps_the_epoch(
        self, storage: Storage, by_owner: bool
    ) -> None:
        session = await live(storage)
        lease = await _take(storage, session)
        ended = await _end(storage, session, epoch=lease.epoch if by_owner else None)
        assert await _stored(storage, session) == evolve(ended, epoch=lease.epoch)

    async def test_stats_are_stored_for_those_whose_epoch_has_not_changed(
        self, storage: Storage
    ) -> None:
        held, lost = await live(storage, "s1"), await live(storage, "s2")
        await _take(storage, held)
        await _take(storage, lost)
        await _take(storage, lost, "w2")
        before = await _stored(storage, lost)
        counted = _counted(1)
        await storage.sessions.write_stats(dict.fromkeys((held.id, lost.id, _NOBODY), counted))
        stored = await _stored(storage, held)
        assert stored == _with(stored, counted)
        assert stored.seq == held.seq
        assert await _stored(storage, lost) == before
        await storage.sessions.write_stats({held.id: _counted(1, transcript_partial=None)})
        assert (await _stored(storage, held)).transcript_partial is None

    async def test_stats_that_cannot_be_stored_stop_all_of_them(self, storage: Storage) -> None:
        one, other = await live(storage, "s1"), await live(storage, "s2")
        for session in (one, other):
            await _take(storage, session)
        before = await _stored(storage, one)
        for bad in (
            _counted(1, transcript_partial="nul \0"),
            evolve(_counted(1), audio_duration_us=-1),
            evolve(_counted(1), audio_used_us=2**62),
            evolve(_counted(1), audio_chunks_received=-1),
            evolve(_counted(1), audio_chunks_processed=2**63),
        ):
            with pytest.raises(InvalidValue):
                await storage.sessions.write_stats({one.id: _counted(1), other.id: bad})
            assert await _stored(storage, one) == before

    async def test_no_stats_are_no_work(self, storage: Storage) -> None:
        await storage.sessions.write_stats({})

    async def test_an_operator_may_take_any_lease(self, storage: Storage) -> None:
        session = await live(storage)
        lease = await storage.sessions.take_lease(
            session.id, EVERYTHING, worker_id="sweeper", duration=_HOUR
        )
        assert (await _stored(storage, session)).epoch == lease.epoch
