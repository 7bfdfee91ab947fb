"""
The documents of one database, and who may change them: no network, no waiting.

Strict where the real one is: a commit happens whole or not at all, a precondition that does not
hold refuses all of it, update times only grow, and a write that changes nothing leaves the
update time as it was.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, TypeAlias
from uuid import uuid4

from attrs import field, frozen
from google.protobuf.timestamp_pb2 import Timestamp
from grpc import StatusCode

from .limits import Refusal, check_document, check_name, invalid
from .values import Value

__all__ = ("Database", "Kept", "Snapshot", "Transaction", "timestamp")

WritePb: TypeAlias = Any
"""A protobuf ``google.firestore.v1.Write``."""


@frozen
class Kept:
    """A document as it is kept. Times are microseconds since 1970."""

    fields: Mapping[str, Value]
    created_us: int
    updated_us: int


Snapshot: TypeAlias = Mapping[str, Kept]
"""All documents at one instant, by their names."""


@frozen(eq=False)
class Transaction:
    """One that has begun: what it has read decides whether it may commit.

    Attributes:
        reads: Everything it has asked, to be asked again of the documents at its commit.
    """

    id: bytes
    read_only: bool
    sees: Snapshot
    began_us: int
    reads: list[tuple[Callable[[Snapshot], Any], Any]] = field(factory=list)

    def read(self, ask: Callable[[Snapshot], Any]) -> Any:
        """Return the answer as of when the transaction began."""
        answer = ask(self.sees)
        self.reads.append((ask, answer))
        return answer


class Database:
    """Keeps documents in a dict.

    Args:
        name: ``projects/…/databases/…``.
        clock: Microseconds since 1970.
    """

    def __init__(
        self, name: str, *, clock: Callable[[], int] = lambda: time.time_ns() // 1_000
    ) -> None:
        self.name: Final = name
        self._clock = clock
        self._last_us = 0
        self._documents: dict[str, Kept] = {}
        self._transactions: dict[bytes, Transaction] = {}
        self._over: set[bytes] = set()
        self._contended: dict[str, int] = {}

    @property
    def documents(self) -> Snapshot:
        """What is there now."""
        return MappingProxyType(self._documents)

    def read_time(self) -> int:
        """Return the time of a read that happens now: not before any commit."""
        self._last_us = max(self._clock(), self._last_us)
        return self._last_us

    def contend(self, name: str, *, times: int = 1) -> None:
        """Let others hold a document just when the next writes to it arrive."""
        self._contended[name] = times

    # --- transactions ----------------------------------------------------------------------

    def begin(self, options: Any) -> Transaction:
        """Begin a transaction that sees the documents as they are now."""
        transaction = Transaction(
            id=uuid4().bytes,
            read_only=options.WhichOneof("mode") == "read_only",
            sees=dict(self._documents),
            began_us=self.read_time(),
        )
        self._transactions[transaction.id] = transaction
        return transaction

    def transaction(self, transaction_id: bytes) -> Transaction:
        """Return a transaction that is under way.

        Raises:
            Refusal: There is none.
        """
        try:
            return self._transactions[transaction_id]
        except KeyError:
            raise invalid("The referenced transaction has expired or is no longer valid.") from None

    def roll_back(self, transaction_id: bytes) -> None:
        """Forget a transaction; one that is over already is forgotten twice.

        Raises:
            Refusal: There never was one.
        """
        if transaction_id not in self._over:
            self._end(self.transaction(transaction_id))

    # --- writes ----------------------------------------------------------------------------

    def commit(
        self, writes: Sequence[WritePb], transaction_id: bytes = b""
    ) -> tuple[int, list[int]]:
        """Do all of *writes* or none; return the time, and each document's update time.

        Raises:
            Refusal: A precondition does not hold, what the transaction has read has changed
                since, or a write is not allowed.
        """
        if transaction_id:
            self._close(self.transaction(transaction_id), writes)
        after = dict(self._documents)
        now_us = max(self._clock(), self._last_us + 1)
        updated = [self._do(write, after, now_us) for write in writes]
        self._documents = after
        self._last_us = now_us
        return now_us, updated

    def write_each(self, writes: Iterable[WritePb]) -> list[int | Refusal]:
        """Do each of *writes* by itself; return its update time, or why it was not done.

        Raises:
            Refusal: Two of them are of one document; none was done.
        """
        writes = list(writes)
        names = [_name(write) for write in writes]
        if len(set(names)) != len(names):
            raise invalid("A document cannot be written to more than once in a batch.")
        outcomes: list[int | Refusal] = []
        for write in writes:
            try:
                outcomes.append(self.commit([write])[1][0])
            except Refusal as refusal:
                outcomes.append(refusal)
        return outcomes

    def _close(self, transaction: Transaction, writes: Sequence[WritePb]) -> None:
        self._end(transaction)
        if transaction.read_only and writes:
            raise invalid("Cannot modify documents in a read-only transaction.")
        if any(ask(self._documents) != answer for ask, answer in transaction.reads):
            raise _contention()

    def _end(self, transaction: Transaction) -> None:
        del self._transactions[transaction.id]
        self._over.add(transaction.id)

    def _do(self, write: WritePb, documents: dict[str, Kept], now_us: int) -> int:
        name = _name(write)
        check_name(name, self.name)
        if self._contended.get(name):
            self._contended[name] -= 1
            raise _contention()
        kept = documents.get(name)
        _check_precondition(write, name, kept)
        if write.WhichOneof("operation") == "delete":
            documents.pop(name, None)
            return now_us
        fields = _fields_after(write, kept)
        check_document(name, fields, self.name)
        if kept is not None and kept.fields == fields:
            return kept.updated_us
        created_us = now_us if kept is None else kept.created_us
        documents[name] = Kept(fields, created_us, now_us)
        return now_us


def timestamp(at_us: int) -> Timestamp:
    """Return microseconds since 1970 as the wire has them."""
    stamp = Timestamp()
    stamp.FromMicroseconds(at_us)
    return stamp


def _contention() -> Refusal:
    return Refusal(StatusCode.ABORTED, "Too much contention on these documents. Please try again.")


def _name(write: WritePb) -> str:
    operation = write.WhichOneof("operation")
    if operation not in ("update", "delete") or write.update_transforms:
        raise Refusal(StatusCode.UNIMPLEMENTED, "Writes here are updates and deletes.")
    name: str = write.update.name if operation == "update" else write.delete
    return name


def _check_precondition(write: WritePb, name: str, kept: Kept | None) -> None:
    condition = write.current_document
    kind = condition.WhichOneof("condition_type")
    if kind == "exists" and not condition.exists:
        if kept is not None:
            raise Refusal(StatusCode.ALREADY_EXISTS, f"Document already exists: {name}")
    elif kind is not None and kept is None:
        raise Refusal(StatusCode.NOT_FOUND, f"No document to update: {name}")
    elif kind == "update_time" and kept is not None:
        expected_ns = condition.update_time.ToNanoseconds()
        if kept.updated_us * 1_000 != expected_ns:
            raise Refusal(
                StatusCode.FAILED_PRECONDITION,
                f"The stored version of {name} does not match the required base version.",
            )


def _fields_after(write: WritePb, kept: Kept | None) -> Mapping[str, Value]:
    if not write.HasField("update_mask"):
        return dict(write.update.fields)
    fields = dict(kept.fields) if kept is not None else {}
    for path in write.update_mask.field_paths:
        if "." in path:
            raise Refusal(StatusCode.UNIMPLEMENTED, "Masks here name whole fields.")
        fields.pop(path, None)
        if path in write.update.fields:
            fields[path] = write.update.fields[path]
    return fields
