"""Objects as files under a folder of this disk."""

from __future__ import annotations

import heapq
import os
import tempfile
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from fcntl import LOCK_EX, LOCK_NB, flock
from os.path import realpath
from pathlib import Path
from typing import Final

from anyio import to_thread

from ..core.errors import InvalidValue, StoreError
from ..ports.objects import ObjectNotFound, StoredObject
from .folders import make_folder, sync_folder
from .keys import check_key, check_page, check_range, is_key

__all__ = ("FileObjectStore",)

_ABSENT: Final = (FileNotFoundError, NotADirectoryError, IsADirectoryError)
"""What it looks like on a disk when there is no such object."""


class FileObjectStore:
    """Keeps each object as the file ``{root}/{key}``: files 0600, folders 0700.

    An object is written under a temporary name, made durable, then given its own. What a
    crash leaves under a temporary name is removed with the next write of the same key.
    """

    def __init__(self, root: Path) -> None:
        """Prepare; touches nothing yet.

        Args:
            root: Made at the first write. No key leads out of it, nor does a link in it.
        """
        self._root = root.absolute()

    async def put(self, key: str, data: bytes, /) -> str:
        """See ``ObjectStore.put``. The URI is a ``file:`` one."""
        return await self.put_pieces(key, (data,))

    async def put_pieces(self, key: str, pieces: Iterable[bytes], /) -> str:
        """See ``ObjectStore.put_pieces``."""
        check_key(key)
        return await to_thread.run_sync(self._put, key, pieces)

    async def get(self, key: str, /, *, start: int = 0, end: int | None = None) -> bytes:
        """See ``ObjectStore.get``."""
        check_key(key)
        check_range(start, end)
        return await to_thread.run_sync(self._get, key, start, end)

    async def find(
        self, prefix: str = "", /, *, after: str = "", limit: int = 1_000
    ) -> Sequence[StoredObject]:
        """See ``ObjectStore.find``. It looks at every file in the folder of the prefix."""
        check_page(prefix, limit)
        return await to_thread.run_sync(self._find, prefix, after, limit)

    async def delete(self, key: str, /) -> None:
        """See ``ObjectStore.delete``. Folders that become empty are removed, too."""
        check_key(key)
        await to_thread.run_sync(self._delete, key)

    # --- in a worker thread ------------------------------------------------------------------

    def _put(self, key: str, pieces: Iterable[bytes]) -> str:
        path = self._path(key)
        with _storing(key):
            _remove_leftovers(path)
            temporary, name = _temporary(path)
        try:
            for piece in pieces:  # outside of _storing: an error of theirs stays theirs
                with _storing(key):
                    _write_all(temporary, piece)
            with _storing(key):
                os.fsync(temporary)
                Path(name).replace(path)
                sync_folder(path.parent)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        finally:
            os.close(temporary)
        return path.as_uri()

    def _get(self, key: str, start: int, end: int | None) -> bytes:
        path = self._path(key)
        with _reading(key):
            file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                size_bytes = os.fstat(file).st_size
                return _read(file, start, size_bytes if end is None else min(end, size_bytes))
            finally:
                os.close(file)

    def _find(self, prefix: str, after: str, limit: int) -> list[StoredObject]:
        folder = prefix.rpartition("/")[0]
        start = self._root.joinpath(folder) if folder else self._root
        with _storing(prefix):
            found = (
                (path.relative_to(self._root).as_posix(), stat) for path, stat in _files(start)
            )
            wanted = (
                (key, stat.st_size, stat.st_mtime)
                for key, stat in found
                if key.startswith(prefix) and key > after and is_key(key)
            )
            return [
                StoredObject(key, size_bytes, datetime.fromtimestamp(kept_at_s, UTC))
                for key, size_bytes, kept_at_s in heapq.nsmallest(limit, wanted)
            ]

    def _delete(self, key: str) -> None:
        path = self._path(key)
        with _storing(key):
            _remove_leftovers(path)
            with suppress(*_ABSENT):
                path.unlink()
            # Even if it was gone: whoever removed it may have died before this.
            with suppress(*_ABSENT):
                sync_folder(path.parent)
        with suppress(OSError):  # the first that is not empty, or not ours, ends it
            for folder in path.parents:
                if folder == self._root:
                    break
                folder.rmdir()

    def _path(self, key: str) -> Path:
        path = self._root.joinpath(*key.split("/"))
        # Not Path.resolve(), which takes a loop of links for a RuntimeError.
        folder, root = realpath(path.parent), realpath(self._root)
        if not Path(folder).is_relative_to(root):
            raise InvalidValue("key", key, "no link that leads out of the store")
        return path


def _temporary(path: Path) -> tuple[int, str]:
    """Return a new file beside *path*, locked as long as somebody writes it."""
    while True:
        make_folder(path.parent)
        with suppress(FileNotFoundError):  # the folder was empty, and somebody removed it
            file, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
            flock(file, LOCK_EX)
            if os.fstat(file).st_nlink:
                return file, name
            os.close(file)  # taken for a leftover before the lock was there


def _remove_leftovers(path: Path) -> None:
    for leftover in path.parent.glob(f".{path.name}.*.tmp"):
        with suppress(FileNotFoundError, BlockingIOError), leftover.open("rb") as file:
            flock(file, LOCK_EX | LOCK_NB)
            leftover.unlink()


def _files(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    try:
        entries = list(os.scandir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from _files(Path(entry))
        elif entry.is_file(follow_symlinks=False):
            with suppress(FileNotFoundError):  # removed since it was listed
                yield Path(entry), entry.stat()


@contextmanager
def _reading(key: str) -> Generator[None]:
    with _storing(key):
        try:
            yield
        except _ABSENT as error:
            raise ObjectNotFound(key) from error


@contextmanager
def _storing(key: str) -> Generator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(f"{key}: {error}") from error


def _write_all(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]


def _read(file: int, start: int, end: int) -> bytes:
    pieces: list[bytes] = []
    while start < end and (piece := os.pread(file, end - start, start)):
        pieces.append(piece)
        start += len(piece)
    return b"".join(pieces)
