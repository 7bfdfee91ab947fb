"""
The audio of one recording on this disk, while it is made.

    {root}/open/{session_id}/notes.jsonl    who it is, cuts, masks; locked while it is owned
                             user.s16       each voice as s16 mono, at its place in media
                             agent.s16      time; what was not written is a hole: silence
    {root}/gone/                            what is being removed

The lock tells whether the owner lives: the system drops it with the process. A spool is
removed by renaming its folder away first, so that half a spool is never taken for one.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from errno import ENOTEMPTY
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path
from typing import Final

from ..core.audio import AudioFormat
from ..core.errors import RecordingFailed
from ..core.results import SessionFolder
from ..core.timeline import Span, Track, merged, without
from ..ports.recording import RecordedElsewhere
from .folders import make_folder, sync_folder
from .losses import Losses
from .notes import Notes, line, lost, read_notes
from .unsynced import Unsynced

__all__ = (
    "FOREVER",
    "FRAME_BYTES",
    "Spool",
    "SpoolIsOwned",
    "claim_spool",
    "left_spools",
    "open_spool",
    "remove_spool",
    "sweep",
)

FRAME_BYTES: Final = 2
_NOTES: Final = "notes.jsonl"
_SAMPLES: Final = {track: f"{track}.s16" for track in Track}
FOREVER: Final = 1 << 60
"""A frame behind all others."""
_WIPE_BYTES: Final = 1 << 16
_READ_WRITE: Final = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW


class SpoolIsOwned(RecordedElsewhere):
    """Somebody who lives has this spool."""


class Spool:
    """One recording's files. It belongs to one thread at a time, and holds the lock."""

    def __init__(self, folder: Path, notes_file: int, notes: Notes, notes_end: int) -> None:
        self.notes = notes
        self._folder = folder
        self._notes_file = notes_file
        self._notes_end = notes_end
        self._format = AudioFormat(sample_rate=notes.sample_rate)
        self._files: dict[Track, int] = {}
        self._unsynced = {_NOTES}
        self._has_new_names = True
        for track in Track:
            with suppress(FileNotFoundError):
                self._files[track] = os.open(folder / _SAMPLES[track], _READ_WRITE)
        self._silenced = self._silences()

    @property
    def is_unsynced(self) -> bool:
        """Whether anything was written since the last `take_unsynced`."""
        return bool(self._unsynced)

    def has(self, track: Track) -> bool:
        """Return whether anything was ever written for *track*."""
        return track in self._files

    def end_frame(self, track: Track) -> int:
        """Return the media frame up to which *track* goes."""
        if track not in self._files:
            return 0
        return os.fstat(self._files[track]).st_size // FRAME_BYTES

    def write(self, track: Track, first_frame: int, samples: bytes) -> None:
        """Keep s16 *samples* at their place, but for what lies in a cut or under a mask.

        Raises:
            OSError: The medium did not take them all; ``end_frame`` shows how far it got.
        """
        noted = self.notes.first_frame
        if noted is None or first_frame < noted:
            self._note("first_frame", first_frame)
        self._put(track, first_frame, samples)

    def fill(self, track: Track, first_frame: int, samples: bytes) -> None:
        """Keep a copy of what was kept elsewhere, likewise.

        Raises:
            OSError: The medium did not take it all.
        """
        self._put(track, first_frame, samples)

    def own_frames(self, track: Track) -> range:
        """Return the media frames of *track* that were written here."""
        first = self.notes.first_frame
        return range(0) if first is None else range(first, max(first, self.end_frame(track)))

    def read(self, track: Track, frames: range) -> bytes:
        """Return *frames* of *track*; holes, and what lies beyond its end, are silence."""
        offset, left = frames.start * FRAME_BYTES, len(frames) * FRAME_BYTES
        found: list[bytes] = []
        while left and track in self._files:
            more = os.pread(self._files[track], left, offset)
            if not more:
                break
            found.append(more)
            offset, left = offset + len(more), left - len(more)
        if left:
            found.append(bytes(left))
        return b"".join(found)

    def pause(self, at_us: int) -> None:
        """Begin a cut; wipe what lies behind it already."""
        self._note("pause", at_us)
        self._wipe(range(self._format.nearest_frame(at_us), FOREVER))

    def resume(self, at_us: int) -> None:
        """End the cut."""
        self._note("resume", at_us)

    def mask(self, span: Span) -> None:
        """Make *span* silent, for what is there and for what comes."""
        self._note("mask", [span.from_us, span.to_us])
        nearest = self._format.nearest_frame
        self._wipe(range(nearest(span.from_us), nearest(span.to_us)))

    def note_losses(self, losses: Losses) -> None:
        """Keep in mind what was lost so far."""
        self._note("lost", lost(losses.gaps, losses.problems))

    def cut(self, span: Span) -> None:
        """Leave *span* out of the file: somebody else has made this cut."""
        self._note("cut", [span.from_us, span.to_us])

    def adopt(self, others: Notes) -> None:
        """Keep in mind what another owner has left out, silenced and begun to finish."""
        for cut in others.cuts:
            if cut not in self.notes.cuts:
                self.cut(cut)
        for mask in others.masks:
            if mask not in self.notes.masks:
                self._note("mask", [mask.from_us, mask.to_us])
        if others.keys and not self.notes.keys:
            self._note("keys", list(others.keys))

    def note_checkpoint(self, checkpoint: int) -> None:
        """Keep in mind that something of *checkpoint* is sent, whether it arrives or not."""
        self._note("checkpoint", checkpoint)

    def note_closed(self, duration_us: int | None) -> None:
        """Keep in mind how long its owner says it is; None where it goes on after all."""
        self._note("closed", duration_us)

    def note_keys(self, keys: tuple[str, ...]) -> None:
        """Keep in mind, durably, which objects it becomes: they may be written from now on."""
        self._note("keys", list(keys))
        os.fsync(self._notes_file)

    def take_unsynced(self) -> Unsynced:
        """Return what was written since the last time, to be made durable."""
        names, self._unsynced = self._unsynced, set[str]()
        has_new, self._has_new_names = self._has_new_names, False
        paths = tuple(str(self._folder / name) for name in names)
        return Unsynced(folder=self._folder, paths=paths, has_new=has_new)

    def take_back(self, unsynced: Unsynced) -> None:
        """Let the names of new files be synced once more: it has failed."""
        self._has_new_names |= unsynced.has_new

    def remove(self) -> None:
        """Leave nothing, and let go. A crash on the way leaves nothing to recover.

        Raises:
            OSError: Something is left, in the folder of what is being removed.
        """
        _remove(self._folder)
        self.release()

    def release(self) -> None:
        """Let go of the files and the lock; what was written stays. Twice is harmless."""
        self._unsynced.clear()
        files, self._files = self._files, {}
        for file in files.values():
            os.close(file)
        if self._notes_file >= 0:
            os.close(self._notes_file)
            self._notes_file = -1

    def _note(self, name: str, value: object) -> None:
        # In memory first: what the disk cannot take still counts for a close.
        self.notes = self.notes.after(name, value)
        self._silenced = self._silences()
        self._unsynced.add(_NOTES)
        text = line(name, value)
        _write_all(self._notes_file, text, self._notes_end)
        self._notes_end += len(text)

    def _put(self, track: Track, first_frame: int, samples: bytes) -> None:
        file = self._files.get(track)
        if file is None:
            path = self._folder / _SAMPLES[track]
            file = self._files[track] = os.open(path, _READ_WRITE | os.O_CREAT, 0o600)
            self._has_new_names = True
        self._unsynced.add(_SAMPLES[track])
        if not self._silenced:
            _write_all(file, samples, first_frame * FRAME_BYTES)
            return
        stretch = range(first_frame, first_frame + len(samples) // FRAME_BYTES)
        for part in without(stretch, self._silenced):
            start = (part.start - first_frame) * FRAME_BYTES
            sounding = samples[start : start + len(part) * FRAME_BYTES]
            _write_all(file, sounding, part.start * FRAME_BYTES)

    def _silences(self) -> tuple[range, ...]:
        nearest, notes = self._format.nearest_frame, self.notes
        stretches = [
            range(nearest(span.from_us), nearest(span.to_us)) for span in notes.cuts + notes.masks
        ]
        if notes.paused_at_us is not None:
            stretches.append(range(nearest(notes.paused_at_us), FOREVER))
        return merged(stretches)

    def _wipe(self, stretch: range) -> None:
        for track, file in self._files.items():
            self._unsynced.add(_SAMPLES[track])
            stop = min(stretch.stop, self.end_frame(track)) * FRAME_BYTES
            for start in range(stretch.start * FRAME_BYTES, stop, _WIPE_BYTES):
                _write_all(file, bytes(min(_WIPE_BYTES, stop - start)), start)


def open_spool(root: Path, place: SessionFolder, sample_rate: int) -> Spool:
    """Return the spool of a session, owned: a new one, or the one that was left behind.

    Args:
        place: Where in the object store a new one will go; one that was left behind goes
            where it was to go.

    Raises:
        RecordingFailed: Somebody else owns it, it has another rate, or its notes are
            broken.
        OSError: The place cannot be written.
    """
    folder = root / "open" / place.session_id
    notes_file = None
    while notes_file is None:  # again, where somebody has just finished and removed it
        make_folder(folder)
        with suppress(FileNotFoundError):
            notes_file = _owned(folder / _NOTES, os.O_CREAT)
    try:
        content = _content(notes_file)
        if b"\n" not in content:
            content = Notes(folder=place, sample_rate=sample_rate).header()
            _write_all(notes_file, content, 0)
        notes, size = read_notes(content)
        _require_rate(notes, sample_rate)
        return Spool(folder, notes_file, notes, size)
    except BaseException:
        os.close(notes_file)
        raise


def claim_spool(folder: Path) -> Spool | None:
    """Return the spool in *folder*, owned; None where somebody else owns it, or it is gone.

    Raises:
        RecordingFailed: Its notes cannot be read.
        OSError: It cannot be opened.
    """
    try:
        notes_file = _owned(folder / _NOTES)
    except FileNotFoundError:
        with suppress(OSError):  # not empty after all: its owner is just making it
            folder.rmdir()
        return None
    except SpoolIsOwned:
        return None
    if notes_file is None:
        return None
    try:
        return Spool(folder, notes_file, *read_notes(_content(notes_file)))
    except BaseException:
        os.close(notes_file)
        raise


def remove_spool(folder: Path) -> None:
    """Make sure that no spool is in *folder*, whatever its notes say.

    Raises:
        SpoolIsOwned: Somebody else owns it.
        OSError: It could not be removed.
    """
    with suppress(FileNotFoundError):
        notes_file = _owned(folder / _NOTES, os.O_CREAT)
        if notes_file is not None:
            try:
                _remove(folder)
            finally:
                os.close(notes_file)


def left_spools(root: Path) -> tuple[Path, ...]:
    """Return the folders of all spools under *root*, owned or not, in order of their names."""
    folder = root / "open"
    return tuple(sorted(folder.iterdir())) if folder.is_dir() else ()


def sweep(root: Path) -> None:
    """Remove what a crash has left of spools that were being removed."""
    trash = root / "gone"
    for folder in tuple(trash.iterdir()) if trash.is_dir() else ():
        shutil.rmtree(folder, ignore_errors=True)  # another sweep, or its owner, is at it


def _remove(folder: Path) -> None:
    trash = folder.parent.parent / "gone"
    make_folder(trash)
    moved = folder.rename(trash / os.urandom(16).hex())
    sync_folder(folder.parent)
    shutil.rmtree(moved, ignore_errors=True)  # a sweep may be at it too
    if moved.exists():
        raise OSError(ENOTEMPTY, "the spool could not be removed", str(moved))


def _owned(path: Path, more_flags: int = 0) -> int | None:
    """Open and lock; None where the file was removed in between."""
    notes_file = os.open(path, _READ_WRITE | more_flags, 0o600)
    try:
        flock(notes_file, LOCK_EX | LOCK_NB)
    except BlockingIOError:
        os.close(notes_file)
        raise SpoolIsOwned("somebody else is recording this session") from None
    if os.fstat(notes_file).st_nlink:
        return notes_file
    os.close(notes_file)
    return None


def _require_rate(notes: Notes, sample_rate: int) -> None:
    if notes.sample_rate != sample_rate:
        raise RecordingFailed(f"it is at {notes.sample_rate} Hz already, not {sample_rate}")


def _content(file: int) -> bytes:
    return os.pread(file, os.fstat(file).st_size, 0)


def _write_all(file: int, data: bytes, offset: int) -> None:
    written = os.pwrite(file, data, offset)
    while written < len(data):
        written += os.pwrite(file, memoryview(data)[written:], offset + written)
