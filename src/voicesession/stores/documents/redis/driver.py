"""Documents in Redis or Valkey."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Final, Self

from ....core.errors import StoreTimeout, StoreUnavailable
from ....core.instants import from_us
from ....ports.documents import (
    MAX_BATCH,
    Check,
    Delete,
    DocumentKey,
    DocumentQuery,
    Index,
    Put,
    RevisionConflict,
    StoredDocument,
    Write,
)
from .. import layout
from ..requests import checked_count, checked_keys, checked_query, checked_writes
from .connections import ConnectionBroke, Connections
from .encoding import (
    body_of,
    body_text,
    document_key,
    forgetting_key,
    index_key,
    lex_range,
    places_text,
)
from .library import Redis
from .scripts import FIND, FORGET, GET, WRITE, WRITE_EACH, Script

__all__ = ("RedisDocumentDriver",)

_ANSWERS_WITHIN: Final = timedelta(seconds=10)
_LETTERS: Final[Mapping[type, str]] = {Put: "p", Delete: "d", Check: "c"}


class RedisDocumentDriver:
    """Keeps documents in one Redis or Valkey server (6.2 or newer). For asyncio only.

    *How durable it is, is the server's to say.* With ``appendonly yes`` and ``appendfsync
    everysec`` a crash of the server's machine loses up to one second of what was answered;
    with ``appendfsync always`` nothing; with neither, everything since the last snapshot. Of
    what a failover loses nothing here knows. The server must not evict: leave
    ``maxmemory-policy`` at ``noeviction``.

    A primary with replicas will do, by its own address; a cluster will not, because a batch
    writes keys that lie anywhere.

    Args:
        target: ``redis://``, ``rediss://`` or ``unix://`` with everything that redis-py reads
            from it, or a client of the host's. The pool of that client is used, and not
            closed; whatever the client itself adds, such as retries, is not.
        prefix: What every key begins with, so that several may share one database.
        max_connections: Who needs one more waits for it. For a URL only.
        answers_within: How long a call waits for the server before it is a `StoreTimeout`.

    Raises:
        InvalidConfig: The URL is none that redis-py can read.
    """

    def __init__(
        self,
        target: str | Redis,
        *,
        prefix: str = "voicesession:",
        max_connections: int = 16,
        answers_within: timedelta = _ANSWERS_WITHIN,
    ) -> None:
        self._connections = Connections(
            target, max_connections=max_connections, answers_within=answers_within
        )
        self._prefix = prefix
        self._declared: dict[Index, None] = {}

    @property
    def largest_document_bytes(self) -> int | None:
        return None

    def declare(self, indexes: Iterable[Index], /) -> None:
        self._declared |= dict.fromkeys(indexes)

    async def __aenter__(self) -> Self:
        """Ask the server for its time, so that a wrong address is told at once."""
        await self.now()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None:
        await self._connections.aclose()

    async def get(self, keys: Sequence[DocumentKey], /) -> Sequence[StoredDocument | None]:
        found = await self._connections.read(GET, [self._key(key) for key in checked_keys(keys)])
        return [
            None if body is None else _stored(key, body, revision)
            for key, (body, revision) in zip(keys, found, strict=True)
        ]

    async def write(self, writes: Sequence[Write], /) -> None:
        checked_writes(writes, None)
        conflict = int(await self._do(WRITE, writes, is_clear=lambda answer: answer == 0))
        if conflict:
            key = writes[conflict - 1].key
            raise RevisionConflict(key.collection, key.id)

    async def write_each(self, writes: Sequence[Write], /) -> Sequence[bool]:
        checked_writes(writes, None, most=MAX_BATCH)
        done = await self._do(WRITE_EACH, writes, is_clear=all)
        return [bool(was_done) for was_done in done]

    async def find(self, query: DocumentQuery, /) -> Sequence[StoredDocument]:
        checked_query(query, self._declared)
        low, high = lex_range(query)
        command = "ZREVRANGEBYLEX" if query.descending else "ZRANGEBYLEX"
        collection = query.index.collection
        found = await self._connections.read(
            FIND,
            [index_key(self._prefix, query.index, query.equal)],
            command,
            *((high, low) if query.descending else (low, high)),
            query.limit,
            document_key(self._prefix, collection, ""),
        )
        return [
            _stored(DocumentKey(collection, _text(name)), body, revision)
            for name, body, revision in found
        ]

    async def count(self, index: Index, equal: Mapping[str, Any], /) -> int:
        checked_count(index, equal, self._declared)
        return int(await self._connections.ask("ZCARD", index_key(self._prefix, index, equal)))

    async def forget(self, keys: Sequence[DocumentKey], /, *, after: timedelta | None) -> None:
        """See `ForgetfulDriver`. It is the server that forgets, to the millisecond."""
        documents = [self._key(key) for key in checked_keys(keys)]
        milliseconds = "never" if after is None else max(1, after // timedelta(milliseconds=1))
        await self._connections.read(
            FORGET, [*documents, forgetting_key(self._prefix)], milliseconds
        )

    async def now(self) -> datetime:
        seconds, microseconds = await self._connections.ask("TIME")
        return from_us(int(seconds) * 1_000_000 + int(microseconds))

    async def _do(
        self, script: Script, writes: Sequence[Write], *, is_clear: Callable[[Any], bool]
    ) -> Any:
        """Return what *script* answers to *writes*.

        If the connection breaks they are told once more: a script finds what it has done
        already. What it cannot find may have been written over since.
        """
        told = self._told(writes)
        try:
            return await self._connections.run(script, *told)
        except ConnectionBroke as error:
            with suppress(StoreUnavailable):
                answer = await self._connections.run(script, *told)
                if is_clear(answer):
                    return answer
            raise StoreTimeout("the connection to Redis broke before it answered") from error

    def _key(self, key: DocumentKey) -> str:
        return document_key(self._prefix, key.collection, key.id)

    def _told(self, writes: Sequence[Write]) -> tuple[Any, ...]:
        """Return *writes* as a script takes them: their keys, and then five values for each."""
        revision = layout.drawn()
        values: list[str] = []
        for write in writes:
            values += (_LETTERS[type(write)], write.expected, revision)
            if isinstance(write, Put):
                places = places_text(self._prefix, self._declared, write.key, write.body)
                values += (body_text(write.body), places)
            else:
                values += ("", "")
        return [self._key(write.key) for write in writes], *values


def _stored(key: DocumentKey, body: bytes | str, revision: bytes | str) -> StoredDocument:
    return StoredDocument(key, body_of(body), _text(revision))


def _text(value: bytes | str) -> str:
    # Clients of hosts may decode what they read.
    return value if isinstance(value, str) else value.decode()
