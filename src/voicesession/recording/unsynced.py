"""What was written and may not survive a power cut yet."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from attrs import frozen

from .folders import sync_folder

__all__ = ("Unsynced",)

# macOS has no fdatasync.
_fdatasync: Final = getattr(os, "fdatasync", os.fsync)
_READ: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW


@frozen(kw_only=True)
class Unsynced:
    """Files of a spool; whoever has them may make them durable, in whichever thread.

    Attributes:
        folder: Where they are.
        paths: Of those that were written. Plain texts, as there is one sync after the other
            and the disk takes its time: each finds the caches cold, and should not do much.
        has_new: Whether some of them were made, too.
    """

    folder: Path
    paths: tuple[str, ...]
    has_new: bool

    def sync(self) -> None:
        """Make them durable. Where the spool was removed meanwhile, nothing has to be.

        Raises:
            OSError: What was written may not survive a power cut.
        """
        with suppress(FileNotFoundError):
            if self.has_new:
                sync_folder(self.folder)
            for path in self.paths:
                file = os.open(path, _READ)
                try:
                    _fdatasync(file)
                finally:
                    os.close(file)
