"""
Engines that fail when a test wants them to, wrapped around engines that do not.

    faults = Faults()
    stt = FaultySpeechToText(ScriptedSpeechToText(lexicon), faults)
    faults.fail("push", after=3)        # the fourth piece of audio breaks the stream
    faults.fail("open", times=2)        # the next two streams cannot be opened
    faults.hang("flush")                # a question that is never answered

A fault waits in its place until something passes there; each is used up as often as it
was ordered. What happened to whom stands in ``faults.used``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Final, Literal, TypeAlias

import anyio
from attrs import define

from ..core.audio import AudioFormat
from ..core.errors import ProviderUnavailable
from ..ports.agent import Agent, Prompt, ReplyPart
from ..ports.speech import (
    MarksProgress,
    Recognition,
    RecognitionStream,
    SpeechAudio,
    SpeechToText,
    TextToSpeech,
)

__all__ = ("Faults", "FaultyAgent", "FaultySpeechToText", "FaultyTextToSpeech", "Place")

Place: TypeAlias = Literal["open", "push", "flush", "speak", "reply"]
"""Where a fault can be: of a recogniser, a synthesiser, an agent."""

_FOR_GOOD: Final = 1 << 30


@define(eq=False)
class _Fault:
    place: Place
    error: Exception | None
    after: int
    times: int


class Faults:
    """The faults that wait for an engine."""

    def __init__(self, *, name: str = "faulty") -> None:
        self.name = name
        self.used: list[Place] = []
        self._waiting: deque[_Fault] = deque()

    def fail(
        self,
        place: Place,
        error: Exception | None = None,
        *,
        after: int = 0,
        times: int = 1,
    ) -> None:
        """Have *error* raised at *place*, once so many have passed it, so many times.

        Without an error it is a `ProviderUnavailable`: another try may work.
        """
        failure = error or ProviderUnavailable(self.name, f"broken on purpose at {place}")
        self._waiting.append(_Fault(place, failure, after, times))

    def fail_for_good(self, place: Place, error: Exception | None = None) -> None:
        """Have *error* raised at *place* whenever something passes, until ``heal``."""
        self.fail(place, error, times=_FOR_GOOD)

    def hang(self, place: Place, *, after: int = 0, times: int = 1) -> None:
        """Let nothing come back from *place*, as a connection does that is dead unnoticed."""
        self._waiting.append(_Fault(place, None, after, times))

    def heal(self) -> None:
        """Let everything work from now on."""
        self._waiting.clear()

    def at(self, place: Place) -> _Fault | None:
        """For the engines: return the fault that something at *place* runs into."""
        fault = next((f for f in self._waiting if f.place == place), None)
        if fault is None:
            return None
        if fault.after > 0:
            fault.after -= 1
            return None
        fault.times -= 1
        if fault.times == 0:
            self._waiting.remove(fault)
        self.used.append(place)
        return fault

    async def pass_by(self, place: Place) -> None:
        """For the engines: pass *place*, if nothing is there."""
        fault = self.at(place)
        if fault is None:
            return
        if fault.error is None:
            await anyio.sleep_forever()
        else:
            raise fault.error


class FaultySpeechToText:
    """A recogniser that can be broken at ``open``, at ``push`` and at ``flush``."""

    def __init__(self, stt: SpeechToText, faults: Faults) -> None:
        self.name = faults.name
        self._stt = stt
        self._faults = faults

    async def open(self, audio_format: AudioFormat, /, *, language: str) -> RecognitionStream:
        await self._faults.pass_by("open")
        return _FaultyRecognition(
            await self._stt.open(audio_format, language=language), self._faults
        )

    async def aclose(self) -> None:
        await self._stt.aclose()


class _FaultyRecognition:
    """One stream; once broken it takes audio and does nothing, as a dead connection does."""

    def __init__(self, stream: RecognitionStream, faults: Faults) -> None:
        self._stream = stream
        self._faults = faults
        self._broken_by: _Fault | None = None
        self._breaks = anyio.Event()
        self._results = aiter(stream)

    def push(self, pcm: bytes, at_us: int, /) -> None:
        self._meet("push")
        if self._broken_by is None:
            self._stream.push(pcm, at_us)

    def flush(self) -> None:
        self._meet("flush")
        if self._broken_by is None:
            self._stream.flush()

    def mark(self) -> None:
        if self._broken_by is None and isinstance(self._stream, MarksProgress):
            self._stream.mark()

    def __aiter__(self) -> AsyncIterator[Recognition]:
        return self

    async def __anext__(self) -> Recognition:
        found: list[Recognition] = []
        async with anyio.create_task_group() as tasks:

            async def listen() -> None:
                async for result in self._results:
                    found.append(result)
                    break
                tasks.cancel_scope.cancel()

            async def break_off() -> None:
                await self._breaks.wait()
                tasks.cancel_scope.cancel()

            tasks.start_soon(listen)
            tasks.start_soon(break_off)
        if found:
            return found[0]
        if self._broken_by is None:
            raise StopAsyncIteration
        if self._broken_by.error is None:
            await anyio.sleep_forever()
            raise AssertionError
        raise self._broken_by.error

    async def aclose(self) -> None:
        await self._stream.aclose()

    def _meet(self, place: Place) -> None:
        if self._broken_by is None and (fault := self._faults.at(place)) is not None:
            self._broken_by = fault
            self._breaks.set()


class FaultyTextToSpeech:
    """A synthesiser that can be broken at ``speak``: before each piece of its audio."""

    def __init__(self, tts: TextToSpeech, faults: Faults) -> None:
        self.name = faults.name
        self._tts = tts
        self._faults = faults

    @property
    def audio_format(self) -> AudioFormat:
        return self._tts.audio_format

    async def speak(self, text: str, /, *, language: str) -> AsyncGenerator[SpeechAudio]:
        async with aclosing(self._tts.speak(text, language=language)) as pieces:
            async for piece in pieces:
                await self._faults.pass_by("speak")
                yield piece

    async def aclose(self) -> None:
        await self._tts.aclose()


class FaultyAgent:
    """An agent that can be broken at ``reply``: before each part of it."""

    def __init__(self, agent: Agent, faults: Faults) -> None:
        self.name = faults.name
        self._agent = agent
        self._faults = faults

    async def reply(self, prompt: Prompt, /) -> AsyncGenerator[ReplyPart]:
        async with aclosing(self._agent.reply(prompt)) as parts:
            async for part in parts:
                await self._faults.pass_by("reply")
                yield part
