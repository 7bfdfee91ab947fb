"""Leases and running stats: what a store writes in heads without a commit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, Final, TypeAlias

from ...core.errors import SessionNotActive
from ...core.identity import SessionId
from ...core.instants import from_us, to_us
from ...core.session import Session
from ...ports.documents import MAX_BATCH, DocumentQuery, Put, RevisionConflict
from ...ports.scope import Scope
from ...ports.storage import MAX_PAGE, DueSession, Lease, RunningStats
from ..arguments import check_page, check_stats, check_worker_id, lease_end
from ..codec import stats_document
from . import layout
from .bulk import write_each
from .contention import persistently
from .heads import Head, is_session_id
from .onheads import OnHeads

__all__ = ("Leases",)

_Fields: TypeAlias = Mapping[str, Any]
_NOBODYS: Final[_Fields] = {"worker_id": None, "lease_expires_at": None}


class Leases(OnHeads):
    """See `SessionStore`: everything about leases, and `write_stats`."""

    async def take_lease(
        self, session_id: SessionId, /, scope: Scope, *, worker_id: str, duration: timedelta
    ) -> Lease:
        check_worker_id(worker_id)
        expires_at = lease_end(await self._driver.now(), duration)

        async def take() -> int:
            head = await self._heads.of(session_id, scope)
            if head.has_ended:
                raise SessionNotActive(f"session {session_id} has ended")
            await self._driver.write([_taken(head, worker_id, to_us(expires_at))])
            return head.epoch + 1

        epoch = await persistently(take)
        return Lease(session_id=session_id, worker_id=worker_id, epoch=epoch, expires_at=expires_at)

    async def take_due(
        self, *, worker_id: str, duration: timedelta, limit: int = MAX_PAGE
    ) -> Sequence[DueSession]:
        check_worker_id(worker_id)
        check_page(limit)
        now = await self._driver.now()
        until_us = to_us(lease_end(now, duration))
        taken: list[DueSession] = []
        while len(taken) < limit:
            query = DocumentQuery(
                index=layout.BY_LOOK,
                equal={},
                end=(to_us(now) + 1,),
                limit=min(limit - len(taken), MAX_BATCH),
            )
            some = await persistently(partial(self._take_some, query, worker_id, until_us))
            if some is None:
                break
            taken += some
        return taken

    async def _take_some(
        self, due: DocumentQuery, worker_id: str, until_us: int
    ) -> list[DueSession] | None:
        """Take what *due* finds; return what nobody else was faster to take, None if nothing is due."""
        heads = [Head(document) for document in await self._driver.find(due)]
        if not heads:
            return None
        sessions = [await self._heads.session(head) for head in heads]
        done = await write_each(self._driver, [_taken(head, worker_id, until_us) for head in heads])
        return [
            DueSession(session=session, lease=_lease(session, worker_id, until_us))
            for session, is_taken in zip(sessions, done, strict=True)
            if is_taken
        ]

    async def renew_leases(
        self, held: Mapping[SessionId, int], /, *, duration: timedelta
    ) -> Mapping[SessionId, int]:
        until_us = to_us(lease_end(await self._driver.now(), duration))

        def renewal(head: Head) -> _Fields | None:
            return None if head.body["worker_id"] is None else {"lease_expires_at": until_us}

        return await self._write_owned(held, renewal)

    async def release_lease(self, session_id: SessionId, /, *, epoch: int) -> None:
        await self._write_owned({session_id: epoch}, lambda _: _NOBODYS)

    async def write_stats(self, stats: Mapping[SessionId, RunningStats], /) -> None:
        check_stats(stats)
        epochs = {session_id: counted.epoch for session_id, counted in stats.items()}
        await self._write_owned(epochs, lambda head: stats_document(stats[head.id]))

    async def _write_owned(
        self, epochs: Mapping[SessionId, int], fields_of: Callable[[Head], _Fields | None]
    ) -> dict[SessionId, int]:
        """Write fields in the head of each session that is still at its epoch.

        Returns the seq of each that was written. None for fields leaves a session out.

        Raises:
            InvalidValue: The medium cannot keep some of it; nothing was written.
        """
        written: dict[SessionId, int] = {}
        left = [session_id for session_id in epochs if is_session_id(session_id)]

        async def write() -> None:
            changes = [
                (head, head.with_changes(fields))
                for head in await self._heads.many(left)
                if head.epoch == epochs[head.id] and (fields := fields_of(head)) is not None
            ]
            puts = [self._heads.check_size("stats", put) for _, put in changes]
            done = await write_each(self._driver, puts)
            beaten = [head for (head, _), is_done in zip(changes, done, strict=True) if not is_done]
            written.update((head.id, head.seq) for head, _ in changes if head not in beaten)
            left[:] = [head.id for head in beaten]
            if beaten:
                raise RevisionConflict(beaten[0].key.collection, beaten[0].id)

        await persistently(write)
        return written


def _lease(session: Session, worker_id: str, until_us: int) -> Lease:
    return Lease(
        session_id=session.id,
        worker_id=worker_id,
        epoch=session.epoch + 1,
        expires_at=from_us(until_us),
    )


def _taken(head: Head, worker_id: str, until_us: int) -> Put:
    return head.with_changes(
        {"worker_id": worker_id, "epoch": head.epoch + 1, "lease_expires_at": until_us}
    )
