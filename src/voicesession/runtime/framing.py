"""The caller's audio as it comes, cut into pieces that the session can take."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ("Framing",)


class Framing:
    """Puts torn sample frames together and cuts long audio into pieces.

    Args:
        frame_bytes: Of one sample frame.
        piece_bytes: How long a piece may be; at least one frame is.
    """

    __slots__ = ("_frame_bytes", "_torn", "_unshared_bytes", "piece_bytes")

    def __init__(self, frame_bytes: int, piece_bytes: int) -> None:
        self._frame_bytes = frame_bytes
        self.piece_bytes = max(frame_bytes, piece_bytes - piece_bytes % frame_bytes)
        """No piece is longer."""
        self._torn = b""
        self._unshared_bytes = 0

    def cut(self, audio: bytes) -> Sequence[bytes]:
        """Return *audio* behind what was torn last time, in pieces of whole frames.

        There is always one, which may be empty.
        """
        pcm = self._torn + audio
        torn = len(pcm) % self._frame_bytes
        if not torn and len(pcm) <= self.piece_bytes:
            self._torn = b""
            return (pcm,)
        whole = len(pcm) - torn
        self._torn = pcm[whole:]
        starts = range(0, max(1, whole), self.piece_bytes)
        return [pcm[start : min(start + self.piece_bytes, whole)] for start in starts]

    def is_others_turn(self, piece: bytes) -> bool:
        """Count *piece* as taken; tell, once for every long piece's worth, to let others work."""
        self._unshared_bytes += len(piece)
        if self._unshared_bytes < self.piece_bytes:
            return False
        self._unshared_bytes = 0
        return True
