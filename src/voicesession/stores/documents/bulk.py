"""Many documents at once: as many calls as a medium's limits ask for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...ports.documents import (
    MAX_BATCH,
    DocumentDriver,
    DocumentQuery,
    Index,
    Put,
    StoredDocument,
    Write,
)
from .places import after
from .requests import LARGEST_BATCH, document_bytes

__all__ = ("everything_in", "write_each")


async def everything_in(
    driver: DocumentDriver, index: Index, equal: Mapping[str, Any]
) -> list[StoredDocument]:
    """Return every document with these values, in order; not as of one instant."""
    read: list[StoredDocument] = []
    while True:
        query = DocumentQuery(
            index=index, equal=equal, after=after(index, read[-1]) if read else None
        )
        page = await driver.find(query)
        read += page
        if len(page) < query.limit:
            return read


async def write_each(driver: DocumentDriver, writes: Sequence[Write]) -> list[bool]:
    """Do each of *writes* by itself, however many there are; say which were done."""
    done: list[bool] = []
    for batch in _batches(writes, driver.largest_document_bytes):
        done += await driver.write_each(batch)
    return done


def _batches(writes: Sequence[Write], largest_bytes: int | None) -> Iterator[list[Write]]:
    batch: list[Write] = []
    weight = 0
    for write in writes:
        size = document_bytes(write.key, write.body) if isinstance(write, Put) else 0
        is_too_heavy = largest_bytes is not None and weight + size > LARGEST_BATCH * largest_bytes
        if batch and (len(batch) == MAX_BATCH or is_too_heavy):
            yield batch
            batch, weight = [], 0
        batch.append(write)
        weight += size
    if batch:
        yield batch
