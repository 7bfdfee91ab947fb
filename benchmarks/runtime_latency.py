"""How long a caller waits for the agent, and for its silence; for ``runtime.py``."""

from __future__ import annotations

import asyncio
import gc
from contextlib import AsyncExitStack
from random import Random
from statistics import quantiles
from typing import Final

from figures import Figures
from own_core import LoopClock, now
from runtime_engines import FRAME, FRAME_S, INSTANT, VOICE
from runtime_hosts import opened

from voicesession.runtime.happenings import ReplyCleared
from voicesession.runtime.live import VoiceSession

__all__ = ("bare_latency", "latencies")

TURNS: Final = 5
SPOKEN_FRAMES: Final = 50
LISTENED_FRAMES: Final = 25
TURN_S: Final = (SPOKEN_FRAMES + LISTENED_FRAMES) * FRAME_S


def percentiles(name: str, times: list[float]) -> Figures:
    hundredths = quantiles(times, n=100)
    return {f"{name}_p50": hundredths[49] * 1e3, f"{name}_p99": hundredths[98] * 1e3}


class Caller:
    """Speaks, waits for the first of the answer, interrupts it, and notes how long both took.

    Its line is never still: as in life a frame comes every 20 ms by a clock of its own, whether
    somebody speaks or listens, and however late the one before was taken.

    Args:
        begin_s: When its first frame comes, from when it calls.
    """

    def __init__(self, call: VoiceSession, begin_s: float) -> None:
        self._call = call
        self._next_s = begin_s
        self._sent = self._asked = 0.0
        self._heard = asyncio.Event()
        self._cleared = False
        self.to_first_frame: list[float] = []
        self.to_silence: list[float] = []
        self.frames_after = 0
        call.subscribe(self._follow)

    async def listen(self) -> None:
        async for piece in self._call.audio():
            if self._cleared:
                self.frames_after += 1
            if not self._heard.is_set():
                self.to_first_frame.append(now() - self._asked)
                self._heard.set()
            self._call.played(piece)

    async def talk(self) -> None:
        self._next_s += now()
        listening = asyncio.create_task(self.listen())
        for _ in range(TURNS):
            self._heard.clear()
            self._cleared = False
            for _ in range(SPOKEN_FRAMES):
                await self._send(VOICE)
            # One frame of silence: the voice is off, the flush is answered, the turn over.
            self._asked = await self._next_frame()
            await self._call.process_audio(FRAME)
            for _ in range(LISTENED_FRAMES):
                await self._send(FRAME)
            while not self._heard.is_set():
                await self._send(FRAME)
            while not self._cleared:
                await self._send(VOICE)
        listening.cancel()

    async def _send(self, frame: bytes) -> None:
        self._sent = await self._next_frame()
        await self._call.process_audio(frame)

    async def _next_frame(self) -> float:
        """Wait until a frame is due; return when that was."""
        await asyncio.sleep(self._next_s - now())
        self._next_s += FRAME_S
        return now()

    def _follow(self, happening: object) -> None:
        if isinstance(happening, ReplyCleared):
            self._cleared = True
            self.to_silence.append(now() - self._sent)


async def latencies(sessions: int, unit: str = "ms") -> Figures:
    async with AsyncExitStack() as stack:
        dice = Random(sessions)  # the same moments in each run: they are not what is compared
        callers = [
            Caller(call, dice.uniform(0, TURN_S))
            for call in await opened(stack, sessions, INSTANT, LoopClock())
        ]
        gc.collect()  # what was measured before has left garbage, which is none of their business
        await asyncio.gather(*map(Caller.talk, callers))
    first = [times for caller in callers for times in caller.to_first_frame]
    silence = [times for caller in callers for times in caller.to_silence]
    return {
        **percentiles(f"speech_end_to_first_frame_{unit}", first),
        **percentiles(f"barge_in_to_silence_{unit}", silence),
        "frames_after_barge_in": sum(caller.frames_after for caller in callers),
        "turns": len(first),
        "barge_ins": len(silence),
    }


async def bare_latency(sessions: int, unit: str = "ms") -> Figures:
    """Time a task that wakes another one, and nothing else, as often as a session takes turns."""
    took: list[float] = []

    async def wake(number: int) -> None:
        await asyncio.sleep(TURN_S * number / sessions)
        for _ in range(TURNS):
            await asyncio.sleep(TURN_S)
            asked = asyncio.Event()
            answering = asyncio.create_task(answer_to(asked, now()))
            await asyncio.sleep(0)
            asked.set()
            await answering

    async def answer_to(asked: asyncio.Event, then: float) -> None:
        await asked.wait()
        took.append(now() - then)

    await asyncio.gather(*map(wake, range(sessions)))
    return percentiles(f"bare_wake_{unit}", took)
