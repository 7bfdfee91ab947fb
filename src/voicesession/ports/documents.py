"""
Where documents live: what Firestore and Redis have in common, and no more than that.

The document stores are written against this port alone, so a new key-value medium is one
driver. The rules that every driver keeps (``voicesession.testing.contracts`` tests them):

* A document is a flat mapping of names to text, whole numbers, floats, booleans or None. It
  has a revision, which changes with each write and is never the same again for its key, not
  even after the document was deleted or the medium restarted.
* A batch of writes happens whole, at one instant, or not at all, also when the caller is
  cancelled; each write says which revision it expects.
* A query reads one index that was declared beforehand, and returns whole documents.
* Every method is a checkpoint, and safe to call from many tasks at once.

Any method may raise `StoreUnavailable` (nothing was written) or `StoreTimeout` (the write is
*unknown*: repeat it, the expected revisions make that harmless).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Final, Protocol, Self, TypeAlias, runtime_checkable

from attrs import frozen

from ..core.errors import StoreError

__all__ = (
    "ABSENT",
    "ANY",
    "MAX_BATCH",
    "MAX_WRITES",
    "Body",
    "Check",
    "Delete",
    "DocumentDriver",
    "DocumentKey",
    "DocumentQuery",
    "ForgetfulDriver",
    "Index",
    "Put",
    "RevisionConflict",
    "StoredDocument",
    "Write",
)

Body: TypeAlias = Mapping[str, Any]
"""Names to text, whole numbers from -2^63 to 2^63 - 1, finite floats, booleans or None.

Names are of ``a-z``, ``0-9`` and ``_``, and begin with a letter. Text holds no NUL and no
lone surrogate."""

ABSENT: Final = "absent"
"""Expects that there is no such document."""

ANY: Final = "any"
"""Expects nothing: the last writer wins."""

MAX_BATCH: Final = 100
"""How many documents one call may name, and one page may hold."""

MAX_WRITES: Final = 500
"""How many writes may happen as one."""


@frozen
class DocumentKey:
    """Which document.

    Attributes:
        collection: A name like those in a `Body`.
        id: Any text of 1 to 1 000 bytes in UTF-8, without ``/`` and NUL; a driver whose
            medium reserves some of those texts writes them differently there.
    """

    collection: str
    id: str


@frozen
class StoredDocument:
    """A document as it was read.

    Attributes:
        revision: Opaque; for ``expected`` of a `Write`.
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


@frozen
class Check:
    """Leave what is under *key* alone, and let the batch happen only if it is as expected.

    Attributes:
        expected: The revision that must be stored, or `ABSENT`.
    """

    key: DocumentKey
    expected: str


Write: TypeAlias = Put | Delete | Check


@frozen
class Index:
    """A way to read a collection, declared before the driver is opened.

    Documents that lack a field of the index, or hold None in one of ``order``, are not in it.

    Attributes:
        equal: Fields that a query fixes to one value each: text, whole numbers, booleans or
            None.
        order: Fields by which it is sorted after that, each with whole numbers or with text
            (sorted by its UTF-8); then comes the document's id.
    """

    collection: str
    equal: tuple[str, ...]
    order: tuple[str, ...] = ()


@frozen(kw_only=True)
class DocumentQuery:
    """One page of an index.

    Attributes:
        equal: A value for each field that the index fixes.
        start: At or behind this place in the order: values of ``order``, or the first few
            of them, from the low end. None is the low end itself.
        end: Before this place, in the same form; None is the high end.
        after: Only documents behind this one, in the direction of reading: its values of
            ``order`` and its id. It need not be there any longer.
        descending: From the high end down, ids too.
        limit: At most so many documents; 1 to 100.
    """

    index: Index
    equal: Mapping[str, Any]
    start: tuple[Any, ...] | None = None
    end: tuple[Any, ...] | None = None
    after: tuple[tuple[Any, ...], str] | None = None
    descending: bool = False
    limit: int = MAX_BATCH


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
        """What one document may weigh, names included; None where there is no limit.

        A batch may weigh nine times as much.
        """
        ...

    def declare(self, indexes: Iterable[Index], /) -> None:
        """Say, before opening, by which indexes documents will be read.

        A medium that makes its indexes elsewhere needs to do nothing.
        """
        ...

    async def get(self, keys: Sequence[DocumentKey], /) -> Sequence[StoredDocument | None]:
        """Return the documents under *keys*, in their order; None where there is none.

        All of them as of one instant, with every write that was done before the call. At
        most 100 keys; none are no work.
        """
        ...

    async def write(self, writes: Sequence[Write], /) -> None:
        """Do all of *writes*, at one instant, or none. At most 500, of different keys.

        Raises:
            RevisionConflict: One expected another revision.
            StoreError: A document is too large, or one that no driver could keep.
        """
        ...

    async def write_each(self, writes: Sequence[Write], /) -> Sequence[bool]:
        """Do each of *writes* by itself, and say which were done, in their order.

        Not done are those that expected another revision. At most 100, of different keys, in
        as few round trips as the medium allows. After an error each of them is *unknown*.

        Raises:
            StoreError: As for `write`.
        """
        ...

    async def find(self, query: DocumentQuery, /) -> Sequence[StoredDocument]:
        """Return a page of documents in order, as of one instant.

        It holds every write that was done before the call.
        """
        ...

    async def count(self, index: Index, equal: Mapping[str, Any], /) -> int:
        """Return how many documents have these values for what *index* fixes."""
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


@runtime_checkable
class ForgetfulDriver(DocumentDriver, Protocol):
    """A driver whose medium can forget documents by itself: a capability.

    What is forgotten was never there: no query finds it, and its key may be used again.
    """

    async def forget(self, keys: Sequence[DocumentKey], /, *, after: timedelta | None) -> None:
        """Let the documents under *keys* be forgotten so long from now; with None, never.

        Writing one afterwards changes nothing about that. At most 100 keys; those under
        which there is nothing are passed over.
        """
        ...
