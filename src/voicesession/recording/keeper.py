"""What one recording keeps on this disk: a disk that refuses costs a gap, never an error."""

from __future__ import annotations

from collections.abc import Callable

from ..core.audio import AudioFormat
from ..core.timeline import Span, Track
from ..ports.recording import ProblemKind
from .losses import Losses, kind_of
from .spool import FOREVER, FRAME_BYTES, Spool
from .unshipped import Unshipped
from .unsynced import Unsynced

__all__ = ("Keeper",)


class Keeper:
    """Writes one spool, and knows what is lost and what is not shipped.

    Its methods belong to one thread, the writer's; what it knows may be read by any.

    Attributes:
        unshipped: What the object store does not have yet.
        unshipped_limit_bytes: How much that may be; None where nothing is shipped.
        opened_at_frame: Where the caller's audio ended when this keeper took over.
    """

    def __init__(self, spool: Spool, *, unshipped_limit_bytes: int | None = None) -> None:
        self.spool = spool
        self.losses = Losses(spool.notes.gaps, spool.notes.problems)
        self.unshipped = Unshipped()
        self.unshipped_limit_bytes = unshipped_limit_bytes
        self._format = AudioFormat(sample_rate=spool.notes.sample_rate)
        self._unsynced_from, self._unsynced_until = FOREVER, 0
        self._noted_losses = self.losses.changes
        self.opened_at_frame = self._continues_at = spool.end_frame(Track.USER)

    @property
    def lag_us(self) -> int:
        """Media time from the oldest to the newest of what is not shipped."""
        return self._format.time_of(len(self.unshipped.frames))

    @property
    def unshipped_span(self) -> Span:
        """The same as a span, which is never empty."""
        frames = self.unshipped.frames
        return self._span(frames.start, frames.stop)

    def write(self, track: Track, start: int, samples: bytes) -> None:
        """Keep s16 *samples* from frame *start* on."""
        end = start + len(samples) // FRAME_BYTES
        if self._continues_at and track is Track.USER:
            self._notice_what_was_missed(start)
        if self._is_full(len(samples)):
            detail = f"{self.unshipped_limit_bytes} bytes wait for the object store already"
            self._lose(ProblemKind.SPOOL_FULL, track, range(start, end), detail)
            return
        try:
            self.spool.write(track, start, samples)
        except OSError as error:
            kept_until = self.spool.end_frame(track)
            lost_from = kept_until if start < kept_until < end else start
            self._lose(kind_of(error), track, range(lost_from, end), str(error))
            end = lost_from
        if self.unshipped_limit_bytes is not None:
            self.unshipped.add(track, range(start, end))
        self._unsynced_from = min(self._unsynced_from, start)
        self._unsynced_until = max(self._unsynced_until, end)

    def silence(self, action: Callable[[], None], from_us: int, end_frame: int) -> None:
        """Do *action*, which silences the spool up to *end_frame*, and the segments as well."""
        self.attempt(action, at_us=from_us)
        self.unshipped.wipe(range(self._format.nearest_frame(from_us), end_frame))

    def attempt(self, action: Callable[[], None], *, at_us: int) -> None:
        """Do something to the spool that costs no audio if the disk refuses."""
        try:
            action()
        except OSError as error:
            self.losses.add_problem(kind_of(error), Span(at_us, at_us + 1), str(error))

    def note_losses(self) -> None:
        """Have the spool know what is lost."""
        if self._noted_losses != self.losses.changes:
            self.attempt(lambda: self.spool.note_losses(self.losses), at_us=0)
            self._noted_losses = self.losses.changes

    def take_unsynced(self) -> tuple[Unsynced, Span]:
        """Return what was written since the last time, to be made durable, and its media time."""
        span = self._unsynced_span
        self._unsynced_from, self._unsynced_until = FOREVER, 0
        return self.spool.take_unsynced(), span

    def broke(self, error: Exception) -> None:
        """Report a defect that cost what was being written."""
        self.losses.add_problem(
            ProblemKind.WRITE_FAILED, self._unsynced_span, f"a defect: {error!r}"
        )

    @property
    def _unsynced_span(self) -> Span:
        return self._span(min(self._unsynced_from, self._unsynced_until), self._unsynced_until)

    def _is_full(self, more_bytes: int) -> bool:
        limit_bytes = self.unshipped_limit_bytes
        return limit_bytes is not None and self.unshipped.size_bytes + more_bytes > limit_bytes

    def _lose(self, kind: ProblemKind, track: Track, frames: range, detail: str) -> None:
        span = self._span(frames.start, frames.stop)
        self.losses.add(kind, track, span, len(frames) * FRAME_BYTES, detail)

    def _notice_what_was_missed(self, frame: int) -> None:
        # Between the end of what was left behind and the first audio of its continuation.
        if self._continues_at < frame:
            self.losses.add_gap(Track.USER, self._span(self._continues_at, frame))
        self._continues_at = 0

    def _span(self, start: int, stop: int) -> Span:
        from_us = self._format.time_of(start)
        return Span(from_us, max(from_us + 1, self._format.time_of(stop)))
