"""Folders that only their owner can enter, and names in them that survive a power cut."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

__all__ = ("make_folder", "sync_folder")


def make_folder(folder: Path) -> None:
    """Make sure that *folder* is there; what is new of its path is 0700, and durable.

    Raises:
        OSError: It cannot be made.
    """
    # Path.mkdir would give the parents it makes whatever mode the umask leaves.
    if not folder.is_dir():
        make_folder(folder.parent)
        with suppress(FileExistsError):  # somebody else makes it too; or the next line tells
            folder.mkdir(mode=0o700)
            sync_folder(folder.parent)
        if not folder.is_dir():
            raise NotADirectoryError(f"{folder} is not a folder")


def sync_folder(folder: Path) -> None:
    """Make durable which names *folder* has.

    Raises:
        OSError: It could not be done, or there is no such folder.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
