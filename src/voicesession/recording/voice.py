"""
One voice on its way to the writer, as the one who records gives it.

Nearly every chunk is as long as the one before, and begins where that ended. For such a *run*
everything is reckoned once for many chunks: room for them is kept, and each is only compared
and appended. What costs most is that nothing of a recording is in the caches any more when its
next chunk comes, 20 ms later: so a run is small, and what all have in common they share.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from attrs import frozen

from ..core.audio import AudioFormat
from ..core.errors import InvalidValue
from ..core.timeline import Track

__all__ = ("CHUNK_COST_BYTES", "Run", "Stretch", "Voice")

CHUNK_COST_BYTES: Final = 64
"""What a chunk takes beside its samples."""
_AHEAD: Final = 32
"""For so many chunks, at most, room is kept at once."""
_US_PER_S: Final = 1_000_000
_NOWHERE: Final = -1


@frozen(kw_only=True)
class _Measure:
    """What a chunk of one size is.

    Attributes:
        duration_us: Without what is less than a microsecond.
        is_exact: Nothing is less.
        cost_bytes: What it takes of what may wait.
    """

    size: int
    frames: int
    sample_rate: int
    duration_us: int
    is_exact: bool
    cost_bytes: int


@lru_cache(maxsize=256)
def _measured(size: int, frame_bytes: int, sample_rate: int) -> _Measure:
    frames = size // frame_bytes
    duration_us, rest = divmod(frames * _US_PER_S, sample_rate)
    return _Measure(
        size=size,
        frames=frames,
        sample_rate=sample_rate,
        duration_us=duration_us,
        is_exact=not rest,
        cost_bytes=size + CHUNK_COST_BYTES,
    )


class Stretch:
    """Samples of one track that lie end to end. The writer takes them out at the front.

    Attributes:
        next_frame: Where the first of *chunks* belongs; the writer's.
        chunks: The one who records appends to it until the voice has another one.
    """

    __slots__ = ("chunks", "next_frame", "voice")

    def __init__(self, voice: Voice, first_frame: int) -> None:
        self.voice = voice
        self.next_frame = first_frame
        self.chunks: list[bytes] = []


class Run:
    """Chunks of one size, end to end, for which there is room. It belongs to one owner.

    Attributes:
        chunks: Where they go.
        due_us: The time of the next one; None where nobody knows.
        left: For how many there is room still.
        until: The frame up to which there is; nowhere, if the next must not be joined.
    """

    __slots__ = ("chunks", "due_us", "left", "measure", "until")

    def __init__(self, chunks: list[bytes], until: int) -> None:
        self.chunks = chunks
        self.due_us: int | None = None
        self.left = 0
        self.until = until
        self.measure = _measured(0, 1, 1)

    @property
    def end(self) -> int:
        """The frame that goes on with them."""
        return self.until - self.left * self.measure.frames

    def takes(self, at_us: int, pcm: bytes) -> bool:
        """Keep *pcm* if it is the next one; return whether it is."""
        measure = self.measure
        if at_us != self.due_us or not self.left or len(pcm) != measure.size:
            return False
        self.left -= 1
        self.chunks.append(pcm)
        if measure.is_exact:
            self.due_us = at_us + measure.duration_us
        else:  # from the sum, as media time is told: rounding must not add up
            self.due_us = self.end * _US_PER_S // measure.sample_rate
        return True


class Voice:
    """One track, as the one who records has it.

    Attributes:
        is_plain: Its samples are written as they come.
        kept_until: Where the stretches before have ended.
        run: Takes what comes as it came before.
    """

    __slots__ = (
        "audio_format",
        "frame_bytes",
        "is_plain",
        "kept_until",
        "run",
        "track",
    )

    def __init__(self, track: Track, audio_format: AudioFormat) -> None:
        self.track = track
        self.audio_format = audio_format
        self.frame_bytes = audio_format.frame_bytes
        self.is_plain = audio_format.plain is audio_format
        self.kept_until = 0
        self.run = Run([], _NOWHERE)

    def require_frames(self, at_us: int, size: int) -> None:
        """Make sure that *size* bytes may lie at *at_us*.

        Raises:
            InvalidValue: The last frame is broken, or *at_us* is negative.
        """
        if at_us < 0:
            raise InvalidValue("at_us", at_us, "0 or more")
        if size % self.frame_bytes:
            raise InvalidValue("pcm", f"{size} bytes", f"frames of {self.frame_bytes} bytes")

    def begin_stretch(self, first_frame: int) -> Stretch:
        """Return a new one, which takes what comes from here on; no run is under way."""
        stretch = Stretch(self, first_frame)
        self.kept_until = max(self.kept_until, self.run.end)
        self.run.until = first_frame
        self.run.chunks = stretch.chunks
        return stretch

    def append(self, at_us: int, pcm: bytes) -> None:
        """Keep *pcm*, which goes on where all has ended; no run is under way."""
        run, size = self.run, len(pcm)
        if size != run.measure.size:
            run.measure = _measured(size, self.frame_bytes, self.audio_format.sample_rate)
        run.until += run.measure.frames
        run.due_us, run.left = at_us, 1
        run.takes(at_us, pcm)

    def begin_run(self, room_bytes: int) -> int:
        """Let more come as the last one did; return how many of *room_bytes* are kept for it."""
        run, measure = self.run, self.run.measure
        run.left = max(0, min(_AHEAD, room_bytes // measure.cost_bytes))
        run.until += run.left * measure.frames
        return run.left * measure.cost_bytes

    def end_run(self) -> int:
        """Reckon anew with the next chunk; return the bytes that were kept and not needed."""
        run = self.run
        unused_bytes = run.left * run.measure.cost_bytes
        run.until, run.left = run.end, 0
        return unused_bytes

    def hold(self) -> None:
        """Let nothing be joined with what there is so far; no run is under way."""
        self.kept_until = max(self.kept_until, self.run.end)
        self.run.until = _NOWHERE

    def pass_on(self) -> None:
        """Go on with a run for another owner; the one before takes nothing; none is under way."""
        self.run = Run(self.run.chunks, self.run.until)
