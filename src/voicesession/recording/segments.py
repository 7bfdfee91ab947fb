"""
One recording's segments in the object store, and what else anybody needs to finish it.

    {folder of the session}/segments/notes.jsonl    see ``Notes.log``
                                     user/{first frame}-{end frame}-{checkpoint}.s16
                                     agent/…

The notes make a recording of it: segments without notes are rubbish. So they are put
before the first segment; they are the last thing to go when the recording was finished,
and the first when it is thrown away. A crash on the way leaves either a recording that is
made again, into the same file, or nothing that could be made.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from attrs import evolve, frozen

from ..core.results import SessionFolder
from ..core.segments import Segment, segment_named
from ..core.timeline import without
from ..ports.objects import BulkDeletion, ObjectNotFound, ObjectStore, StoredObject
from .notes import Notes, read_notes
from .spool import FRAME_BYTES

__all__ = ("NOTES", "SEGMENTS", "SegmentFolder", "Shipped", "objects_below")

SEGMENTS: Final = "segments/"
"""The folder below that of the session."""
NOTES: Final = f"{SEGMENTS}notes.jsonl"


@frozen
class Shipped:
    """What of a recording is in the object store."""

    notes: Notes
    segments: tuple[Segment, ...]

    @property
    def end_frame(self) -> int:
        """The media frame up to which it goes."""
        return max((segment.end_frame for segment in self.segments), default=0)


class SegmentFolder:
    """Puts, finds, reads and removes them. Every method raises StoreError if the store fails."""

    def __init__(self, objects: ObjectStore, folder: SessionFolder) -> None:
        self._objects = objects
        self._folder = f"{folder}{SEGMENTS}"
        self._notes = f"{folder}{NOTES}"

    async def look(self) -> Shipped | None:
        """Return what is there; None where there is no recording.

        Raises:
            RecordingFailed: The notes cannot be read.
        """
        segments = await self._segments()
        # Read after the listing: whoever removes segments has noted before what they became.
        try:
            content = await self._objects.get(self._notes)
        except ObjectNotFound:
            return None
        notes, _ = read_notes(content)
        return Shipped(notes, segments)

    async def note(self, notes: Notes) -> None:
        """Put *notes* in place of those before."""
        await self._objects.put(self._notes, notes.log())

    async def put(self, segment: Segment, samples: bytes) -> None:
        """Keep the samples of *segment*."""
        await self._objects.put(self._folder + segment.name, samples)

    async def read(self, segment: Segment, frames: range) -> bytes:
        """Return *frames* (of media time) of *segment*."""
        return await self._objects.get(
            self._folder + segment.name,
            start=(frames.start - segment.first_frame) * FRAME_BYTES,
            end=(frames.stop - segment.first_frame) * FRAME_BYTES,
        )

    async def wipe(self, stretches: tuple[range, ...]) -> None:
        """Leave nothing of *stretches* in any segment; what else those hold stays.

        It stays of its checkpoint, too: a copy made later is not what was said later.
        """
        for segment in await self._segments():
            kept = tuple(without(segment.frames, stretches))
            if kept == (segment.frames,):
                continue
            for part in kept:
                rest = evolve(segment, first_frame=part.start, end_frame=part.stop)
                await self.put(rest, await self.read(segment, part))
            await self._objects.delete(self._folder + segment.name)

    async def tidy(self) -> None:
        """Remove everything, the notes last: the recording is finished."""
        notes, others = await self._all()
        await self._remove(others)
        await self._remove(notes)

    async def throw_away(self) -> None:
        """Remove everything, the notes first: nobody can finish the recording from here on."""
        notes, others = await self._all()
        await self._remove(notes)
        await self._remove(others)

    async def _segments(self) -> tuple[Segment, ...]:
        names = (key.removeprefix(self._folder) for key in await self._keys())
        return tuple(filter(None, map(segment_named, names)))

    async def _keys(self) -> list[str]:
        return [found.key async for found in objects_below(self._objects, self._folder)]

    async def _all(self) -> tuple[list[str], list[str]]:
        """The key of the notes, and those of all others.

        Only what is there: some stores keep a mark of what was deleted and never was.
        """
        keys = await self._keys()
        return [key for key in keys if key == self._notes], [
            key for key in keys if key != self._notes
        ]

    async def _remove(self, keys: list[str]) -> None:
        if len(keys) > 1 and isinstance(self._objects, BulkDeletion):
            await self._objects.delete_all(keys)
            return
        for key in keys:
            await self._objects.delete(key)


async def objects_below(objects: ObjectStore, prefix: str) -> AsyncIterator[StoredObject]:
    """Yield every object whose key begins with *prefix*, in order, page by page."""
    after, limit = "", 1_000
    while True:
        page = await objects.find(prefix, after=after, limit=limit)
        for found in page:
            yield found
        if len(page) < limit:
            return
        after = page[-1].key
