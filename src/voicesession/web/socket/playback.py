"""What the client has been sent of the agent's voice, and what of it has been heard. Sans-I/O."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from ...runtime.playout import AgentAudio

__all__ = ("Playback",)

_US_PER_MS = 1_000


class Playback:
    """Pieces that were sent and have not been reported as played.

    Args:
        most_us: What is older than this counts as played, whatever the client says.
    """

    def __init__(self, most_us: int) -> None:
        self._most_us = most_us
        self._sent: deque[AgentAudio] = deque()
        self._sent_us = 0

    def sent(self, piece: AgentAudio) -> Iterator[AgentAudio]:
        """Take that *piece* is on its way; yield what counts as played because of its age."""
        self._sent.append(piece)
        self._sent_us += piece.end_us - piece.start_us
        while self._sent_us > self._most_us:
            yield self._next()

    def played(self, reply_id: int, played_ms: int) -> Iterator[AgentAudio]:
        """Yield the pieces that have been played, now that so much of the reply has.

        What is left of earlier replies is gone: they are over.
        """
        until_us = (played_ms + 1) * _US_PER_MS  # whole milliseconds: the last one began
        while self._sent and self._sent[0].reply_id <= reply_id:
            if self._sent[0].reply_id == reply_id and self._sent[0].end_us >= until_us:
                return
            piece = self._next()
            if piece.reply_id == reply_id:
                yield piece

    def clear(self, reply_id: int) -> None:
        """Forget a reply that nobody hears any more of."""
        kept = [piece for piece in self._sent if piece.reply_id != reply_id]
        self._sent = deque(kept)
        self._sent_us = sum(piece.end_us - piece.start_us for piece in kept)

    def _next(self) -> AgentAudio:
        piece = self._sent.popleft()
        self._sent_us -= piece.end_us - piece.start_us
        return piece
