from __future__ import annotations

from collections.abc import Sequence

import pytest

from voicesession.core.errors import StoreUnavailable
from voicesession.core.results import SessionFolder
from voicesession.core.segments import Segment
from voicesession.core.timeline import Track
from voicesession.recording.memory import MemoryObjectStore
from voicesession.recording.notes import Notes
from voicesession.recording.segments import SegmentFolder

SEGMENTS = [Segment(track, 0, 4, 1) for track in Track]


class BreaksOff(MemoryObjectStore):
    """Deletes so many objects, and then no more."""

    def __init__(self, deletes: int) -> None:
        super().__init__()
        self._deletes_left = deletes

    async def delete(self, key: str, /) -> None:
        if not self._deletes_left:
            raise StoreUnavailable("it broke off")
        self._deletes_left -= 1
        await super().delete(key)


class BreaksOffInBulk(BreaksOff):
    """Likewise, and it can be asked for many."""

    async def delete_all(self, keys: Sequence[str], /) -> None:
        for key in keys:
            await self.delete(key)


async def a_folder(kind: type[BreaksOff], deletes: int) -> SegmentFolder:
    folder = SegmentFolder(kind(deletes), SessionFolder("s1"))
    await folder.note(Notes(folder=SessionFolder("s1"), sample_rate=16_000))
    for segment in SEGMENTS:
        await folder.put(segment, b"12345678")
    return folder


KINDS = pytest.mark.parametrize("kind", [BreaksOff, BreaksOffInBulk])


@KINDS
@pytest.mark.parametrize("deletes", range(1, len(SEGMENTS) + 1))
async def test_what_is_thrown_away_in_part_can_be_finished_by_nobody(
    kind: type[BreaksOff], deletes: int
) -> None:
    folder = await a_folder(kind, deletes)
    with pytest.raises(StoreUnavailable):
        await folder.throw_away()
    assert await folder.look() is None


@KINDS
@pytest.mark.parametrize("deletes", range(len(SEGMENTS) + 1))
async def test_what_is_tidied_in_part_is_known_to_be_left(
    kind: type[BreaksOff], deletes: int
) -> None:
    folder = await a_folder(kind, deletes)
    with pytest.raises(StoreUnavailable):
        await folder.tidy()
    assert await folder.look() is not None
