"""
What is written to Firestore, and what became of it when the answer does not say.

A commit whose answer was lost is made again: its preconditions let it happen once. If they
then fail, either somebody else was faster or it had happened the first time; our stamp on one
of the documents tells. Where nothing tells, the write is *unknown*, and said to be.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ....core.errors import StoreError, StoreTimeout, StoreUnavailable
from ....ports.documents import ABSENT, ANY, DocumentKey, RevisionConflict, Write
from ..requests import is_as_expected
from . import calls
from .connection import Connection
from .filing import Filing, drawn_stamp, is_revision, stamp_of
from .library import exceptions, types
from .reading import Reader

__all__ = ("Writer",)

# What a batch says of each write: the numbers of the errors in `calls`.
_DONE: Final = 0
_NOT_DONE: Final = frozenset({8, 10})  # RESOURCE_EXHAUSTED, ABORTED
_NOT_EXPECTED: Final = frozenset({5, 6, 9})  # NOT_FOUND, ALREADY_EXISTS, FAILED_PRECONDITION
_UNCLEAR: Final = frozenset({1, 2, 4, 13, 14})  # CANCELLED, UNKNOWN, DEADLINE…, INTERNAL, UNAV…


class Writer:
    """Writes over an open connection. Who calls it shields it from cancellation."""

    def __init__(self, connection: Connection, filing: Filing, reader: Reader) -> None:
        self._connection = connection
        self._filing = filing
        self._reader = reader

    async def commit(self, writes: Sequence[Write]) -> None:
        """Do all of *writes*, or none.

        Raises:
            RevisionConflict: A document is not as it was expected; nothing was written.
            StoreUnavailable: Firestore turned it away; nothing was written.
            StoreTimeout: Whether it was written is unknown.
            StoreError: It is refused.
        """
        if not writes:
            return
        impossible = next((write for write in writes if not _may_be_as_expected(write)), None)
        if impossible is not None:
            raise RevisionConflict(impossible.key.collection, impossible.key.id)
        stamp = drawn_stamp()
        request = types.CommitRequest(
            database=self._connection.database,
            writes=[self._filing.message(write, stamp) for write in writes],
        )
        failure: Exception | None = None
        may_be_done = False
        async for _ in calls.tries():
            try:
                answer = await self._connection.answer(self._connection.api.commit, request)
            except calls.NOT_DONE as error:
                failure = error
            except calls.UNCLEAR as error:
                failure, may_be_done = error, True
            except calls.NOT_EXPECTED as error:
                await self._settle(writes, stamp, error, may_be_done=may_be_done)
                return
            except calls.REFUSED as error:
                raise calls.refused(error) from error
            else:
                self._reader.time.note(answer.commit_time)
                return
        if may_be_done:
            raise _lost_answer() from failure
        raise StoreUnavailable("Firestore turns a write away") from failure

    async def each(self, writes: Sequence[Write]) -> list[bool]:
        """Do each of *writes* by itself, and say which were done.

        Raises:
            StoreUnavailable: Firestore turned some of them away, and may have done others.
            StoreTimeout: Which were done is unknown.
            StoreError: One is refused.
        """
        done: dict[DocumentKey, bool] = dict.fromkeys((write.key for write in writes), False)
        left = [write for write in writes if _may_be_as_expected(write)]
        async for _ in calls.tries():
            if left:
                left = await self._batch(left, done)
            if not left:
                return [done[write.key] for write in writes]
        raise StoreUnavailable("Firestore turns writes away")

    async def _batch(self, writes: Sequence[Write], done: dict[DocumentKey, bool]) -> list[Write]:
        """Send *writes* once, note in *done* which were done, and return those turned away."""
        stamp = drawn_stamp()
        request = types.BatchWriteRequest(
            database=self._connection.database,
            writes=[self._filing.message(write, stamp) for write in writes],
        )
        try:
            answer = await self._connection.answer(self._connection.api.batch_write, request)
        except calls.NOT_DONE:
            return list(writes)
        except calls.UNCLEAR as error:
            raise _lost_answer() from error
        except calls.REFUSED as error:
            raise calls.refused(error) from error
        left: list[Write] = []
        for write, status in zip(writes, answer.status, strict=True):
            if status.code in _NOT_DONE:
                left.append(write)
            elif status.code in _UNCLEAR:
                raise _lost_answer()
            elif status.code not in _NOT_EXPECTED:
                if status.code != _DONE:
                    raise StoreError(f"Firestore refused: {status.message}")
                done[write.key] = True
        return left

    async def _settle(
        self, writes: Sequence[Write], stamp: bytes, error: Exception, *, may_be_done: bool
    ) -> None:
        """Return if a commit that was not as expected had been done before all the same.

        Raises:
            RevisionConflict: It was not done, and this is the document at fault.
            StoreTimeout: Nothing tells whether it was done.
            StoreError: All is as expected: Firestore means something else.
        """
        if may_be_done:
            try:
                found = await self._reader.messages([write.key for write in writes])
            except StoreUnavailable as unavailable:
                raise _lost_answer() from unavailable
            if any(message is not None and stamp_of(message) == stamp for message in found):
                return
            raise _lost_answer() from error
        found_documents = await self._reader.documents([write.key for write in writes])
        for write, document in zip(writes, found_documents, strict=True):
            if not is_as_expected(write.expected, None if document is None else document.revision):
                raise RevisionConflict(write.key.collection, write.key.id) from error
        if isinstance(error, exceptions.AlreadyExists):
            # It was there, and is gone again.
            key = next(write.key for write in writes if write.expected == ABSENT)
            raise RevisionConflict(key.collection, key.id) from error
        raise calls.refused(error) from error


def _may_be_as_expected(write: Write) -> bool:
    """Return whether any document could be as *write* expects."""
    return write.expected in (ABSENT, ANY) or is_revision(write.expected)


def _lost_answer() -> StoreTimeout:
    return StoreTimeout("Firestore: the answer to a write is lost")
