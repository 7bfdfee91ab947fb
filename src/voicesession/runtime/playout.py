"""
The agent's voice on its way out: paced, because it is made faster than it is heard.

Sans-I/O: it is told the time and says which piece is due. A piece is due when those
before it have been heard; what is late starts anew from the moment it is there.
"""

from __future__ import annotations

from typing import Final

from attrs import define, field, frozen

from ..core.audio import AudioFormat
from ..core.floor.effects import ReplyId

__all__ = ("AgentAudio", "Playout")

PIECE_US: Final = 20_000


@frozen(kw_only=True)
class AgentAudio:
    """A piece of a reply, s16le mono at the session's rate, at most 20 ms of it.

    Attributes:
        start_us: Where it begins within the audio of its reply.
        end_us: Where it ends; report this with ``played``.
    """

    reply_id: ReplyId
    pcm: bytes = field(repr=False)
    start_us: int
    end_us: int


@define
class _Voice:
    """One reply's audio. Offsets are bytes from the start of the reply."""

    waiting: bytearray = field(factory=bytearray)
    taken: int = 0
    complete: bool = False


class Playout:
    """Queues the audio of replies and lets at most one of them out at a time."""

    __slots__ = ("_format", "_held", "_next_due_us", "_piece_bytes", "_playing", "_voices")

    def __init__(self, sample_rate: int) -> None:
        self._format = AudioFormat(sample_rate=sample_rate)
        self._piece_bytes = self._format.bytes_at(PIECE_US)
        self._voices: dict[ReplyId, _Voice] = {}
        self._playing: ReplyId | None = None
        self._held = False
        self._next_due_us = 0

    def add(self, reply_id: ReplyId, pcm: bytes) -> int:
        """Queue *pcm* behind what there is of the reply; return the length of it all, in us."""
        voice = self._voices.setdefault(reply_id, _Voice())
        voice.waiting += pcm
        return self._format.duration_us(voice.taken + len(voice.waiting))

    def complete(self, reply_id: ReplyId) -> None:
        """Say that no more audio of the reply comes, so that its last piece may be short."""
        self._voices.setdefault(reply_id, _Voice()).complete = True

    def unplayed_us(self, reply_id: ReplyId) -> int:
        """Return how much of the reply has not been let out yet."""
        voice = self._voices.get(reply_id)
        return 0 if voice is None else self._format.duration_us(len(voice.waiting))

    def start(self, reply_id: ReplyId, now_us: int) -> None:
        """Let the reply out from now on."""
        self._playing = reply_id
        self._held = False
        self._next_due_us = now_us

    def hold(self) -> None:
        """Let nothing out for now, and keep it."""
        self._held = True

    def release(self, now_us: int) -> None:
        """Go on where it was held."""
        self._held = False
        self._next_due_us = max(self._next_due_us, now_us)

    def drop(self, reply_id: ReplyId) -> None:
        """Forget the reply and everything of it that is not played."""
        self._voices.pop(reply_id, None)
        if self._playing == reply_id:
            self._playing = None
            self._held = False

    @property
    def next_due_us(self) -> int | None:
        """When to call ``take`` next; None until something else happens."""
        return None if self._next_piece() is None else self._next_due_us

    def take(self, now_us: int) -> AgentAudio | None:
        """Return the next piece if it is due by *now_us*; it is on its way now."""
        if self._next_due_us > now_us or (ready := self._next_piece()) is None:
            return None
        if now_us - self._next_due_us >= PIECE_US:
            # It came late, so it is heard late: nobody hears two pieces at once.
            self._next_due_us = now_us
        return self._take(*ready)

    def _next_piece(self) -> tuple[ReplyId, int] | None:
        """Whose audio could go out next, and how many bytes of it; None where there is none."""
        if self._playing is None or self._held:
            return None
        voice = self._voices.get(self._playing)
        if voice is None or not voice.waiting:
            return None
        if len(voice.waiting) < self._piece_bytes and not voice.complete:
            return None
        return self._playing, min(len(voice.waiting), self._piece_bytes)

    def _take(self, reply_id: ReplyId, size: int) -> AgentAudio:
        voice = self._voices[reply_id]
        start_us = self._format.duration_us(voice.taken)
        pcm = bytes(voice.waiting[:size])
        del voice.waiting[:size]
        voice.taken += size
        end_us = self._format.duration_us(voice.taken)
        self._next_due_us += end_us - start_us
        return AgentAudio(reply_id=reply_id, pcm=pcm, start_us=start_us, end_us=end_us)
