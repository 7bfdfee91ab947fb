"""
Two voices on one axis of media time, and what of it becomes the file.

A recording keeps each voice at its place in media time. Where nothing was written there
is silence. A *cut* leaves media time out of the file: what follows moves up. A *mask*
keeps the time and takes the sound. An instant belongs to the sample frame that begins
nearest to it; stretches of frames are written as ``range``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum

from attrs import evolve, field, frozen
from attrs.validators import ge, instance_of

from .audio import AudioFormat
from .errors import InvalidValue

__all__ = ("Piece", "Span", "Timeline", "Track", "merged", "without")


class Track(StrEnum):
    """Whose voice is recorded. The order is that of the channels: left, right."""

    USER = "user"
    AGENT = "agent"


def _is_not_empty(instance: Span, _attribute: object, to_us: int) -> None:
    if to_us <= instance.from_us:
        raise ValueError(f"to_us {to_us} does not lie after from_us {instance.from_us}")


@frozen(order=True)
class Span:
    """A stretch of media time in microseconds, from its start up to, not with, its end."""

    from_us: int = field(validator=[instance_of(int), ge(0)])
    to_us: int = field(validator=[instance_of(int), _is_not_empty])

    def joined(self, other: Span) -> Span:
        """Return the shortest span that holds both."""
        return Span(min(self.from_us, other.from_us), max(self.to_us, other.to_us))


def merged(stretches: Iterable[range]) -> tuple[range, ...]:
    """Return the same ground in order, with nothing empty, touching or overlapping."""
    joined: list[range] = []
    for stretch in sorted(filter(len, stretches), key=lambda one: one.start):
        if joined and stretch.start <= joined[-1].stop:
            joined[-1] = range(joined[-1].start, max(joined[-1].stop, stretch.stop))
        else:
            joined.append(stretch)
    return tuple(joined)


def without(stretch: range, holes: Iterable[range]) -> Iterator[range]:
    """Yield what is left of *stretch* where *holes*, as ``merged`` returns them, are taken out."""
    start = stretch.start
    for hole in holes:
        if start < min(hole.start, stretch.stop):
            yield range(start, min(hole.start, stretch.stop))
        start = max(start, hole.stop)
    if start < stretch.stop:
        yield range(start, stretch.stop)


@frozen
class Piece:
    """What comes next in the file: a stretch of media frames, or as much silence."""

    frames: range
    is_silent: bool


def _joined(spans: Iterable[Span]) -> tuple[Span, ...]:
    stretches = merged(range(span.from_us, span.to_us) for span in spans)
    return tuple(Span(stretch.start, stretch.stop) for stretch in stretches)


@frozen(kw_only=True)
class Timeline:
    """The plan of a recording: how media time becomes the time of its file.

    Attributes:
        sample_rate: Of the recording, in Hz.
        duration_us: Media time from the start of the recording to its end.
        cuts: What is left out; kept in order and joined where they touch.
        masks: What is silent; likewise.
    """

    sample_rate: int
    duration_us: int = field(validator=[instance_of(int), ge(0)])
    cuts: tuple[Span, ...] = field(default=(), converter=_joined)
    masks: tuple[Span, ...] = field(default=(), converter=_joined)

    @property
    def file_frames(self) -> int:
        """How many sample frames the file has."""
        return sum(map(len, self._kept()))

    @property
    def file_duration_us(self) -> int:
        """How long the file plays: the duration less its cuts."""
        return self.to_file_us(self.duration_us)

    def to_file_us(self, media_us: int) -> int:
        """Return where *media_us* is heard in the file; inside a cut, where the cut is.

        What lies after the end of the recording is counted as its end.
        """
        at_us = min(media_us, self.duration_us)
        return at_us - sum(
            min(cut.to_us, at_us) - cut.from_us for cut in self.cuts if cut.from_us < at_us
        )

    def to_media_us(self, file_us: int) -> int:
        """Return the media time of *file_us*: the inverse of ``to_file_us`` outside cuts.

        Where a cut is, the file goes on with what comes after it.

        Raises:
            InvalidValue: The file is shorter.
        """
        if not 0 <= file_us <= self.file_duration_us:
            raise InvalidValue("file_us", file_us, f"0 to {self.file_duration_us}")
        media_us = file_us
        for cut in self.cuts:
            if cut.from_us <= media_us < self.duration_us:
                media_us += cut.to_us - cut.from_us
        return min(media_us, self.duration_us)

    def with_duration(self, duration_us: int) -> Timeline:
        """Return the same plan for a recording of another length."""
        return evolve(self, duration_us=duration_us)

    def pieces(self, *, at_most_frames: int, within: range | None = None) -> Iterator[Piece]:
        """Yield the content of the file in order, in pieces of bounded size.

        The plan is the same for each track.

        Args:
            within: Only these frames of the file; by default all.
        """
        wanted = range(self.file_frames) if within is None else within
        at = 0
        for piece in self._all_pieces(at_most_frames):
            frames = piece.frames[max(0, wanted.start - at) : max(0, wanted.stop - at)]
            at += len(piece.frames)
            if frames:
                yield Piece(frames, piece.is_silent)

    def _all_pieces(self, at_most_frames: int) -> Iterator[Piece]:
        masks = self._frames(self.masks)
        for kept in self._kept():
            sounding = tuple(without(kept, masks))
            parts = [Piece(part, is_silent=False) for part in sounding]
            parts += [Piece(part, is_silent=True) for part in without(kept, sounding)]
            for part in sorted(parts, key=lambda one: one.frames.start):
                for start in part.frames[::at_most_frames]:
                    stop = min(start + at_most_frames, part.frames.stop)
                    yield Piece(range(start, stop), part.is_silent)

    def _kept(self) -> Iterator[range]:
        end = AudioFormat(sample_rate=self.sample_rate).nearest_frame(self.duration_us)
        return without(range(end), self._frames(self.cuts))

    def _frames(self, spans: Iterable[Span]) -> tuple[range, ...]:
        nearest = AudioFormat(sample_rate=self.sample_rate).nearest_frame
        return merged(range(nearest(span.from_us), nearest(span.to_us)) for span in spans)
