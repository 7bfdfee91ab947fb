"""A document driver for tests: what the others do on a server, in a dict."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import count
from types import MappingProxyType, TracebackType
from typing import Any, Self

from anyio.lowlevel import checkpoint

from ...ports.documents import (
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
from .places import is_between, is_in, place_of
from .requests import checked_count, checked_keys, checked_query, checked_writes, is_as_expected

__all__ = ("MemoryDocumentDriver",)


class MemoryDocumentDriver:
    """Keeps documents in a dict and loses them with itself; closing it keeps them.

    It needs no lock: nothing awaits between a check and the write that it allows.

    Args:
        largest_document_bytes: What a document may weigh, as on a medium that has a limit.
    """

    def __init__(self, *, largest_document_bytes: int | None = None) -> None:
        self._largest_document_bytes = largest_document_bytes
        self._kept: dict[DocumentKey, StoredDocument] = {}
        self._declared: frozenset[Index] = frozenset()
        self._revisions = count(1)

    @property
    def largest_document_bytes(self) -> int | None:
        return self._largest_document_bytes

    def declare(self, indexes: Iterable[Index], /) -> None:
        self._declared |= frozenset(indexes)

    async def __aenter__(self) -> Self:
        await checkpoint()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None:
        await checkpoint()

    async def get(self, keys: Sequence[DocumentKey], /) -> Sequence[StoredDocument | None]:
        await checkpoint()
        return [self._kept.get(key) for key in checked_keys(keys)]

    async def write(self, writes: Sequence[Write], /) -> None:
        await checkpoint()
        checked_writes(writes, self._largest_document_bytes)
        for write in writes:
            if not self._allows(write):
                raise RevisionConflict(write.key.collection, write.key.id)
        for write in writes:
            self._do(write)

    async def write_each(self, writes: Sequence[Write], /) -> Sequence[bool]:
        await checkpoint()
        checked_writes(writes, self._largest_document_bytes, most=MAX_BATCH)
        done = [self._allows(write) for write in writes]
        for write, allowed in zip(writes, done, strict=True):
            if allowed:
                self._do(write)
        return done

    async def find(self, query: DocumentQuery, /) -> Sequence[StoredDocument]:
        await checkpoint()
        checked_query(query, self._declared)
        found = sorted(
            (
                document
                for document in self._kept.values()
                if is_in(query.index, query.equal, document)
                and is_between(query, place_of(query.index, document))
            ),
            key=lambda document: place_of(query.index, document),
            reverse=query.descending,
        )
        return found[: query.limit]

    async def count(self, index: Index, equal: Mapping[str, Any], /) -> int:
        await checkpoint()
        checked_count(index, equal, self._declared)
        return sum(is_in(index, equal, document) for document in self._kept.values())

    async def now(self) -> datetime:
        await checkpoint()
        return datetime.now(UTC)  # noqa: TID251 - a store stamps its own time

    def _allows(self, write: Write) -> bool:
        stored = self._kept.get(write.key)
        return is_as_expected(write.expected, None if stored is None else stored.revision)

    def _do(self, write: Write) -> None:
        match write:
            case Put(key, body):
                copy = MappingProxyType(dict(body))
                self._kept[key] = StoredDocument(key, copy, str(next(self._revisions)))
            case Delete(key):
                self._kept.pop(key, None)
            case Check():
                pass
