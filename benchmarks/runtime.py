"""
What a live session costs, beside a bare loop that only keeps time.

    python benchmarks/runtime.py [--json] [--sessions 400] [--seconds 4] [--short 10000]

Engines take no time and voice is not detected (the null detector), so what is measured is
the runtime itself: everything between a frame of the caller and a frame of the agent. All
in one process on one core; CPU time is what the process used, so a busy machine blurs the
latencies more than the rest.

==============================  ==========================================================
real-time sessions a core       50 frames a second each, paced by the clock; by CPU time
speech end → first frame        from the frame that ends the turn to the first of the reply
barge-in → silence              from the frame that interrupts to the reply's being cleared;
                                both on the wall, and as CPU of the loop's thread in between
                                (its other sessions' too): on an idle core that is the same
frames after barge-in           pieces of a reply that came out after that
idle session                    Python memory and tasks, once started and after 1 s of audio
start                           CPU of bringing a created session to LIVE
short sessions                  growth of memory from the first tenth to the last, leftovers
==============================  ==========================================================
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import time
import tracemalloc
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import AsyncExitStack
from statistics import quantiles
from typing import Any, Final

from voicesession.core.admission import AdmissionPolicy
from voicesession.core.audio import AudioFormat
from voicesession.core.floor.config import (
    EndpointingConfig,
    FloorConfig,
    InterruptionConfig,
    PreemptionConfig,
    PreemptionStrategy,
    VoiceActivityConfig,
)
from voicesession.core.session import Session
from voicesession.ports.agent import Prompt, ReplyPart
from voicesession.ports.speech import Final as Words, Recognition, SpeechAudio
from voicesession.providers.null import (
    NullRecognition,
    NullSpeechToText,
    NullTextToSpeech,
    NullVoiceActivityDetector,
)
from voicesession.runtime.happenings import ReplyCleared
from voicesession.runtime.live import VoiceSession
from voicesession.runtime.manager import SessionManager
from voicesession.runtime.pipeline import Pipeline, SessionConfig
from voicesession.runtime.services import Services
from voicesession.stores.memory import MemoryStorage
from voicesession.testing.scripted import CallbackAgent

FRAME_S: Final = 0.02
FRAME: Final = bytes(640)
TURNS: Final = 5
SPOKEN_FRAMES: Final = 50
LISTENED_S: Final = 0.5
TURN_S: Final = SPOKEN_FRAMES * FRAME_S + LISTENED_S
HURRIED: Final = FloorConfig(
    voice=VoiceActivityConfig(min_speech_us=20_000, min_silence_us=20_000),
    endpointing=EndpointingConfig(min_delay_us=0, max_delay_us=0),
    interruption=InterruptionConfig(min_words=0, min_speech_us=20_000, hold_after_us=None),
    preemption=PreemptionConfig(strategy=PreemptionStrategy.OFF),
)
"""Every decision of the floor at once: what is left is the way there."""


def answer(_prompt: Prompt) -> Iterable[ReplyPart]:
    yield "Here is the answer. "
    yield "And here is more about it."


class InstantVoiceActivityDetector:
    """Hears a voice in whatever does not begin with silence; frames are windows here."""

    name = "instant"
    window_us = 20_000

    def open(self, _audio_format: AudioFormat, /) -> InstantVoiceActivityDetector:
        return self

    def push(self, pcm: bytes, /) -> tuple[float, ...]:
        return (1.0 if pcm[0] else 0.0,)

    def close(self) -> None: ...

    async def aclose(self) -> None: ...


class InstantRecognition(NullRecognition):
    """Understands "hello" at every flush, and keeps nobody waiting who asks for what is there."""

    async def __anext__(self) -> Recognition:
        return self._answers.popleft() if self._answers else await super().__anext__()

    def flush(self) -> None:
        self._answer(Words(text="hello", start_us=0, end_us=0))
        super().flush()


class InstantSpeechToText(NullSpeechToText):
    async def open(self, audio_format: AudioFormat, /, *, language: str) -> InstantRecognition:  # noqa: ARG002  # the port's
        return InstantRecognition()


class InstantAgent:
    """Has thought of its answer before it is asked."""

    name = "instant"

    async def reply(self, prompt: Prompt, /) -> AsyncGenerator[ReplyPart]:
        for part in answer(prompt):
            yield part


class InstantTextToSpeech(NullTextToSpeech):
    """Has said everything before it is asked."""

    _speech = bytes(bytearray([1, 0]) * 16_000)

    async def speak(self, text: str, /, *, language: str) -> AsyncGenerator[SpeechAudio]:  # noqa: ARG002  # the port's
        yield SpeechAudio(pcm=self._speech)


VOICE: Final = b"\x01" * len(FRAME)
NULL: Final = Pipeline(
    vad=NullVoiceActivityDetector(),
    stt=NullSpeechToText(),
    tts=NullTextToSpeech(),
    agent=CallbackAgent(answer),
)
INSTANT: Final = Pipeline(
    vad=InstantVoiceActivityDetector(),
    stt=InstantSpeechToText(),
    tts=InstantTextToSpeech(),
    agent=InstantAgent(),
)


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

        self.tasks.append(asyncio.create_task(host()))
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
    frames = sessions * int(seconds / FRAME_S)
    return {
        "bare_us_a_frame": bare / frames * 1e6,
        "us_a_frame": ours / frames * 1e6,
        "bare_sessions_a_core": sessions * seconds / bare,
        "sessions_a_core": sessions * seconds / ours,
    }


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
        calls = [
            await stack.enter_async_context(
                voice.converse(session.id, NULL, config=SessionConfig(floor=HURRIED))
            )
            for session in created
        ]
        gc.collect()
        idle = tracemalloc.get_traced_memory()[0] - before
        tasks = len(asyncio.all_tasks()) - tasks
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
        before = time.process_time()
        for session in created:
            await stack.enter_async_context(voice.converse(session.id, NULL))
        spent = time.process_time() - before
    return {"start_ms": spent / sessions * 1e3}


async def short_sessions(count: int) -> dict[str, float]:
    def open_files() -> int:
        return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0  # noqa: PTH208, PTH112  # as cheap as it gets

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
        before = tracemalloc.get_traced_memory()[0]
        begin = time.process_time()
        for _ in range(count - count // 10):
            await one()
        spent = time.process_time() - begin
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0] - before
        tracemalloc.stop()
        return {
            "short_sessions": count,
            "short_session_ms": spent / (count - count // 10) * 1e3,
            "growth_kib": grown / 1024,
            "tasks_left": len(asyncio.all_tasks()) - tasks,
            "files_left": open_files() - files,
        }


async def measure(arguments: argparse.Namespace) -> dict[str, float]:
    return {
        **await sessions_a_core(arguments.sessions, arguments.seconds),
        **await latencies(100),
        **await weight(200),
        **await start_cost(500),
        **await short_sessions(arguments.short),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--sessions", type=int, default=400, help="that run at a time")
    parser.add_argument("--seconds", type=float, default=4.0, help="for how long they do")
    parser.add_argument("--short", type=int, default=10_000, help="sessions one after the other")
    arguments = parser.parse_args()
    figures = {name: round(value, 3) for name, value in asyncio.run(measure(arguments)).items()}
    if arguments.json:
        print(json.dumps(figures, indent=2))
        return
    for name, value in figures.items():
        print(f"{name.replace('_', ' '):40}{value:14,.3f}")


if __name__ == "__main__":
    main()
