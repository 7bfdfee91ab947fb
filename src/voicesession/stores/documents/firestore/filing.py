"""
How documents stand in Firestore: their names, their fields and their revisions.

An id stands behind a ``=``, because some ids are reserved there (``.``, ``..``, ``__x__``); as
all of them have it, they sort as they do without. The fields are those of the body, and two
that no body can have:

``_stamp``
    Drawn anew for each batch. It tells our own write from somebody else's when an answer is
    lost, and gives a document with the same content another revision: Firestore leaves the
    update time alone when nothing has changed.
``_absent``
    The fields that are None and by which the collection is sorted. To Firestore null is a
    value, and comes first; to us such a document is not in the index, so the field is left out.

A revision is the update time, in nanoseconds since 1970.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final
from uuid import uuid4

from attrs import frozen

from ....core.errors import InvalidValue
from ....ports.documents import (
    ABSENT,
    ANY,
    Body,
    Check,
    Delete,
    DocumentKey,
    Index,
    Put,
    StoredDocument,
    Write,
)
from .library import DocumentPb, TimestampPb, ValuePb, types, wrapped

__all__ = (
    "BOOKKEEPING_BYTES",
    "BOOKKEEPING_FIELDS",
    "Filing",
    "drawn_stamp",
    "is_revision",
    "sorting_fields",
    "stamp_of",
    "value_pb",
)

_STAMP: Final = "_stamp"
_ABSENT: Final = "_absent"

BOOKKEEPING_FIELDS: Final = (_STAMP, _ABSENT)
"""What every document may have beside its body."""

BOOKKEEPING_BYTES: Final = 4_096
"""No document weighs so much more in Firestore than it does by itself."""

_ID_MARK: Final = "="


@frozen(kw_only=True)
class Filing:
    """Where documents are put, and in which form.

    Attributes:
        database: ``projects/…/databases/…``.
        prefix: Stands before the name of each collection.
        sorted_by: Collections to the fields that they are sorted by.
    """

    database: str
    prefix: str
    sorted_by: Mapping[str, frozenset[str]]

    @property
    def root(self) -> str:
        """What the collections lie under."""
        return f"{self.database}/documents"

    def collection(self, collection: str) -> str:
        """Return what a collection is called there."""
        return f"{self.prefix}{collection}"

    def name(self, key: DocumentKey) -> str:
        """Return the full name of a document."""
        return f"{self.root}/{self.collection(key.collection)}/{_ID_MARK}{key.id}"

    def stored(self, document: Any, collection: str) -> StoredDocument:
        """Return a document as it was put. *document* is one of Firestore's messages."""
        body = {
            name: _value(value)
            for name, value in document.fields.items()
            if name not in BOOKKEEPING_FIELDS
        }
        if _ABSENT in document.fields:
            body |= {
                absent.string_value: None for absent in document.fields[_ABSENT].array_value.values
            }
        document_id = document.name.rpartition("/")[2].removeprefix(_ID_MARK)
        revision = str(document.update_time.ToNanoseconds())
        return StoredDocument(
            DocumentKey(collection, document_id), MappingProxyType(body), revision
        )

    def message(self, write: Write, stamp: bytes) -> types.Write:
        """Return *write* as Firestore is told of it.

        A check is a write that changes nothing. What it expects must be `is_revision`, or one
        of the two words for it.
        """
        name = self.name(write.key)
        expected = _precondition(write.expected)
        match write:
            case Put(key, body):
                fields = self._fields(key.collection, body, stamp)
                return types.Write(
                    update=wrapped(DocumentPb(name=name, fields=fields)),
                    current_document=expected,
                )
            case Delete():
                return types.Write(delete=name, current_document=expected)
            case Check() if write.expected == ABSENT:
                return types.Write(delete=name, current_document=expected)
            case Check():
                # A mask without fields: nothing is replaced, and the update time stays.
                return types.Write(
                    update=types.Document(name=name),
                    update_mask=types.DocumentMask(),
                    current_document=expected,
                )

    def _fields(self, collection: str, body: Body, stamp: bytes) -> dict[str, Any]:
        sorting = self.sorted_by.get(collection, frozenset())
        absent = [name for name, value in body.items() if value is None and name in sorting]
        fields = {name: value_pb(value) for name, value in body.items() if name not in absent}
        fields[_STAMP] = ValuePb(bytes_value=stamp)
        if absent:
            fields[_ABSENT] = ValuePb(array_value={"values": [value_pb(name) for name in absent]})
        return fields


def sorting_fields(indexes: Iterable[Index]) -> Mapping[str, frozenset[str]]:
    """Return, for each collection, the fields that one of *indexes* sorts it by.

    Raises:
        InvalidValue: Another fixes one of them: of a None in it, the one must know and the
            other must not.
    """
    fixed: set[tuple[str, str]] = set()
    sorting: dict[str, frozenset[str]] = {}
    for index in indexes:
        fixed |= {(index.collection, name) for name in index.equal}
        sorting[index.collection] = sorting.get(index.collection, frozenset()).union(index.order)
    for collection, names in sorting.items():
        for name in sorted(names):
            if (collection, name) in fixed:
                raise InvalidValue(
                    "indexes", f"{collection}.{name}", "fields to fix, or to sort by"
                )
    return sorting


def drawn_stamp() -> bytes:
    """Return a stamp that nobody has drawn before."""
    return uuid4().bytes


def stamp_of(document: Any) -> bytes:
    """Return the stamp of a document of Firestore's; empty if it has none."""
    stamp: bytes = document.fields[_STAMP].bytes_value if _STAMP in document.fields else b""
    return stamp


def is_revision(expected: str) -> bool:
    """Return whether a stored document can have this revision."""
    return expected.isascii() and expected.isdigit() and str(int(expected)) == expected


def value_pb(value: Any) -> Any:
    """Return a value of a body as Firestore's message."""
    if value is None:
        return ValuePb(null_value=0)
    if isinstance(value, bool):
        return ValuePb(boolean_value=value)
    if isinstance(value, int):
        return ValuePb(integer_value=value)
    if isinstance(value, float):
        return ValuePb(double_value=value)
    return ValuePb(string_value=value)


def _value(message: Any) -> Any:
    kind = message.WhichOneof("value_type")
    return None if kind == "null_value" else getattr(message, kind)


def _precondition(expected: str) -> types.Precondition | None:
    if expected == ANY:
        return None
    if expected == ABSENT:
        return types.Precondition(exists=False)
    at = TimestampPb()
    at.FromNanoseconds(int(expected))
    return types.Precondition(update_time=at)
