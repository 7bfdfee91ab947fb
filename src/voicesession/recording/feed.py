"""What waits between the one who records and the thread that writes: bounded, in order."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from threading import Event, Lock
from typing import Final, TypeAlias

from ..core.audio import AudioFormat
from ..core.errors import InvalidValue, RecordingFailed
from ..core.pcm import to_s16_mono
from ..core.timeline import Span, Track
from ..ports.recording import ProblemKind
from .keeper import Keeper
from .notes import Notes
from .spool import FOREVER
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

    __slots__ = ("audio_format", "chunks", "end", "frame_bytes", "start", "track")

    def __init__(self, track: Track, audio_format: AudioFormat) -> None:
        self.track = track
        self.audio_format = audio_format
        self.frame_bytes = audio_format.frame_bytes
        self.start = 0
        self.end = 0
        self.chunks: list[bytes] = []


_Written: TypeAlias = tuple[_Run, int, list[bytes]]
"""Of which track, the frame at which the samples begin, and the samples in pieces."""


class Feed:
    """One recording's way to its keeper.

    One thread gives; the writer's takes. The lock between them is held for a moment only,
    never while the disk is used.

    Attributes:
        owner: The recording that may give; None once it is let go.
        is_finishing: Its file is being made, or it is being removed.
        limit_bytes: What may wait: 64 KiB, or a second of both voices where that is more.
        paused_at_us: Where a cut has begun that has not ended.
        resumed_at_us: Where somebody asked first to go on, paused or not.
    """

    def __init__(self, keeper: Keeper, audio_format: AudioFormat, writer: Writer) -> None:
        self.keeper = keeper
        self.audio_format = audio_format
        self.owner: object | None = None
        self.is_finishing = False
        self.paused_at_us = keeper.spool.notes.paused_at_us
        self.resumed_at_us: int | None = None
        self._spoken = spoken = AudioFormat(sample_rate=audio_format.sample_rate)
        self.limit_bytes = max(
            _MIN_LIMIT_BYTES,
            audio_format.sample_rate * (audio_format.frame_bytes + spoken.frame_bytes),
        )
        self._rate = audio_format.sample_rate
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

    @property
    def kept_until_us(self) -> int:
        """Up to where the caller's audio goes that was given so far, now or before."""
        kept = self.keeper.spool.end_frame(Track.USER)
        return self._spoken.time_of(max(kept, self._runs[Track.USER].end))

    # --- the one who records -----------------------------------------------------------------

    def give(self, owner: object, track: Track, at_us: int, pcm: bytes) -> None:
        """See ``Recording.write``."""
        run, size = self._runs[track], len(pcm)
        if owner is not self.owner:
            raise RecordingFailed("the recording is closed, or somebody else has taken it over")
        if at_us < 0:
            raise InvalidValue("at_us", at_us, "0 or more")
        frames, broken = divmod(size, run.frame_bytes)
        if broken:
            raise InvalidValue("pcm", f"{size} bytes", f"frames of {run.frame_bytes} bytes")
        cost = size + _CHUNK_COST_BYTES
        if self._given_bytes + cost - self._taken_bytes > _WAKE_BYTES:
            self._writer.wake()
            if not self._has_room_for(cost):
                self._drop(track, at_us, size)
                return
        # AudioFormat.nearest_frame, without the call: this is the hot path.
        frame = (at_us * self._rate + _US_PER_S // 2) // _US_PER_S
        with self._lock:
            if frame != run.end:
                self._end_run(run)
                run.start = run.end = frame
                cost += _RUN_COST_BYTES
            run.chunks.append(pcm)
            run.end += frames
            self._given_bytes += cost

    def pause(self, at_us: int) -> None:
        """See ``Recording.pause``."""
        if self.paused_at_us is None:
            self.paused_at_us = at_us
            self._silence(partial(self.keeper.spool.pause, at_us), at_us, FOREVER)

    def resume(self, at_us: int) -> None:
        """See ``Recording.resume``."""
        if self.resumed_at_us is None:
            self.resumed_at_us = at_us
        if self.paused_at_us is None:
            return
        if at_us < self.paused_at_us:
            raise InvalidValue("at_us", at_us, f"{self.paused_at_us} or more: the cut's start")
        self.paused_at_us = None
        resume = partial(self.keeper.spool.resume, at_us)
        self.have_done(partial(self.keeper.attempt, resume, at_us=at_us))

    def mask(self, span: Span) -> None:
        """See ``Recording.mask``."""
        end_frame = self._spoken.nearest_frame(span.to_us)
        self._silence(partial(self.keeper.spool.mask, span), span.from_us, end_frame)

    def have_done(self, action: Callable[[], None]) -> None:
        """Have the writer do *action* at once, after all that was given before."""
        with self._lock:
            self._end_runs()
            self._queue.append(action)
        self._writer.wake()

    def _silence(self, action: Callable[[], None], from_us: int, end_frame: int) -> None:
        # At once, not with the next round: what is to be silent should not lie on a disk.
        self.have_done(partial(self.keeper.silence, action, from_us, end_frame))

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
        self.keeper.losses.add(
            ProblemKind.TOO_SLOW,
            track,
            Span(at_us, at_us + max(1, self._spoken.time_of(frames))),
            size_bytes,
            f"{self.limit_bytes} bytes wait for the disk already",
        )

    def _end_run(self, run: _Run) -> None:
        if run.chunks:
            self._queue.append((run, run.start, run.chunks))
            run.chunks = []
            run.start = run.end

    def _end_runs(self) -> None:
        for run in self._runs.values():
            self._end_run(run)

    # --- the writer's thread -----------------------------------------------------------------

    @property
    def is_unsynced(self) -> bool:
        """Whether something was written since the last sync."""
        return self.keeper.spool.is_unsynced

    def write_out(self) -> None:
        """Write what waits, in order; what the disk does not take becomes a gap."""
        with self._lock:
            self._end_runs()
            queue, self._queue = self._queue, []
            upto_bytes = self._given_bytes
        for work in queue:
            if callable(work):
                self.keeper.note_losses()
                work()
            else:
                run, start, chunks = work
                samples = to_s16_mono(b"".join(chunks), run.audio_format)
                self.keeper.write(run.track, start, samples)
        self.keeper.note_losses()
        self._taken_bytes = upto_bytes
        self._room.set()

    def adopt(self, notes: Notes) -> None:
        """Go on from what an owner on another machine has noted: it may have paused."""
        keeper, paused_at_us = self.keeper, notes.paused_at_us
        keeper.attempt(partial(keeper.spool.adopt, notes), at_us=0)
        if paused_at_us is None or self.paused_at_us is not None:
            return
        if keeper.opened_at_frame > self._spoken.nearest_frame(paused_at_us) or any(
            cut.from_us == paused_at_us for cut in keeper.spool.notes.cuts
        ):
            return  # we were here at that time, and know better what came of it
        if self.resumed_at_us is None:
            self.paused_at_us = paused_at_us
            keeper.silence(partial(keeper.spool.pause, paused_at_us), paused_at_us, FOREVER)
        elif self.resumed_at_us > paused_at_us:
            cut = Span(paused_at_us, self.resumed_at_us)
            keeper.attempt(partial(keeper.spool.cut, cut), at_us=paused_at_us)

    def sync(self) -> None:
        """See ``Source.sync``."""
        self.keeper.sync()

    def broke(self, error: Exception) -> None:
        """See ``Source.broke``."""
        self.keeper.broke(error)
