"""Engines by the names that settings give them, joined to a pipeline and closed again."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TypedDict, TypeVar, Unpack

from ..ports.agent import Agent, HoldsConnections
from ..ports.speech import SpeechToText, TextToSpeech, VoiceActivityDetector
from ..providers import names
from ..runtime.pipeline import Pipeline

__all__ = ("EngineChoice", "engines")

_E = TypeVar("_E")


class EngineChoice(TypedDict):
    """Who does what: a name of `voicesession.providers.names`, or an engine.

    An engine that is given is not closed here, one that is named is.
    """

    vad: str | VoiceActivityDetector
    stt: str | SpeechToText
    tts: str | TextToSpeech
    agent: str | Agent


@asynccontextmanager
async def engines(**choice: Unpack[EngineChoice]) -> AsyncGenerator[Pipeline]:
    """Have a pipeline of these engines, for all sessions of the block.

    Raises:
        InvalidConfig: There is no engine of a name, its extra is not installed, or its key
            is not in the environment.
    """
    async with AsyncExitStack() as stack:

        def made(chosen: str | _E, make: Callable[[str], _E]) -> _E:
            if not isinstance(chosen, str):
                return chosen
            engine = make(chosen)
            if isinstance(engine, HoldsConnections):
                stack.push_async_callback(engine.aclose)
            return engine

        yield Pipeline(
            vad=made(choice["vad"], names.voice_activity_detector),
            stt=made(choice["stt"], names.speech_to_text),
            tts=made(choice["tts"], names.text_to_speech),
            agent=made(choice["agent"], names.agent),
        )
