"""
What waits between the one who records and the thread that writes: bounded, in order.

Most chunks never come here: the runs of `voice.py` take them, for which the feed has kept room.
"""

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
from .voice import CHUNK_COST_BYTES, Run, Stretch, Voice
from .writer import Writer

__all__ = ("Feed",)

_MIN_LIMIT_BYTES: Final = 56 * 1024
"""With all else that a recording has in memory these are 64 KiB."""
_LIMIT_US: Final = 900_000
_PIECE_BYTES: Final = 8 * 1024
"""A whole number of frames of any format. What is longer is given in pieces where it must wait, as
a chunk may be more than all that may wait."""
_STRETCH_COST_BYTES: Final = 512
"""What a stretch takes beside its chunks: one for each chunk must not cost unbounded memory."""


class Feed:
    """One recording's way to its keeper.

    One thread gives; the writer's takes. There is no lock between them, as giving is the
    hot path: each list and queue is only appended to at one end, and taken from at the other,
    and each count is changed by one of them only.

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
        self._wake_bytes = self.limit_bytes // 7 * 6
        self._voices = {
            Track.USER: Voice(Track.USER, audio_format),
            Track.AGENT: Voice(Track.AGENT, spoken),
        }
        self._queue: deque[Stretch | Callable[[], None]] = deque()
        self._unfinished: dict[Track, Stretch] = {}
        self._given_bytes = 0
        self._taken_bytes = 0
        self._room: Event | None = None
        """Set with every round; None where nobody waits for room, as nearly always."""

    @property
    def kept_until_us(self) -> int:
        """Up to where the caller's audio goes, now or before, when it was handed over last."""
        user = self._voices[Track.USER]
        spooled = self.keeper.spool.end_frame(Track.USER)
        return self._spoken.time_of(max(spooled, user.kept_until, user.run.end))

    # --- the one who records -----------------------------------------------------------------

    def hand_to(self, owner: object | None) -> tuple[Run, Run]:
        """Let only *owner* give from now on, or nobody; return the caller's run and the agent's."""
        self.owner = owner
        self._end_runs()
        for voice in self._voices.values():
            voice.pass_on()
        return self._voices[Track.USER].run, self._voices[Track.AGENT].run

    def give(self, owner: object, track: Track, at_us: int, pcm: bytes) -> None:
        """See ``Recording.write``; for what the run of *track* does not take."""
        if owner is not self.owner:
            raise RecordingFailed("the recording is closed, or somebody else has taken it over")
        voice, size = self._voices[track], len(pcm)
        voice.require_frames(at_us, size)
        self._given_bytes -= voice.end_run()
        cost_bytes = size + CHUNK_COST_BYTES
        if self._is_crowded_by(cost_bytes):
            if size > _PIECE_BYTES:
                self._give_in_pieces(owner, track, at_us, pcm)
                return
            if not self._has_room_for(cost_bytes):
                self._drop(track, at_us, size)
                return
        frame = self._spoken.nearest_frame(at_us)
        if frame != voice.run.end:
            self._queue.append(voice.begin_stretch(frame))
            cost_bytes += _STRETCH_COST_BYTES
        voice.append(at_us, pcm)
        given_bytes = self._given_bytes + cost_bytes
        room_bytes = self._wake_bytes - (given_bytes - self._taken_bytes)
        # Half of it: the other voice should find room, too.
        self._given_bytes = given_bytes + voice.begin_run(room_bytes // 2)

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
        self._end_runs()
        for voice in self._voices.values():
            voice.hold()
        self.have_done(action)

    def _give_in_pieces(self, owner: object, track: Track, at_us: int, pcm: bytes) -> None:
        frame, frame_bytes = self._spoken.nearest_frame(at_us), self._voices[track].frame_bytes
        for start in range(0, len(pcm), _PIECE_BYTES):
            piece_us = self._spoken.time_of(frame + start // frame_bytes)
            self.give(owner, track, piece_us, pcm[start : start + _PIECE_BYTES])

    @property
    def _waiting_bytes(self) -> int:
        """What waits, and what room is kept for."""
        return self._given_bytes - self._taken_bytes

    def _is_crowded_by(self, more_bytes: int) -> bool:
        """Whether the writer had better come before *more_bytes* are taken."""
        if self._waiting_bytes + more_bytes <= self._wake_bytes:
            return False
        self._end_runs()  # perhaps most of it is room that is kept
        return self._waiting_bytes + more_bytes > self._wake_bytes

    def _end_runs(self) -> None:
        for voice in self._voices.values():
            self._given_bytes -= voice.end_run()

    def _has_room_for(self, more_bytes: int) -> bool:
        """Wait, if need be, for the writer; but not for one that hangs.

        Who feeds faster than time, as from a file, waits here. In real time the writer has
        been hanging for longer than it may when there is no room left.
        """
        self._writer.wake()
        while self._waiting_bytes + more_bytes > self.limit_bytes:
            patience_s = self._writer.patience_s()
            if patience_s <= 0:
                return False
            self._room = room = Event()
            if self._waiting_bytes + more_bytes > self.limit_bytes:
                room.wait(patience_s)
        self._room = None
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
        while self._queue:
            work = self._queue.popleft()
            if isinstance(work, Stretch):
                self._go_on_with(work)
            else:
                self._write_unfinished()
                work()
        self._write_unfinished()

    def _go_on_with(self, stretch: Stretch) -> None:
        track = stretch.voice.track
        if track in self._unfinished:  # of which the last chunk was given before this one came
            self._write(self._unfinished[track])
        self._unfinished[track] = stretch
        self._taken_bytes += _STRETCH_COST_BYTES

    def _write_unfinished(self) -> None:
        for stretch in self._unfinished.values():
            self._write(stretch)
        self.keeper.note_losses()
        if (room := self._room) is not None:
            room.set()

    def _write(self, stretch: Stretch) -> None:
        chunks = stretch.chunks[:]
        if not chunks:
            return
        del stretch.chunks[: len(chunks)]
        pcm, voice, start = b"".join(chunks), stretch.voice, stretch.next_frame
        stretch.next_frame += len(pcm) // voice.frame_bytes
        try:
            samples = pcm if voice.is_plain else to_s16_mono(pcm, voice.audio_format)
            self.keeper.write(voice.track, start, samples)
        finally:
            self._taken_bytes += len(pcm) + len(chunks) * CHUNK_COST_BYTES

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
