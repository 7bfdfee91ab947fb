"""
Where finished things are kept for good: files of any size under keys.

``ObjectStore`` is what every store does. What only some can do stands in a protocol of
its own, and ``isinstance`` tells who can: ``BulkDeletion``, ``SignedUrls``,
``UnfinishedUploads``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Protocol, runtime_checkable

from attrs import field, frozen

from ..core.errors import StoreError
from ..core.instants import as_utc

__all__ = (
    "BulkDeletion",
    "CredentialsExpired",
    "ObjectNotFound",
    "ObjectStore",
    "SignedUrls",
    "StoreAccessDenied",
    "StoredObject",
    "UnfinishedUpload",
    "UnfinishedUploads",
)


class ObjectNotFound(StoreError):
    """There is no object under this key."""

    code = "object_not_found"

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key

    def __str__(self) -> str:
        return f"there is no object {self.key}"


class StoreAccessDenied(StoreError):
    """The store does not let *us* in, whoever asked us: its credentials or rules are wrong."""

    code = "store_access_denied"


class CredentialsExpired(StoreAccessDenied):
    """Our credentials were good once; with fresh ones the same call may succeed."""

    code = "store_credentials_expired"
    retryable = True


@frozen
class StoredObject:
    """What a listing says of one object.

    Attributes:
        kept_at: When it was put, by the store's own clock. Two that differ in nothing else
            are equal.
    """

    key: str
    size_bytes: int
    kept_at: datetime = field(converter=as_utc, eq=False)


class ObjectStore(Protocol):
    """Keeps objects whole: one is there, and durable, or it is not there at all.

    A key is a path of 1 to 900 characters: segments of ``A-Z a-z 0-9 _ . : = @ + -`` joined
    by ``/``, none longer than 200, none empty or only dots; neither the first nor the last
    begins with a dot. Every method raises InvalidValue for any other key. Keys are told
    apart by case.
    """

    async def put(self, key: str, data: bytes, /) -> str:
        """Keep *data* under *key*, in place of what was there; return its URI.

        When it returns, the object is durable. Of two at once, one holds, whole.

        Raises:
            StoreError: It could not be kept; what was there before still is.
            StoreTimeout: No answer in time: one or the other is there, whole.
        """
        ...

    async def put_pieces(self, key: str, pieces: Iterable[bytes], /) -> str:
        """Keep all *pieces*, one after the other, as ``put`` does, in bounded memory.

        They are taken once, in another thread, and may come from a disk. An error that
        they raise comes out of here, and nothing is kept.
        """
        ...

    async def get(self, key: str, /, *, start: int = 0, end: int | None = None) -> bytes:
        """Return the bytes from *start* up to, not with, *end*; None is the object's end.

        What lies beyond the object is left out.

        Raises:
            ObjectNotFound: There is none.
            InvalidValue: *start* is negative, or *end* lies before it.
            StoreError: It could not be read.
        """
        ...

    async def find(
        self, prefix: str = "", /, *, after: str = "", limit: int = 1_000
    ) -> Sequence[StoredObject]:
        """Return the objects whose key begins with *prefix*, in order of their keys.

        Args:
            prefix: The beginning of a key: InvalidValue where no key begins so.
            after: Only keys behind this one: the last of the page before.
            limit: At most so many; 1 or more. Fewer come only where there are no more.

        Raises:
            StoreError: They could not be listed.
        """
        ...

    async def delete(self, key: str, /) -> None:
        """Make sure that nothing is under *key*, durably. Twice is harmless.

        Where the store keeps former versions, they go as well.

        Raises:
            StoreError: It could not be removed.
        """
        ...


@runtime_checkable
class BulkDeletion(Protocol):
    """A store that removes many objects for little more than the price of one."""

    async def delete_all(self, keys: Sequence[str], /) -> None:
        """Make sure that nothing is under any of *keys*, durably. Twice is harmless.

        In which order they go is not said. Former versions go as well.

        Raises:
            InvalidValue: One of them is no key; nothing was removed.
            StoreError: Some of them could not be removed.
        """
        ...


@runtime_checkable
class SignedUrls(Protocol):
    """A store whose objects can be fetched by whoever is given a URL."""

    async def signed_url(
        self, key: str, /, *, expires_in: timedelta, filename: str | None = None
    ) -> str:
        """Return a URL that answers GET, with ranges, until *expires_in* has passed.

        It does not look whether the object is there. Who has the URL has the object: it is
        as secret as the object itself.

        Args:
            expires_in: 1 second to 7 days; earlier, where our own credentials end before.
            filename: The name a browser saves it under; None lets the browser show it.

        Raises:
            InvalidValue: *expires_in* is out of its range, or *filename* names no file.
            StoreError: There are no credentials to sign it with.
        """
        ...


@frozen(kw_only=True)
class UnfinishedUpload:
    """What was begun under *key* and is no object: half of one, or a whole one soon.

    Attributes:
        upload_id: The store's own name for it.
        begun_at: By the store's clock.
    """

    key: str
    upload_id: str
    begun_at: datetime = field(converter=as_utc)


@runtime_checkable
class UnfinishedUploads(Protocol):
    """A store in which a crash leaves halves of objects behind, unseen by ``find``."""

    async def unfinished_uploads(
        self, prefix: str = "", /, *, begun_before: datetime
    ) -> Sequence[UnfinishedUpload]:
        """Return those under keys that begin with *prefix*, in order of their keys.

        What somebody is just writing is among them: choose *begun_before* long enough ago.

        Raises:
            InvalidValue: No key begins with *prefix*, or the instant has no time zone.
            StoreError: They could not be listed.
        """
        ...

    async def abort_upload(self, upload: UnfinishedUpload, /) -> None:
        """Make sure that nothing is left of *upload*. Twice is harmless.

        Whoever is just writing it gets a StoreError. An object that it has become stays.

        Raises:
            StoreError: It could not be removed.
        """
        ...
