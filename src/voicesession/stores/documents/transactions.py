"""Several reads, a decision, and one batch: as if nobody else had written in between."""

from __future__ import annotations

from collections.abc import Iterable

from ...core.errors import InvalidValue
from ...ports.documents import (
    ABSENT,
    MAX_BATCH,
    MAX_WRITES,
    Body,
    Check,
    Delete,
    DocumentDriver,
    DocumentKey,
    Put,
    StoredDocument,
    Write,
)

__all__ = ("Transaction",)


class Transaction:
    """Remembers what it has read; its batch is refused if any of that has changed.

    Only what was read can be written, so nobody writes over what they have not seen.
    """

    def __init__(self, driver: DocumentDriver) -> None:
        self._driver = driver
        self._read: dict[DocumentKey, StoredDocument | None] = {}
        self._writes: dict[DocumentKey, Body | None] = {}
        self._loose: set[DocumentKey] = set()

    async def get(self, keys: Iterable[DocumentKey]) -> list[StoredDocument | None]:
        """Return the documents under *keys*, each as it was when it was read first."""
        keys = list(keys)
        new = [key for key in dict.fromkeys(keys) if key not in self._read]
        for start in range(0, len(new), MAX_BATCH):
            some = new[start : start + MAX_BATCH]
            self._read.update(zip(some, await self._driver.get(some), strict=True))
        return [self._read[key] for key in keys]

    def seen(self, key: DocumentKey) -> StoredDocument | None:
        """Return the document under *key*, which was read before."""
        return self._read[key]

    def put(self, key: DocumentKey, body: Body) -> None:
        """Store *body* in place of what was read."""
        self._writes[key] = body

    def delete(self, key: DocumentKey) -> None:
        """Delete what was read."""
        self._writes[key] = None

    def ignore(self, key: DocumentKey) -> None:
        """Let others change what was read here, as far as it is not written."""
        self._loose.add(key)

    async def confirm(self) -> None:
        """Do nothing if everything is still as it was read.

        Raises:
            RevisionConflict: Something is not.
            InvalidValue: It was more than 500 documents.
        """
        await self._do([_check(key, stored) for key, stored in self._read.items()])

    async def commit(self) -> None:
        """Do what is to be written, if there is anything.

        Raises:
            RevisionConflict: Something that was read has changed; nothing was written.
            InvalidValue: It is more than 500 documents.
        """
        if not self._writes:
            return
        await self._do(
            [
                _write(key, stored, self._writes[key])
                if key in self._writes
                else _check(key, stored)
                for key, stored in self._read.items()
                if key in self._writes or key not in self._loose
            ]
        )

    async def _do(self, writes: list[Write]) -> None:
        if len(writes) > MAX_WRITES:
            raise InvalidValue("entry", f"{len(writes)} documents", f"at most {MAX_WRITES}")
        await self._driver.write(writes)


def _expected(stored: StoredDocument | None) -> str:
    return ABSENT if stored is None else stored.revision


def _check(key: DocumentKey, stored: StoredDocument | None) -> Write:
    return Check(key, _expected(stored))


def _write(key: DocumentKey, stored: StoredDocument | None, body: Body | None) -> Write:
    expected = _expected(stored)
    return Delete(key, expected) if body is None else Put(key, body, expected)
