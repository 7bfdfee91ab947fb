"""
Where documents live: what Firestore and Redis have in common, and no more than that.

The document stores are written against this port alone, so a new key-value medium is one
driver. The rules that every driver keeps (``voicesession.testing.contracts`` tests them):

* A document is a flat mapping of names to text, whole numbers, floats, booleans or None. It
  has a revision, which changes with each write and is never the same again for its key.
* A batch of writes happens whole, at one instant, or not at all, also when the caller is
  cancelled; each write says which revision it expects.
* A query reads one index that was declared beforehand, and returns whole documents.
* Every method is a checkpoint, and safe to call from many tasks at once.

Any method may raise `StoreUnavailable` (nothing was written) or `StoreTimeout` (the write is
*unknown*: repeat it, the expected revisions make that harmless).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Final, Protocol, Self, TypeAlias

from attrs import frozen

from ..core.errors import StoreError

__all__ = (
    "ABSENT",
    "ANY",
    "Body",
    "Delete",
    "DocumentDriver",
    "DocumentKey",
    "DocumentQuery",
    "Index",
    "Put",
    "RevisionConflict",
    "StoredDocument",
    "Write",
)

Body: TypeAlias = Mapping[str, Any]
"""Names to text, whole numbers below 2^63, floats, booleans or None."""

ABSENT: Final = "absent"
"""Expects that there is no such document."""

ANY: Final = "any"
"""Expects nothing: the last writer wins."""


@frozen
class DocumentKey:
    """Which document. The id is any text of up to 1 000 bytes in UTF-8, without ``/``."""

    collection: str
    id: str


@frozen
class StoredDocument:
    """A document as it was read.

    Attributes:
        revision: Opaque; for `Put.expected` and `Delete.expected`.
    """

    key: DocumentKey
    body: Body
    revision: str


@frozen
class Put:
    """Store *body* under *key*, in place of what is there.

    Attributes:
        expected: The revision that must be stored; `ABSENT`, or `ANY`.
    """

    key: DocumentKey
    body: Body
    expected: str = ANY


@frozen
class Delete:
    """Make sure that there is no document under *key*.

    Attributes:
        expected: As in `Put`.
    """

    key: DocumentKey
    expected: str = ANY


Write: TypeAlias = Put | Delete


@frozen
class Index:
    """A way to read a collection, declared before the first document is written.

    Documents that lack a field of the index, or hold None in one of ``order``, are not in it.

    Attributes:
        equal: Fields that a query fixes to one value each.
        order: Fields by which it is sorted after that; then comes the document's id.
    """

    collection: str
    equal: tuple[str, ...]
    order: tuple[str, ...]


@frozen(kw_only=True)
class DocumentQuery:
    """One page of an index.

    Attributes:
        equal: A value for each field that the index fixes.
        start: At or behind this place in the order: values of ``order``, or the first few
            of them, from the low end. None is the low end itself.
        end: Before this place; None is the high end.
        after: Only documents behind this one, in the direction of reading: its values of
            ``order`` and its id.
        descending: From the high end down.
        limit: At most so many documents; 1 or more.
    """

    index: Index
    equal: Mapping[str, Any]
    start: tuple[Any, ...] | None = None
    end: tuple[Any, ...] | None = None
    after: tuple[tuple[Any, ...], str] | None = None
    descending: bool = False
    limit: int


class RevisionConflict(StoreError):
    """A document is not at the revision that a write expected; nothing was written."""

    code = "revision_conflict"
    retryable = True

    def __init__(self, collection: str, document_id: str) -> None:
        super().__init__(collection, document_id)
        self.collection = collection
        self.document_id = document_id

    def __str__(self) -> str:
        return f"{self.collection}/{self.document_id} is no longer as it was read"


class DocumentDriver(Protocol):
    """Keeps documents. Opens at ``async with``, and closes what it opened."""

    @property
    def largest_document_bytes(self) -> int | None:
        """What one document may weigh, names included; None where there is no limit."""
        ...

    async def get(self, keys: Sequence[DocumentKey], /) -> Sequence[StoredDocument | None]:
        """Return the documents under *keys*, in their order; None where there is none.

        All of them as of one instant.
        """
        ...

    async def write(self, writes: Iterable[Write], /) -> None:
        """Do all of *writes*, at one instant, or none. At most 100, of different keys.

        Raises:
            RevisionConflict: One expected another revision.
            StoreError: A document is too large, or one that no driver could keep.
        """
        ...

    async def find(self, query: DocumentQuery, /) -> Sequence[StoredDocument]:
        """Return a page of documents in order.

        It holds every write that was done before the call.
        """
        ...

    async def now(self) -> datetime:
        """Return the time as the medium has it, or this machine's where it has none."""
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None: ...
