"""What a driver may be asked for, refused in the same words by all of them."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from ...core.errors import InvalidValue, StoreError
from ...core.text import storable_text
from ...ports.documents import (
    ABSENT,
    ANY,
    MAX_BATCH,
    MAX_WRITES,
    Body,
    DocumentKey,
    DocumentQuery,
    Index,
    Put,
    Write,
)

__all__ = (
    "LARGEST_BATCH",
    "batch_bytes",
    "checked_count",
    "checked_keys",
    "checked_query",
    "checked_writes",
    "document_bytes",
    "is_as_expected",
)

LARGEST_BATCH: Final = 9
"""How many of the largest documents a batch may weigh."""

_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")
_LONGEST_ID: Final = 1_000
_WHOLE_NUMBERS: Final = range(-(2**63), 2**63)


def checked_keys(keys: Sequence[DocumentKey]) -> Sequence[DocumentKey]:
    """Return *keys* as they are.

    Raises:
        InvalidValue: They are too many, or one names no document.
    """
    if len(keys) > MAX_BATCH:
        raise InvalidValue("keys", len(keys), f"at most {MAX_BATCH} documents")
    for key in keys:
        _check_key(key)
    return keys


def checked_writes(
    writes: Sequence[Write], largest_bytes: int | None, *, most: int = MAX_WRITES
) -> Sequence[Write]:
    """Return *writes* as they are.

    Args:
        largest_bytes: What one document may weigh on the medium.
        most: How many there may be.

    Raises:
        InvalidValue: They are too many, name a document twice, or one could not be kept.
        StoreError: They are too large.
    """
    if len(writes) > most:
        raise InvalidValue("writes", len(writes), f"at most {most}")
    for write in writes:
        _check_key(write.key)
    if len({write.key for write in writes}) != len(writes):
        raise InvalidValue("writes", len(writes), "each of another document")
    for write in writes:
        if isinstance(write, Put):
            _check_body(write, largest_bytes)
    if (
        largest_bytes is not None
        and (weight := batch_bytes(writes)) > LARGEST_BATCH * largest_bytes
    ):
        raise StoreError(
            f"{len(writes)} documents weigh {weight} bytes together; "
            f"at most {LARGEST_BATCH * largest_bytes} can be written at once"
        )
    return writes


def checked_query(query: DocumentQuery, declared: Collection[Index]) -> DocumentQuery:
    """Return *query* as it is.

    Raises:
        InvalidValue: Its index is not declared, or it does not fit the index.
    """
    checked_count(query.index, query.equal, declared)
    if not 1 <= query.limit <= MAX_BATCH:
        raise InvalidValue("limit", query.limit, f"1 to {MAX_BATCH}")
    return query


def checked_count(index: Index, equal: Mapping[str, Any], declared: Collection[Index]) -> None:
    """Do nothing if documents can be counted so.

    Raises:
        InvalidValue: The index is not declared, or *equal* does not fit it.
    """
    if index not in declared:
        raise InvalidValue("index", index, "one that was declared")
    if set(equal) != set(index.equal):
        raise InvalidValue("equal", sorted(equal), f"values for {sorted(index.equal)}")


def is_as_expected(expected: str, revision: str | None) -> bool:
    """Return whether a document at *revision* (None: there is none) is what a write expects."""
    if expected == ANY:
        return True
    return revision is None if expected == ABSENT else expected == revision


def document_bytes(key: DocumentKey, body: Body) -> int:
    """Return what a document weighs, by the rule of Firestore, which is the strictest.

    https://firebase.google.com/docs/firestore/storage-size
    """
    name = len(key.collection) + 1 + len(key.id.encode()) + 1 + 16
    return name + 32 + sum(len(field) + 1 + _value_bytes(value) for field, value in body.items())


def batch_bytes(writes: Iterable[Write]) -> int:
    """Return what the documents weigh together that *writes* put."""
    return sum(document_bytes(put.key, put.body) for put in writes if isinstance(put, Put))


def _value_bytes(value: Any) -> int:
    if isinstance(value, str):
        return len(value.encode()) + 1
    return 1 if value is None or isinstance(value, bool) else 8


def _check_body(put: Put, largest_bytes: int | None) -> None:
    for name, value in put.body.items():
        if not _NAME.fullmatch(name):
            raise InvalidValue("body", name, "names of a-z, 0-9 and _")
        _check_value(name, value)
    if largest_bytes is not None and (weight := document_bytes(put.key, put.body)) > largest_bytes:
        raise StoreError(
            f"{put.key.collection}/{put.key.id} weighs {weight} bytes, "
            f"and a document may weigh {largest_bytes}"
        )


def _check_key(key: DocumentKey) -> None:
    if not _NAME.fullmatch(key.collection):
        raise InvalidValue("collection", key.collection, "a name of a-z, 0-9 and _")
    storable_text(key.id, "document id")
    if "/" in key.id or not 1 <= len(key.id.encode()) <= _LONGEST_ID:
        raise InvalidValue("document id", key.id, f"1 to {_LONGEST_ID} bytes without /")


def _check_value(name: str, value: Any) -> None:
    if isinstance(value, str):
        storable_text(value, name)
    elif isinstance(value, int):
        if value not in _WHOLE_NUMBERS:
            raise InvalidValue(name, value, "a whole number from -2^63 to 2^63 - 1")
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise InvalidValue(name, value, "a finite number")
    elif value is not None:
        raise InvalidValue(name, type(value).__name__, "text, a number, a boolean or None")
