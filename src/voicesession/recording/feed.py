"""What waits between the one who records and the thread that writes: bounded, in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from threading import Event
from typing import Final

from ..core.audio import AudioFormat
from ..core.errors import InvalidValue, RecordingFailed
from ..core.pcm import to_s16_mono
from ..core.timeline import Span, Track
from ..ports.recording import ProblemKind
from .keeper import Keeper
from .losses import kind_of
from .notes import Notes
from .spool import FOREVER
from .unsynced import Unsynced
from .writer import Writer

__all__ = ("Feed",)

_MIN_LIMIT_BYTES: Final = 56 * 1024
"""With all else that a recording has in memory these are 64 KiB."""
_LIMIT_US: Final = 900_000
_WAKE_BYTES: Final = 48 * 1024
"""When so much waits, the writer does not wait for its next round."""
_PIECE_BYTES: Final = 8 * 1024
"""A whole number of frames of any format. What is longer is given in pieces where it must wait, as
a chunk may be more than all that may wait."""
_CHUNK_COST_BYTES: Final = 64
"""What a chunk takes beside its samples."""
_STRETCH_COST_BYTES: Final = 512
"""What a stretch takes beside its chunks: one for each chunk must not cost unbounded memory."""
_US_PER_S: Final = 1_000_000
_NOWHERE: Final = -1


class _Stretch:
    """Samples of one track that lie end to end. The writer takes them out at the front.

    Attributes:
        next_frame: Where the first of *chunks* belongs; the writer's.
        chunks: The one who records appends to it while it is the last of its voice.
    """

    __slots__ = ("chunks", "next_frame", "voice")

    def __init__(self, voice: _Voice, first_frame: int) -> None:
        self.voice = voice
        self.next_frame = first_frame
        self.chunks: list[bytes] = []


class _Voice:
    """One track, as the one who records has it.

    Attributes:
        last: Where its audio goes now.
        end: The frame that goes on with it; nowhere, if the next must not be joined.
        due_us: The time of that frame; None where there is none, or it is no whole number.
        size: Of the chunk before, in bytes.
        frames: Likewise.
        duration_us: Likewise, without what is less than a microsecond.
        kept_until: Where the stretches before have ended.
    """

    __slots__ = (
        "audio_format",
        "chunks",
        "due_us",
        "duration_us",
        "end",
        "frame_bytes",
        "frames",
        "kept_until",
        "last",
        "size",
        "track",
    )

    def __init__(self, track: Track, audio_format: AudioFormat) -> None:
        self.track = track
        self.audio_format = audio_format
        self.frame_bytes = audio_format.frame_bytes
        self.last = _Stretch(self, 0)
        self.chunks = self.last.chunks
        self.end = _NOWHERE
        self.due_us: int | None = None
        self.size = self.frames = self.duration_us = 0
        self.kept_until = 0

    def hold(self) -> None:
        """Let nothing be joined with what there is so far."""
        self.kept_until = max(self.kept_until, self.end)
        self.end = _NOWHERE
        self.due_us = None


class Feed:
    """One recording's way to its keeper.

    One thread gives; the writer's takes. There is no lock between them, as giving is the
    hot path: each list and queue is only appended to at one end, and taken from at the other.

    Attributes:
        owner: The recording that may give; None once it is let go.
        is_finishing: Its file is being made, or it is being removed.
        limit_bytes: What may wait: 56 KiB, or 0.9 s of both voices where that is more.
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
        self._spoken = spoken = audio_format.plain
        self.limit_bytes = max(
            _MIN_LIMIT_BYTES, audio_format.bytes_at(_LIMIT_US) + spoken.bytes_at(_LIMIT_US)
        )
        self._writer = writer
        self._rate = audio_format.sample_rate
        self._voices = {
            Track.USER: _Voice(Track.USER, audio_format),
            Track.AGENT: _Voice(Track.AGENT, spoken),
        }
        self._queue: deque[_Stretch | Callable[[], None]] = deque()
        self._unfinished: list[_Stretch] = []
        self._given_bytes = 0
        self._taken_bytes = 0
        self._room = Event()

    @property
    def kept_until_us(self) -> int:
        """Up to where the caller's audio goes that was given so far, now or before."""
        user = self._voices[Track.USER]
        spooled = self.keeper.spool.end_frame(Track.USER)
        return self._spoken.time_of(max(spooled, user.kept_until, user.end))

    # --- the one who records -----------------------------------------------------------------

    def give(self, owner: object, track: Track, at_us: int, pcm: bytes) -> None:
        """See ``Recording.write``."""
        voice, size = self._voices[track], len(pcm)
        if owner is not self.owner:
            raise RecordingFailed("the recording is closed, or somebody else has taken it over")
        # As nearly always: then its place is known, and need not be reckoned in long numbers.
        is_next = at_us == voice.due_us and size == voice.size
        if not is_next:
            _check(voice, at_us, size)
        given_bytes = self._given_bytes + size + _CHUNK_COST_BYTES
        if given_bytes - self._taken_bytes > _WAKE_BYTES:
            if size > _PIECE_BYTES:
                self._give_in_pieces(owner, track, at_us, pcm)
                return
            if not self._has_room_for(given_bytes):
                self._drop(track, at_us, size)
                return
        self._given_bytes = given_bytes
        if is_next:
            voice.end += voice.frames
            voice.due_us = at_us + voice.duration_us
        else:
            self._go_to(voice, at_us, size)
        voice.chunks.append(pcm)

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
        self._have_done_in_between(partial(self.keeper.attempt, resume, at_us=at_us))

    def mask(self, span: Span) -> None:
        """See ``Recording.mask``."""
        end_frame = self._spoken.nearest_frame(span.to_us)
        self._silence(partial(self.keeper.spool.mask, span), span.from_us, end_frame)

    def have_done(self, action: Callable[[], None]) -> None:
        """Have the writer do *action* at once, after all that was given before.

        Any thread may ask for it.
        """
        self._queue.append(action)
        self._writer.wake()

    def _silence(self, action: Callable[[], None], from_us: int, end_frame: int) -> None:
        # At once, not with the next round: what is to be silent should not lie on a disk.
        self._have_done_in_between(partial(self.keeper.silence, action, from_us, end_frame))

    def _have_done_in_between(self, action: Callable[[], None]) -> None:
        """Have it done before what is given from here on, too."""
        for voice in self._voices.values():
            voice.hold()
        self.have_done(action)

    def _give_in_pieces(self, owner: object, track: Track, at_us: int, pcm: bytes) -> None:
        frame, frame_bytes = self._spoken.nearest_frame(at_us), self._voices[track].frame_bytes
        for start in range(0, len(pcm), _PIECE_BYTES):
            piece_us = self._spoken.time_of(frame + start // frame_bytes)
            self.give(owner, track, piece_us, pcm[start : start + _PIECE_BYTES])

    def _go_to(self, voice: _Voice, at_us: int, size: int) -> None:
        frame = self._spoken.nearest_frame(at_us)
        if frame != voice.end:
            self._begin_stretch(voice, frame)
        voice.size, voice.frames = size, size // voice.frame_bytes
        voice.end = frame + voice.frames
        voice.duration_us, rest = divmod(voice.frames * _US_PER_S, self._rate)
        voice.due_us = None if rest else at_us + voice.duration_us

    def _begin_stretch(self, voice: _Voice, frame: int) -> None:
        voice.kept_until = max(voice.kept_until, voice.end)
        voice.last = _Stretch(voice, frame)
        voice.chunks = voice.last.chunks
        self._queue.append(voice.last)
        self._given_bytes += _STRETCH_COST_BYTES

    def _has_room_for(self, given_bytes: int) -> bool:
        """Wait, if need be, for the writer; but not for one that hangs.

        Who feeds faster than time, as from a file, waits here. In real time the writer has
        been hanging for longer than it may when there is no room left.
        """
        self._writer.wake()
        while given_bytes - self._taken_bytes > self.limit_bytes:
            patience_s = self._writer.patience_s()
            if patience_s <= 0:
                return False
            self._room.clear()
            if given_bytes - self._taken_bytes > self.limit_bytes:
                self._room.wait(patience_s)
        return True

    def _drop(self, track: Track, at_us: int, size_bytes: int) -> None:
        frames = size_bytes // self._voices[track].frame_bytes
        self.keeper.losses.add(
            ProblemKind.TOO_SLOW,
            track,
            Span(at_us, at_us + max(1, self._spoken.time_of(frames))),
            size_bytes,
            f"{self.limit_bytes} bytes wait for the disk already",
        )

    # --- the writer's thread -----------------------------------------------------------------

    @property
    def is_unsynced(self) -> bool:
        """Whether something was written since the last `begin_sync`."""
        return self.keeper.spool.is_unsynced

    def write_out(self) -> None:
        """Write what waits, in order; what the disk does not take becomes a gap."""
        self._write_unfinished()
        if not self._queue:
            return
        while self._queue:
            work = self._queue.popleft()
            if isinstance(work, _Stretch):
                self._unfinished.append(work)
                self._taken_bytes += _STRETCH_COST_BYTES
            else:
                self._write_unfinished()
                work()
        self._write_unfinished()

    def _write_unfinished(self) -> None:
        for stretch in tuple(self._unfinished):
            # Asked before its chunks are taken: then none can come in between.
            if stretch is not stretch.voice.last:
                self._unfinished.remove(stretch)
            self._write(stretch)
        self.keeper.note_losses()
        if not self._room.is_set():  # nearly always it is: nobody waits
            self._room.set()

    def _write(self, stretch: _Stretch) -> None:
        chunks = stretch.chunks[:]
        if not chunks:
            return
        del stretch.chunks[: len(chunks)]
        pcm, audio_format = b"".join(chunks), stretch.voice.audio_format
        start = stretch.next_frame
        stretch.next_frame += len(pcm) // stretch.voice.frame_bytes
        try:
            self.keeper.write(stretch.voice.track, start, to_s16_mono(pcm, audio_format))
        finally:
            self._taken_bytes += len(pcm) + len(chunks) * _CHUNK_COST_BYTES

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

    def begin_sync(self) -> Callable[[], None]:
        """See ``Source.begin_sync``."""
        return partial(self._sync, *self.keeper.take_unsynced())

    def broke(self, error: Exception) -> None:
        """See ``Source.broke``."""
        self.keeper.broke(error)

    # --- any thread ---------------------------------------------------------------------------

    def _sync(self, unsynced: Unsynced, span: Span) -> None:
        try:
            unsynced.sync()
        except OSError as error:  # it may not survive a power cut; it is not lost
            self.keeper.losses.add_problem(kind_of(error), span, str(error))
            self.have_done(partial(self.keeper.spool.take_back, unsynced))


def _check(voice: _Voice, at_us: int, size: int) -> None:
    if at_us < 0:
        raise InvalidValue("at_us", at_us, "0 or more")
    if size % voice.frame_bytes:
        raise InvalidValue("pcm", f"{size} bytes", f"frames of {voice.frame_bytes} bytes")
