"""Where finished things are kept for good: files of any size under keys."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from attrs import frozen

from ..core.errors import StoreError

__all__ = ("ObjectNotFound", "ObjectStore", "StoredObject")


class ObjectNotFound(StoreError):
    """There is no object under this key."""

    code = "object_not_found"

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key

    def __str__(self) -> str:
        return f"there is no object {self.key}"


@frozen
class StoredObject:
    """What a listing says of one object."""

    key: str
    size_bytes: int


class ObjectStore(Protocol):
    """Keeps objects whole: one is there, and durable, or it is not there at all.

    A key is a path of 1 to 1 024 characters: segments of ``A-Z a-z 0-9 _ . : = @ + -``
    joined by ``/``, none longer than 200, none empty or only dots; the first does not begin
    with a dot. Every method raises InvalidValue for any other key. Keys are told apart by case.
    """

    async def put(self, key: str, data: bytes, /) -> str:
        """Keep *data* under *key*, in place of what was there; return its URI.

        When it returns, the object is durable. Of two at once, one holds, whole.

        Raises:
            StoreError: It could not be kept; what was there before still is.
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
            after: Only keys behind this one: the last of the page before.
            limit: At most so many; 1 or more.
        """
        ...

    async def delete(self, key: str, /) -> None:
        """Make sure that nothing is under *key*, durably. Twice is harmless.

        Raises:
            StoreError: It could not be removed.
        """
        ...
