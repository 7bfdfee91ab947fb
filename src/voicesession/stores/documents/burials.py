"""How a session is deleted: all at one instant, whatever it takes to erase it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Final

from ...core.errors import SessionNotFound
from ...core.identity import SessionId
from ...core.instants import to_us
from ...ports.documents import Delete, DocumentQuery, Put, Write
from ...ports.scope import Scope
from ...ports.storage import Tombstone
from ..arguments import check_session_id
from ..codec import parse_tombstone, tombstone_document
from . import erasures, layout
from .bulk import everything_in
from .contention import persistently
from .heads import Head
from .onheads import OnHeads

__all__ = ("Burials",)

_FOLLOWERS_AT_ONCE: Final = 8  # each may be as large as a document can be
_TASKS_AT_ONCE: Final = 80


class Burials(OnHeads):
    """See `SessionStore.delete` and `TombstoneReader`."""

    _last_burial_us: int = 0

    async def delete(self, session_id: SessionId, /, scope: Scope, *, tombstone: Tombstone) -> None:
        """Remove a session: invisible at one instant, and then erased in batches.

        Whoever is interrupted may call again: it goes on where it broke off.

        Raises:
            StoreTimeout: It is deleted, if it was there, but not all of it is erased.
        """
        check_session_id(session_id)
        try:
            note = await persistently(partial(self._bury, session_id, scope, tombstone))
        except SessionNotFound:
            if not await self._erasures.resume(erasures.session_named(session_id), scope):
                raise
        else:
            await self._erasures.finish(note)

    async def tombstones(self, scope: Scope, /) -> Sequence[Tombstone]:
        """Return what is left of deleted sessions, in the order of their deletion."""
        if scope.tenant_id is None:
            found = await everything_in(self._driver, layout.TOMBSTONES, {})
        else:
            equal = {"tenant_id": scope.tenant_id}
            found = await everything_in(self._driver, layout.TOMBSTONES_OF_TENANT, equal)
        return tuple(parse_tombstone(document.body) for document in found)

    async def _bury(self, session_id: SessionId, scope: Scope, tombstone: Tombstone) -> Put:
        head = await self._heads.of(session_id, scope)
        followers = await self._followers(session_id)
        # So that nobody claims one meanwhile; if there are more, they are erased with the rest.
        tasks = await self._driver.find(
            DocumentQuery(index=layout.TASKS, equal={"under": head.root}, limit=_TASKS_AT_ONCE)
        )
        note = erasures.of_session(head)
        buried_at = self._burial_us(await self._driver.now())
        remains = {**tombstone_document(tombstone), "buried_at": buried_at}
        writes: list[Write] = [
            Delete(head.key, head.stored.revision),
            note,
            Put(layout.tombstone_key(head.root), remains),
            *followers,
            *(Delete(task.key) for task in tasks),
        ]
        if head.body["room_name"] is not None:
            writes.append(Delete(layout.room_key(head.body["room_name"])))
        await self._driver.write(writes)
        return note

    async def _followers(self, session_id: SessionId) -> list[Put]:
        """Return the writes for the sessions that go on from this one and must forget it.

        If they are too many for one batch, all but the last few have forgotten it already.
        """
        query = DocumentQuery(
            index=layout.FOLLOWERS,
            equal={"previous_session_id": session_id},
            limit=_FOLLOWERS_AT_ONCE,
        )
        while True:
            forget = {"previous_session_id": None}
            documents = await self._driver.find(query)
            writes = [Head(document).with_changes(forget) for document in documents]
            if len(writes) < query.limit:
                return writes
            await self._driver.write(writes)

    def _burial_us(self, now: datetime) -> int:
        # Two burials in one microsecond still have an order.
        self._last_burial_us = max(to_us(now), self._last_burial_us + 1)
        return self._last_burial_us
