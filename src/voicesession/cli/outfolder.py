"""The folder that the demo leaves behind: with a session in it, or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote

from .failures import WrongUse

__all__ = ("OutFolder", "claimed")

_DATABASE: Final = "voice.db"
_RECORDINGS: Final = "recordings"
_OURS: Final = (_DATABASE, f"{_DATABASE}-wal", f"{_DATABASE}-shm", _RECORDINGS)


class OutFolder:
    """Where the results lie."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.is_kept = False

    @property
    def recordings(self) -> Path:
        """Audio and transcripts, a folder for each session."""
        return self.path / _RECORDINGS

    @property
    def store_url(self) -> str:
        """The SQLite file with the sessions of every demo here, as ``--store`` takes it."""
        return f"sqlite:///{quote(str(self.path / _DATABASE))}"

    def keep(self) -> None:
        """Say that there is something in it now."""
        self.is_kept = True


@contextmanager
def claimed(path: Path) -> Generator[OutFolder]:
    """Make the folder, and what leads to it; what was made is gone again unless it is kept.

    Raises:
        WrongUse: It cannot be made, or not be written to.
    """
    path = path.absolute()
    made = [place for place in (path, *path.parents) if not place.exists()]
    new = [place for name in _OURS if not (place := path / name).exists()]
    folder = OutFolder(path)
    try:
        _make_writable(path)
        yield folder
    finally:
        if not folder.is_kept:
            _remove([*new, *made])


def _make_writable(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
        # Permissions alone do not tell, least of all to root.
        tempfile.TemporaryFile(dir=path).close()
    except OSError as error:
        raise WrongUse(f"{path}: cannot be written to: {error.strerror}") from error


def _remove(places: list[Path]) -> None:
    for place in places:
        if place.is_dir():
            shutil.rmtree(place, ignore_errors=True)
        elif place.exists():
            place.unlink()
