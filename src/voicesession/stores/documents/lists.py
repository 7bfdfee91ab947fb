"""
Lists of sessions: one declared index is read, and what it does not cover is filtered here.

The index fixes the tenant and one more filter at most; the range of time is part of it. For
the other filters up to MOST_READ documents are read for one page. Where they do not suffice
the page is shorter than asked for, perhaps empty, and its cursor goes on where reading
stopped: whoever follows the cursors sees everything.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

from attrs import evolve

from ...core.errors import InvalidValue
from ...core.identity import SessionId
from ...core.instants import to_us
from ...core.journal import JournalEntry
from ...core.session import Session
from ...ports.documents import MAX_BATCH, DocumentQuery, RevisionConflict, StoredDocument
from ...ports.scope import Scope
from ...ports.storage import MAX_PAGE, Page, SessionQuery
from ..arguments import check_journal_range, check_query, check_user_id
from ..codec import parse_entry
from ..pages import Position, is_ascending, page_of, position_of
from . import layout
from .contention import persistently
from .heads import Head
from .onheads import OnHeads
from .places import after

__all__ = ("MOST_READ", "Lists")

MOST_READ: Final = 10_000
"""How many documents are read for one page, at most."""


class Lists(OnHeads):
    """See `SessionStore`: everything that only reads."""

    async def load(self, session_id: SessionId, /, scope: Scope) -> Session:
        async def read() -> Session:
            return await self._heads.session(await self._heads.of(session_id, scope))

        return await persistently(read)

    async def find(self, query: SessionQuery, /, scope: Scope) -> Page:
        """Return a page of sessions; a short one that has a cursor is not the last one.

        Raises:
            InvalidValue: As the port says, or the offset is more than can be skipped here:
                cursors lead further.
        """
        check_query(query)
        return await persistently(partial(self._find, query, position_of(query), scope))

    async def count_open(self, scope: Scope, *, user_id: str | None) -> tuple[int, int]:
        check_user_id(user_id)
        if scope.tenant_id is None:
            its, everybodys = layout.OPEN_OF_ANY_USER, layout.OPEN
            equal: dict[str, Any] = {"is_open": True}
        else:
            its, everybodys = layout.OPEN_OF_USER, layout.OPEN_OF_TENANT
            equal = {"is_open": True, "tenant_id": scope.tenant_id}
        of_user = await self._driver.count(its, {**equal, "user_id": user_id})
        return of_user, await self._driver.count(everybodys, equal)

    async def journal(
        self, session_id: SessionId, /, scope: Scope, *, after: int = 0, limit: int = MAX_PAGE
    ) -> Sequence[JournalEntry]:
        check_journal_range(after, limit)

        async def read() -> Sequence[JournalEntry]:
            head = await self._heads.of(session_id, scope)
            last = min(head.seq, after + limit)
            entries: list[JournalEntry] = []
            for start in range(after + 1, last + 1, MAX_BATCH):
                seqs = range(start, min(start + MAX_BATCH, last + 1))
                keys = [layout.entry_key(head.root, seq) for seq in seqs]
                for document in await self._driver.get(keys):
                    if document is None:  # the session is being erased
                        raise RevisionConflict(head.key.collection, head.id)
                    entries.append(parse_entry(document.body["entry"]))
            return tuple(entries)

        return await persistently(read)

    async def _find(self, query: SessionQuery, position: Position | None, scope: Scope) -> Page:
        reader = _Reader(query, scope, position)
        while not reader.is_done:
            reader.take(await self._driver.find(reader.next_page))
        sessions = [await self._heads.session(head) for head in reader.found]
        if reader.stopped_at is None:
            return page_of(query, position, sessions)
        return _short_page(query, position, sessions, await self._heads.session(reader.stopped_at))


class _Reader:
    """Reads an index page by page until there is enough for a page of the list.

    Attributes:
        found: One more than the page holds, if there are so many.
        stopped_at: What was read last when it gave up looking; None if it did not.
    """

    def __init__(self, query: SessionQuery, scope: Scope, position: Position | None) -> None:
        self.found: list[Head] = []
        self.stopped_at: Head | None = None
        self.is_done = False
        self._query = query
        given = {
            "tenant_id": scope.tenant_id,
            "user_id": query.user_id,
            "state": query.state,
            "status": query.status,
            "mode": query.mode,
        }
        self._given = {name: str(value) for name, value in given.items() if value is not None}
        index = next(one for one in layout.LISTS if self._given.keys() >= set(one.equal))
        self._next = DocumentQuery(
            index=index,
            equal={name: self._given[name] for name in index.equal},
            start=None if query.since is None else (to_us(query.since),),
            end=None if query.until is None else (to_us(query.until),),
            after=None if position is None else ((position.listed_us,), position.session_id),
            descending=not is_ascending(query, position),
        )
        self._skipped = 0
        self._read = 0

    @property
    def next_page(self) -> DocumentQuery:
        """What is to be read next."""
        return evolve(self._next, limit=min(MAX_BATCH, self._wanted, MOST_READ - self._read))

    def take(self, documents: Sequence[StoredDocument]) -> None:
        """Look through a page of the index.

        Raises:
            InvalidValue: The offset skips more than is read for one page.
        """
        limit = self.next_page.limit
        heads = [Head(document) for document in documents]
        matching = [head for head in heads if self._matches(head)]
        skipping = min(self._query.offset - self._skipped, len(matching))
        self._skipped += skipping
        self._read += len(heads)
        self.found += matching[skipping:]
        self.is_done = len(heads) < limit or len(self.found) > self._query.limit
        if self.is_done:
            return
        self._next = evolve(self._next, after=after(self._next.index, heads[-1].stored))
        if self._read >= MOST_READ:
            if self._skipped < self._query.offset:
                allowed = f"at most {self._skipped} in this list; its cursors lead further"
                raise InvalidValue("offset", self._query.offset, allowed)
            self.stopped_at, self.is_done = heads[-1], True

    @property
    def _wanted(self) -> int:
        """How many documents would do, if all of them matched."""
        query = self._query
        return query.offset - self._skipped + query.limit + 1 - len(self.found)

    def _matches(self, head: Head) -> bool:
        wanted, body = self._query.metadata, head.body
        if any(body[name] != value for name, value in self._given.items()):
            return False
        metadata: Mapping[str, Any] = json.loads(body["metadata"]) if wanted else {}
        return all(metadata.get(key) == value for key, value in wanted.items())


def _short_page(
    query: SessionQuery, position: Position | None, found: Sequence[Session], stopped_at: Session
) -> Page:
    """Return the page of *found* whose cursor goes on where reading stopped."""
    read = [*found, *(() if stopped_at in found else (stopped_at,))][: query.limit]
    page = page_of(evolve(query, limit=len(read)), position, [*read, stopped_at])
    return evolve(page, sessions=tuple(session for session in page.sessions if session in found))
