"""What waits between the one who records and the thread that writes: bounded, in order."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, Lock
from typing import Final, TypeAlias

from ..core.audio import AudioFormat
from ..core.errors import InvalidValue, RecordingFailed
from ..core.pcm import to_s16_mono
from ..core.timeline import Span, Track
from ..ports.recording import ProblemKind
from .losses import Losses, kind_of
from .spool import FRAME_BYTES, Spool
from .writer import Writer

__all__ = ("Feed",)

_MIN_LIMIT_BYTES: Final = 64 * 1024
_WAKE_BYTES: Final = 48 * 1024
"""When so much waits, the writer does not wait for its next round."""
_CHUNK_COST_BYTES: Final = 64
"""What a chunk takes beside its samples."""
_RUN_COST_BYTES: Final = 256
"""What a run takes beside its chunks: a run for each chunk must not cost unbounded memory."""
_US_PER_S: Final = 1_000_000


class _Run:
    """The samples of one track that came last, and lie end to end."""

    def __init__(self, track: Track, audio_format: AudioFormat) -> None:
        self.track = track
        self.frame_bytes = audio_format.frame_bytes
        self.start = 0
        self.end = 0
        self.chunks: list[bytes] = []


_Written: TypeAlias = tuple[Track, int, list[bytes]]
"""A track, the frame at which the samples begin, and the samples in pieces."""


class Feed:
    """One recording's way into its spool.

    One thread gives; the writer's takes. The lock between them is held for a moment only,
    never while the disk is used.

    Attributes:
        owner: The recording that may give; None once it is let go.
        is_finishing: Its file is being made, or it is being removed.
        limit_bytes: What may wait: 64 KiB, or a second of both voices where that is more.
        paused_at_us: Where a cut has begun that has not ended.
    """

    def __init__(self, spool: Spool, audio_format: AudioFormat, writer: Writer) -> None:
        self.spool = spool
        self.audio_format = audio_format
        self.losses = Losses(spool.notes.gaps, spool.notes.problems)
        self.owner: object | None = None
        self.is_finishing = False
        self.paused_at_us = spool.notes.paused_at_us
        self._spoken = spoken = AudioFormat(sample_rate=audio_format.sample_rate)
        self.limit_bytes = max(
            _MIN_LIMIT_BYTES,
            audio_format.sample_rate * (audio_format.frame_bytes + spoken.frame_bytes),
        )
        self._writer = writer
        self._lock = Lock()
        self._runs = {
            Track.USER: _Run(Track.USER, audio_format),
            Track.AGENT: _Run(Track.AGENT, spoken),
        }
        self._queue: list[_Written | Callable[[], None]] = []
        self._given_bytes = 0
        self._taken_bytes = 0
        self._room = Event()
        self._unsynced: Span | None = None
        self._noted_losses = self.losses.changes
        self._continues_at = spool.end_frame(Track.USER)

    @property
    def kept_until_us(self) -> int:
        """Up to where the caller's audio goes that was given so far, now or before."""
        last = max(self.spool.end_frame(Track.USER), self._runs[Track.USER].end)
        return self._spoken.time_of(last)

    # --- the one who records -----------------------------------------------------------------

    def give(self, owner: object, track: Track, at_us: int, pcm: bytes) -> None:
        """See ``Recording.write``."""
        run, size = self._runs[track], len(pcm)
        cost = size + _CHUNK_COST_BYTES
        if owner is not self.owner:
            raise RecordingFailed("the recording is closed, or somebody else has taken it over")
        if at_us < 0:
            raise InvalidValue("at_us", at_us, "0 or more")
        if size % run.frame_bytes:
            raise InvalidValue("pcm", f"{size} bytes", f"frames of {run.frame_bytes} bytes")
        if self._given_bytes + cost - self._taken_bytes > _WAKE_BYTES:
            self._writer.wake()
            if not self._has_room_for(cost):
                self._drop(track, at_us, size)
                return
        # AudioFormat.nearest_frame, without the call: this is the hot path.
        frame = (at_us * self.audio_format.sample_rate + _US_PER_S // 2) // _US_PER_S
        with self._lock:
            if frame != run.end:
                self._end_run(run)
                run.start = run.end = frame
                self._given_bytes += _RUN_COST_BYTES
            run.chunks.append(pcm)
            run.end += size // run.frame_bytes
            self._given_bytes += cost

    def have_done(self, action: Callable[[], None]) -> None:
        """Have the writer do *action* at once, after all that was given before."""
        with self._lock:
            self._end_runs()
            self._queue.append(action)
        self._writer.wake()

    def _has_room_for(self, cost_bytes: int) -> bool:
        """Wait, if need be, for the writer; but not for one that hangs.

        Who feeds faster than time, as from a file, waits here. In real time the writer has
        been hanging for longer than it may when there is no room left.
        """
        while self._given_bytes + cost_bytes - self._taken_bytes > self.limit_bytes:
            patience_s = self._writer.patience_s()
            if patience_s <= 0:
                return False
            self._room.clear()
            if self._given_bytes + cost_bytes - self._taken_bytes > self.limit_bytes:
                self._room.wait(patience_s)
        return True

    def _drop(self, track: Track, at_us: int, size_bytes: int) -> None:
        frames = size_bytes // self._runs[track].frame_bytes
        self.losses.add(
            ProblemKind.TOO_SLOW,
            track,
            Span(at_us, at_us + max(1, self._spoken.time_of(frames))),
            size_bytes,
            f"{self.limit_bytes} bytes wait for the disk already",
        )

    def _end_run(self, run: _Run) -> None:
        if run.chunks:
            self._queue.append((run.track, run.start, run.chunks))
            run.chunks = []
            run.start = run.end

    def _end_runs(self) -> None:
        for run in self._runs.values():
            self._end_run(run)

    # --- the writer's thread -----------------------------------------------------------------

    @property
    def is_unsynced(self) -> bool:
        """Whether something was written since the last sync."""
        return self.spool.is_unsynced

    def write_out(self) -> None:
        """Write what waits, in order; what the disk does not take becomes a gap."""
        with self._lock:
            self._end_runs()
            queue, self._queue = self._queue, []
            upto_bytes = self._given_bytes
        for work in queue:
            if callable(work):
                self._note_losses()
                work()
            else:
                self._write(*work)
        self._note_losses()
        self._taken_bytes = upto_bytes
        self._room.set()

    def attempt(self, action: Callable[[], None], *, at_us: int) -> None:
        """Do something to the spool that costs no audio if the disk refuses."""
        try:
            action()
        except OSError as error:
            self.losses.add_problem(kind_of(error), Span(at_us, at_us + 1), str(error))

    def sync(self) -> None:
        """Make the spool durable; where that fails, what was written is at risk, not lost."""
        try:
            self.spool.sync()
        except OSError as error:
            self.losses.add_problem(kind_of(error), self._unsynced or Span(0, 1), str(error))
        self._unsynced = None

    def broke(self, error: Exception) -> None:
        """Report a defect that cost what was being written."""
        self.losses.add_problem(
            ProblemKind.WRITE_FAILED, self._unsynced or Span(0, 1), f"a defect: {error!r}"
        )

    def _write(self, track: Track, start: int, chunks: list[bytes]) -> None:
        audio_format = self.audio_format if track is Track.USER else self._spoken
        pcm = to_s16_mono(b"".join(chunks), audio_format)
        end = start + len(pcm) // FRAME_BYTES
        if track is Track.USER:
            self._notice_what_was_missed(start)
        try:
            self.spool.write(track, start, pcm)
        except OSError as error:
            kept_until = self.spool.end_frame(track)
            lost_from = kept_until if start < kept_until < end else start
            lost_bytes = (end - lost_from) * FRAME_BYTES
            self.losses.add(
                kind_of(error), track, self._span(lost_from, end), lost_bytes, str(error)
            )
        span = self._span(start, end)
        if self._unsynced is not None:
            span = span.joined(self._unsynced)
        self._unsynced = span

    def _notice_what_was_missed(self, frame: int) -> None:
        # Between the end of what was left behind and the first audio of its continuation.
        if 0 < self._continues_at < frame:
            self.losses.add_gap(Track.USER, self._span(self._continues_at, frame))
        self._continues_at = 0

    def _note_losses(self) -> None:
        if self._noted_losses != self.losses.changes:
            self.attempt(lambda: self.spool.note_losses(self.losses), at_us=0)
            self._noted_losses = self.losses.changes

    def _span(self, start: int, stop: int) -> Span:
        from_us = self._spoken.time_of(start)
        return Span(from_us, max(from_us + 1, self._spoken.time_of(stop)))
