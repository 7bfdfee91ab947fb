"""
What of a recording is durable in an object store, told by the names in its listing.

While a recording is made, what is new on a track is shipped now and then as an immutable
object, a *segment*, whose name says which sample frames it holds. So the listing alone
says what is there, nothing about it lives in memory, and any worker can finish it. Late
audio is shipped again: of two segments for one place, the one of the later checkpoint
holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from attrs import field, frozen
from attrs.validators import ge, instance_of

from .timeline import Track, merged, without

__all__ = (
    "MAX_PARTS",
    "MIN_PART_BYTES",
    "Segment",
    "SegmentRead",
    "durable",
    "first_checkpoint",
    "plan_reads",
    "plan_segments",
    "segment_named",
)

MIN_PART_BYTES: Final = 5 * 1024 * 1024
"""S3 refuses a part that is smaller, unless it is the last."""
MAX_PARTS: Final = 10_000
"""S3 takes no more parts in one upload."""

_OWNER_CHECKPOINTS: Final = 10_000
"""More than an owner sends in a day of which nobody hears that it arrived."""
_NAME: Final = re.compile(r"(user|agent)/(\d{12})-(\d{12})-(\d{6,12})\.s16")


def _is_not_empty(instance: Segment, _attribute: object, end_frame: int) -> None:
    if end_frame <= instance.first_frame:
        raise ValueError(f"end_frame {end_frame} is not after first_frame {instance.first_frame}")


@frozen
class Segment:
    """One immutable object of s16 mono: frames ``first_frame`` up to, not with, ``end_frame``.

    Attributes:
        checkpoint: The number of the checkpoint that shipped it; a later one holds.
    """

    track: Track = field(converter=Track)
    first_frame: int = field(validator=[instance_of(int), ge(0)])
    end_frame: int = field(validator=[instance_of(int), _is_not_empty])
    checkpoint: int = field(validator=[instance_of(int), ge(0)])

    @property
    def name(self) -> str:
        """Its name below the recording's folder of segments; names sort by track and place."""
        place = f"{self.first_frame:012d}-{self.end_frame:012d}-{self.checkpoint:06d}"
        return f"{self.track}/{place}.s16"

    @property
    def frames(self) -> range:
        """The media frames that it holds."""
        return range(self.first_frame, self.end_frame)


@frozen
class SegmentRead:
    """Take *frames* (of media time) out of *segment*; None stands for silence."""

    segment: Segment | None
    frames: range


def segment_named(name: str) -> Segment | None:
    """Return the segment with this ``name``; None where it is not the name of a segment."""
    parts = _NAME.fullmatch(name)
    if parts is None or int(parts[3]) <= int(parts[2]):
        return None
    return Segment(Track(parts[1]), int(parts[2]), int(parts[3]), int(parts[4]))


def first_checkpoint(segments: Iterable[Segment]) -> int:
    """Return the number with which a new owner of the recording goes on shipping.

    It lies behind all that was shipped, and behind what the owner before may have sent in
    vain, as its own disk knows, and has not sent.
    """
    return max((segment.checkpoint for segment in segments), default=0) + _OWNER_CHECKPOINTS


def plan_segments(
    stretch: range, track: Track, checkpoint: int, *, at_most_frames: int
) -> Iterator[Segment]:
    """Yield the segments that ship *stretch* of *track*, in order, each of bounded size."""
    for start in range(stretch.start, stretch.stop, at_most_frames):
        yield Segment(track, start, min(start + at_most_frames, stretch.stop), checkpoint)


def durable(segments: Iterable[Segment], track: Track) -> tuple[range, ...]:
    """Return the media frames of *track* that are in the store, in order and joined."""
    return merged(segment.frames for segment in segments if segment.track is track)


def plan_reads(segments: Iterable[Segment], track: Track, frames: range) -> Iterator[SegmentRead]:
    """Yield what to read, in order and without a hole, to have *frames* of *track*."""
    left = [frames]
    reads: list[SegmentRead] = []
    newest_first = sorted(
        (segment for segment in segments if segment.track is track),
        key=lambda one: (-one.checkpoint, one.name),
    )
    for segment in newest_first:
        after: list[range] = []
        for stretch in left:
            taken = stretch[max(0, segment.first_frame - stretch.start) :]
            taken = taken[: max(0, segment.end_frame - taken.start)]
            if taken:
                reads.append(SegmentRead(segment, taken))
            after.extend(without(stretch, (segment.frames,)))
        left = after
    reads.extend(SegmentRead(None, stretch) for stretch in left if stretch)
    yield from sorted(reads, key=lambda read: read.frames.start)
