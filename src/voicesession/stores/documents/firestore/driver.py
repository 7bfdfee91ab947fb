"""
Documents in Firestore, through Google's own client: the extra ``firestore``. For asyncio only.

Each document is one of Firestore's, in a collection at the root. Batches are commits whose
preconditions are update times, so no transaction is ever open, and no lock outlives a call.
Every write is shielded from cancellation, and has a deadline.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from types import TracebackType
from typing import Any, Final, Self

from anyio import CancelScope
from anyio.lowlevel import checkpoint
from attrs import frozen

from ....core.errors import InvalidValue, StoreError
from ....ports.documents import MAX_BATCH, DocumentKey, DocumentQuery, Index, StoredDocument, Write
from ..requests import checked_count, checked_keys, checked_query, checked_writes
from .calls import in_time
from .connection import Connection
from .filing import BOOKKEEPING_BYTES, Filing, sorting_fields
from .indexes import DEFAULT_PREFIX
from .library import AsyncClient
from .reading import Reader
from .writing import Writer

__all__ = ("FirestoreDocumentDriver",)

_PREFIX: Final = re.compile(r"([a-z][a-z0-9_]{0,63})?")
_PROJECT: Final = re.compile(r"[A-Za-z0-9.:_-]+")
_DATABASE: Final = re.compile(r"\(default\)|[a-z0-9-]+")
_ANSWERS_WITHIN: Final = timedelta(seconds=10)
_LARGEST_DOCUMENT_BYTES: Final = 1_048_576 - BOOKKEEPING_BYTES


@frozen(eq=False)
class _Opened:
    connection: Connection
    reader: Reader
    writer: Writer


class FirestoreDocumentDriver:
    """Keeps documents in a Firestore database. It opens at ``async with``, and asks nothing yet.

    With ``FIRESTORE_EMULATOR_HOST`` set, it talks to that emulator instead of to Google. The
    indexes are not made here: deploy them first (see ``index_definitions``).

    Args:
        project: Google Cloud project; None is the one that the environment names.
        database: Which of the project's databases.
        prefix: Stands before the name of each collection, so that a host's own are apart.
        client: A host's own client, instead of project and database; the host closes it.
        answers_within: How long anything waits for the server, further tries included, before
            it is a `StoreTimeout`.

    Raises:
        InvalidValue: A name is none, no time is left for an answer, or a project is named
            beside a client.
    """

    def __init__(
        self,
        project: str | None = None,
        database: str = "(default)",
        *,
        prefix: str = DEFAULT_PREFIX,
        client: AsyncClient | None = None,
        answers_within: timedelta = _ANSWERS_WITHIN,
    ) -> None:
        if not _PREFIX.fullmatch(prefix):
            raise InvalidValue("prefix", prefix, "up to 64 of a-z, 0-9 and _, or nothing")
        if project is not None and not _PROJECT.fullmatch(project):
            raise InvalidValue("project", project, "the id of a project")
        if not _DATABASE.fullmatch(database):
            raise InvalidValue("database", database, "(default), or the id of a database")
        if client is not None and project is not None:
            raise InvalidValue("project", project, "None: the client has its own")
        if answers_within <= timedelta():
            raise InvalidValue("answers_within", answers_within, "some time")
        self._answers_within_s = answers_within.total_seconds()
        self._prefix = prefix
        self._connect = partial(
            Connection.open,
            client,
            project=project,
            database=database,
            answers_within_s=self._answers_within_s,
        )
        self._declared: frozenset[Index] = frozenset()
        self._open: _Opened | None = None

    @property
    def largest_document_bytes(self) -> int | None:
        return _LARGEST_DOCUMENT_BYTES

    def declare(self, indexes: Iterable[Index], /) -> None:
        """See `DocumentDriver`.

        Raises:
            InvalidValue: A collection would be sorted by a field that another index fixes.
        """
        declared = self._declared.union(indexes)
        sorting_fields(declared)
        self._declared = declared

    async def __aenter__(self) -> Self:
        if self._open is not None:
            raise StoreError("the documents are open already")
        connection = await self._connect()
        filing = Filing(
            database=connection.database,
            prefix=self._prefix,
            sorted_by=sorting_fields(self._declared),
        )
        reader = Reader(connection, filing)
        self._open = _Opened(connection, reader, Writer(connection, filing, reader))
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None:
        opened, self._open = self._open, None
        if opened is not None:
            with CancelScope(shield=True):
                await opened.connection.aclose()

    async def get(self, keys: Sequence[DocumentKey], /) -> Sequence[StoredDocument | None]:
        await checkpoint()
        checked_keys(keys)
        with in_time(self._answers_within_s):
            return await self._opened().reader.documents(keys)

    async def write(self, writes: Sequence[Write], /) -> None:
        await checkpoint()
        checked_writes(writes, _LARGEST_DOCUMENT_BYTES)
        with in_time(self._answers_within_s, shield=True):
            await self._opened().writer.commit(writes)

    async def write_each(self, writes: Sequence[Write], /) -> Sequence[bool]:
        await checkpoint()
        checked_writes(writes, _LARGEST_DOCUMENT_BYTES, most=MAX_BATCH)
        with in_time(self._answers_within_s, shield=True):
            return await self._opened().writer.each(writes)

    async def find(self, query: DocumentQuery, /) -> Sequence[StoredDocument]:
        await checkpoint()
        checked_query(query, self._declared)
        with in_time(self._answers_within_s):
            return await self._opened().reader.page(query)

    async def count(self, index: Index, equal: Mapping[str, Any], /) -> int:
        await checkpoint()
        checked_count(index, equal, self._declared)
        with in_time(self._answers_within_s):
            return await self._opened().reader.count(index, equal)

    async def now(self) -> datetime:
        await checkpoint()
        reader = self._opened().reader
        if not reader.time.is_known:
            with in_time(self._answers_within_s):
                await reader.learn_time()
        return reader.time.now()

    def _opened(self) -> _Opened:
        if self._open is None:
            raise StoreError("the documents are not open: use them inside `async with`")
        return self._open
