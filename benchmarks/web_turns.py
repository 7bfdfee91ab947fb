"""
How long a turn and a barge-in take over the wire, while many talk at once; see ``web.py``.

The server is one process and all of its clients another one. Each client sends 50 frames a
second without a pause: a second of voice, a frame of silence, silence while it listens, and
voice again until the reply is cleared. Both are timed where the client is: from the write of
the frame that decides to the first byte that tells of it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import partial
from statistics import quantiles
from typing import Final

from web_wire import AUDIO, BINARY, FRAME_S, TEXT, Listener, Server, connected, serving, ws_frame

TURNS: Final = 4
SPOKEN_FRAMES: Final = 50
LOST_AFTER_S: Final = 30

VOICE: Final = ws_frame(BINARY, b"\x01" * 640)
CONVERSATION: Final = "/v1/audio/transcriptions/stream?mode=LS1A"


class Caller(Listener):
    """Speaks, waits for the first of the answer, interrupts it, and notes how long both took.

    Args:
        ends_turn: The frame that does.
        listened: Frames of the answer that it lets pass before it interrupts, if it does.
    """

    def __init__(self, path: str, *, ends_turn: bytes, listened: int, interrupts: bool) -> None:
        super().__init__(path)
        self._ends_turn = ends_turn
        self._listened = listened
        self._interrupts = interrupts
        self._due_s = 0.0
        self._asked_s = 0.0
        self._is_waiting = False
        self._is_cleared = False
        self.turns_s: list[float] = []
        self.barge_ins_s: list[float] = []

    def hear(self, opcode: int, payload: bytes) -> None:
        took_s = time.perf_counter() - self._asked_s
        if opcode == BINARY and self._is_waiting:
            self._is_waiting = False
            self.turns_s.append(took_s)
        elif b'"reply.clear"' in payload:
            self._is_cleared = True
            self.barge_ins_s.append(took_s)

    async def talk(self, begin_s: float) -> None:
        """Take turns, the first one at *begin_s*."""
        self._due_s = begin_s
        for _ in range(TURNS):
            for _ in range(SPOKEN_FRAMES):
                await self._send(VOICE)
            self._asked_s = await self._send(self._ends_turn)
            self._is_waiting = True
            while self._is_waiting:
                await self._send(AUDIO)
            for _ in range(self._listened):
                await self._send(AUDIO)
            self._is_cleared = not self._interrupts
            while not self._is_cleared:
                self._asked_s = await self._send(VOICE)

    async def _send(self, frame: bytes) -> float:
        """Send *frame* when it is due; return when it was sent."""
        await asyncio.sleep(self._due_s - time.perf_counter())
        self._due_s += FRAME_S
        sent_s = time.perf_counter()
        self.send(frame)
        return sent_s


BARE: Final = partial(Caller, "/", ends_turn=TEXT, listened=110, interrupts=False)
"""Hears the two seconds of its answer to their end: nobody could tell the next one from it."""
OURS: Final = partial(Caller, CONVERSATION, ends_turn=AUDIO, listened=25, interrupts=True)
TURN_S: Final = 3.5
"""No turn of either is longer."""


async def turns(callers: int) -> dict[str, float]:
    """Return what turns and barge-ins took, ours beside a bare server that answers a text."""
    figures: dict[str, float] = {}
    async with serving("bare", "hurried") as servers:
        for name, make in (("bare", BARE), ("hurried", OURS)):
            figures |= await _told(name, servers[name], callers, make)
    return figures


async def _told(
    name: str, server: Server, count: int, make: Callable[[], Caller]
) -> dict[str, float]:
    lines = await connected(server.port, count, make)
    begin_s, cpu_s = time.perf_counter() + FRAME_S, server.cpu_s
    async with asyncio.timeout(TURNS * TURN_S + LOST_AFTER_S):
        # As in life, neither their turns nor their frames come at the same moment.
        await asyncio.gather(
            *(line.talk(begin_s + TURN_S * number / count) for number, line in enumerate(lines))
        )
    busy = (server.cpu_s - cpu_s) / (time.perf_counter() - begin_s)
    told = {"turn": [took for line in lines for took in line.turns_s]}
    if name != "bare":
        told["barge_in"] = [took for line in lines for took in line.barge_ins_s]
    prefix = "bare_" if name == "bare" else ""
    figures = {f"{prefix}server_busy": busy}
    for what, times in told.items():
        hundredths = quantiles(times, n=100)
        figures[f"{prefix}{what}_ms_p50"] = hundredths[49] * 1e3
        figures[f"{prefix}{what}_ms_p99"] = hundredths[98] * 1e3
    return figures
