"""
A telephone line in memory: what goes in at one end comes out at the other.

    near, far = loopback()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(carry, call, near)
        await far.send(frame)
        async for pcm in far: ...
"""

from __future__ import annotations

from collections import deque
from typing import Self

from anyio.lowlevel import checkpoint

from ..core.errors import InvalidValue, SessionNotActive
from ..runtime import carrying
from ..runtime.bell import Bell
from ..runtime.live import VoiceSession

__all__ = ("LineEnd", "carry", "loopback")


class _Way:
    """One direction of a line."""

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self.frames: deque[bytes] = deque()
        self.waiting_bytes = 0
        self.times_cleared = 0
        self.is_closed = False
        self.changed = Bell()


class LineEnd:
    """One end of a line, and a `Transport`; see `loopback`."""

    def __init__(self, outgoing: _Way, incoming: _Way) -> None:
        self._outgoing = outgoing
        self._incoming = incoming

    async def send(self, pcm: bytes) -> None:
        """Send *pcm*, once there is room for it on the line.

        Raises:
            SessionNotActive: The line is closed.
        """
        await checkpoint()
        way = self._outgoing
        times_cleared = way.times_cleared
        while way.waiting_bytes and way.waiting_bytes + len(pcm) > way.most_bytes:
            if way.is_closed:
                break
            await way.changed.wait()
        if way.is_closed:
            raise SessionNotActive("the line is closed")
        if way.times_cleared != times_cleared:
            return  # taken back before there was room for it
        way.frames.append(pcm)
        way.waiting_bytes += len(pcm)
        way.changed.ring()

    def clear(self) -> None:
        """Take back what was sent and not received."""
        way = self._outgoing
        way.frames.clear()
        way.waiting_bytes = 0
        way.times_cleared += 1
        way.changed.ring()

    def close(self) -> None:
        """Hang up: both ends hear what is on the line, and then no more."""
        for way in (self._outgoing, self._incoming):
            way.is_closed = True
            way.changed.ring()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        await checkpoint()
        way = self._incoming
        while not way.frames:
            if way.is_closed:
                raise StopAsyncIteration
            await way.changed.wait()
        pcm = way.frames.popleft()
        way.waiting_bytes -= len(pcm)
        way.changed.ring()
        return pcm


def loopback(*, most_bytes: int = 64_000) -> tuple[LineEnd, LineEnd]:
    """Return both ends of a new line.

    Args:
        most_bytes: How much may be on its way in each direction; who sends more waits.

    Raises:
        InvalidValue: *most_bytes* is not positive.
    """
    if most_bytes < 1:
        raise InvalidValue("most_bytes", most_bytes, "1 or more")
    there, back = _Way(most_bytes), _Way(most_bytes)
    return LineEnd(there, back), LineEnd(back, there)


async def carry(call: VoiceSession, line: LineEnd) -> None:
    """Carry audio between *call* and *line*, both ways, until one of them is over.

    The call is not ended by that, and the line is closed.
    """
    await carrying.carry(call, line)
    line.close()
