"""What was shipped comes back into a spool, so that a file can be made of it."""

from __future__ import annotations

from anyio import to_thread

from ..core.audio import AudioFormat
from ..core.segments import Segment, durable, plan_reads
from ..core.timeline import Span, Track, merged, without
from .losses import Losses
from .segments import SegmentFolder, Shipped
from .spool import Spool

__all__ = ("fill",)

_READ_FRAMES = 512 * 1024


async def fill(spool: Spool, shipped: Shipped, segments: SegmentFolder, losses: Losses) -> None:
    """Make *spool* whole: with what owners on other machines have shipped and noted.

    For its own time the spool knows best, but for what a later owner has shipped. Done again
    it does the same.

    Raises:
        StoreError: A segment could not be read.
        OSError: The disk did not take it.
    """
    _take_over(spool, shipped, losses)
    last = spool.notes.checkpoint
    rank = 0 if last is None else last + 1
    for track in Track:
        own = spool.own_frames(track)
        here = Segment(track, own.start, own.stop, rank) if own else None
        there = [segment for segment in shipped.segments if segment.track is track]
        end_frame = max((segment.end_frame for segment in there), default=0)
        known = there if here is None else [here, *there]
        for read in plan_reads(known, track, range(end_frame)):
            if read.segment is not None and read.segment is not here:
                await _copy(spool, segments, read.segment, read.frames)
    _note_what_is_missing(spool, shipped, losses)


def _take_over(spool: Spool, shipped: Shipped, losses: Losses) -> None:
    notes, audio_format = shipped.notes, AudioFormat(sample_rate=spool.notes.sample_rate)
    losses.adopt(notes.gaps, notes.problems)
    spool.adopt(notes)
    end_us = audio_format.time_of(max(map(spool.end_frame, Track)))
    if notes.closed_us is not None and spool.notes.closed_us is None and end_us <= notes.closed_us:
        spool.note_closed(notes.closed_us)
    if notes.paused_at_us is not None and spool.notes.first_frame is None:
        spool.pause(notes.paused_at_us)


async def _copy(spool: Spool, segments: SegmentFolder, segment: Segment, frames: range) -> None:
    for start in frames[::_READ_FRAMES]:
        part = range(start, min(start + _READ_FRAMES, frames.stop))
        samples = await segments.read(segment, part)
        await to_thread.run_sync(spool.fill, segment.track, part.start, samples)


def _note_what_is_missing(spool: Spool, shipped: Shipped, losses: Losses) -> None:
    """The caller is heard without a break: between what there is, nothing should be missing."""
    audio_format = AudioFormat(sample_rate=spool.notes.sample_rate)
    nearest = audio_format.nearest_frame
    there = merged((*durable(shipped.segments, Track.USER), spool.own_frames(Track.USER)))
    silent = (
        range(nearest(span.from_us), nearest(span.to_us))
        for span in spool.notes.cuts + spool.notes.masks
    )
    known = merged((*there, *silent))
    if there:
        for hole in without(range(there[0].start, there[-1].stop), known):
            from_us, to_us = map(audio_format.time_of, (hole.start, hole.stop))
            losses.add_gap(Track.USER, Span(from_us, to_us))
