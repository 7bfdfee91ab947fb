"""
Engines by name, as settings give them: ``deepgram:nova-3``, ``espeak``, ``openai:gpt-x``.

What stands behind the colon is the model, the voice or the file; keys come from the
environment. An engine's module is imported only when it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final, TypeVar

from ..core.errors import InvalidConfig
from ..ports.agent import Agent
from ..ports.speech import (
    NoiseSuppressor,
    SpeechToText,
    TextToSpeech,
    TurnDetector,
    VoiceActivityDetector,
)

__all__ = (
    "agent",
    "noise_suppressor",
    "speech_to_text",
    "text_to_speech",
    "turn_detector",
    "voice_activity_detector",
)

_T = TypeVar("_T")


def speech_to_text(name: str) -> SpeechToText:
    """Return the recogniser called *name*, owned and closed by the caller.

    ``deepgram[:model]``, ``openai[:model]``, ``pocketsphinx:grammar.jsgf`` or ``null``.

    Raises:
        InvalidConfig: There is none of this name, its extra is not installed, its key is not
            in the environment, or its grammar cannot be read.
        InvalidValue: The grammar has an error.
    """
    return _made("stt", name, _RECOGNISERS)


def text_to_speech(name: str) -> TextToSpeech:
    """Return the voice called *name*, owned and closed by the caller.

    ``elevenlabs:voice``, ``openai[:model]``, ``espeak[:voice]`` or ``null``.

    Raises:
        InvalidConfig: As for `speech_to_text`.
        InvalidValue: eSpeak has no such voice.
    """
    return _made("tts", name, _SPEAKERS)


def voice_activity_detector(name: str) -> VoiceActivityDetector:
    """Return the detector called *name*, owned and closed by the caller.

    ``silero``, ``energy`` or ``null``.

    Raises:
        InvalidConfig: There is none of this name, or its extra is not installed.
    """
    return _made("vad", name, _DETECTORS)


def turn_detector(name: str) -> TurnDetector:
    """Return the turn detector called *name*: ``silence`` or ``words``.

    Raises:
        InvalidConfig: There is none of this name.
    """
    return _made("turn_detector", name, _TURN_DETECTORS)


def noise_suppressor(name: str) -> NoiseSuppressor:
    """Return the noise suppressor called *name*: ``none``, which leaves the audio as it is.

    Raises:
        InvalidConfig: There is none of this name.
    """
    return _made("noise_suppressor", name, _SUPPRESSORS)


def agent(name: str) -> Agent:
    """Return the agent called *name*: ``openai:model``, or ``null``, which says nothing.

    One that `HoldsConnections` is closed by the caller.

    Raises:
        InvalidConfig: As for `speech_to_text`.
    """
    return _made("agent", name, _AGENTS)


def _made(kind: str, name: str, makers: Mapping[str, Callable[[str], _T]]) -> _T:
    engine, _, choice = name.strip().partition(":")
    if engine not in makers:
        raise InvalidConfig(kind, name, ", ".join(makers))
    try:
        return makers[engine](choice)
    except ImportError as error:
        # Ours say which extra is missing.
        raise InvalidConfig(kind, name, str(error)) from error


def _deepgram(model: str) -> SpeechToText:
    from .deepgram import DeepgramSpeechToText

    return DeepgramSpeechToText(model or "nova-3")


def _openai_recogniser(model: str) -> SpeechToText:
    from .openai import OpenAISpeechToText

    return OpenAISpeechToText(model or "gpt-4o-mini-transcribe")


def _pocketsphinx(grammar: str) -> SpeechToText:
    from .offline.pocketsphinx import PocketSphinxSpeechToText

    if not grammar:
        raise InvalidConfig("stt", "pocketsphinx", "pocketsphinx:grammar.jsgf")
    try:
        text = Path(grammar).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidConfig("stt", grammar, "a JSGF grammar that can be read") from error
    return PocketSphinxSpeechToText(text)


def _null_recogniser(_: str) -> SpeechToText:
    from .null import NullSpeechToText

    return NullSpeechToText()


def _elevenlabs(voice: str) -> TextToSpeech:
    from .elevenlabs import ElevenLabsTextToSpeech

    return ElevenLabsTextToSpeech(voice)


def _openai_voice(model: str) -> TextToSpeech:
    from .openai import OpenAITextToSpeech

    return OpenAITextToSpeech(model or "gpt-4o-mini-tts")


def _espeak(voice: str) -> TextToSpeech:
    from .offline.espeak import EspeakTextToSpeech

    return EspeakTextToSpeech(voice or "en-us")


def _null_voice(_: str) -> TextToSpeech:
    from .null import NullTextToSpeech

    return NullTextToSpeech()


def _silero(_: str) -> VoiceActivityDetector:
    from .offline.silero import SileroVoiceActivityDetector

    return SileroVoiceActivityDetector()


def _energy(_: str) -> VoiceActivityDetector:
    from .energy import EnergyVoiceActivityDetector

    return EnergyVoiceActivityDetector()


def _null_detector(_: str) -> VoiceActivityDetector:
    from .null import NullVoiceActivityDetector

    return NullVoiceActivityDetector()


def _silence(_: str) -> TurnDetector:
    from .turns import SilenceTurnDetector

    return SilenceTurnDetector()


def _words(_: str) -> TurnDetector:
    from .turns import WordsTurnDetector

    return WordsTurnDetector()


def _pass_through(_: str) -> NoiseSuppressor:
    from .pass_through import PassThroughNoiseSuppressor

    return PassThroughNoiseSuppressor()


def _openai_agent(model: str) -> Agent:
    from .openai import OpenAIAgent

    if not model:
        raise InvalidConfig("agent", "openai", "openai:model")
    return OpenAIAgent(model)


def _null_agent(_: str) -> Agent:
    from .callback import CallbackAgent

    return CallbackAgent(lambda _: None, name="null")


_RECOGNISERS: Final[Mapping[str, Callable[[str], SpeechToText]]] = MappingProxyType(
    {
        "deepgram": _deepgram,
        "openai": _openai_recogniser,
        "pocketsphinx": _pocketsphinx,
        "null": _null_recogniser,
    }
)
_SPEAKERS: Final[Mapping[str, Callable[[str], TextToSpeech]]] = MappingProxyType(
    {
        "elevenlabs": _elevenlabs,
        "openai": _openai_voice,
        "espeak": _espeak,
        "null": _null_voice,
    }
)
_DETECTORS: Final[Mapping[str, Callable[[str], VoiceActivityDetector]]] = MappingProxyType(
    {"silero": _silero, "energy": _energy, "null": _null_detector}
)
_TURN_DETECTORS: Final[Mapping[str, Callable[[str], TurnDetector]]] = MappingProxyType(
    {"silence": _silence, "words": _words}
)
_SUPPRESSORS: Final[Mapping[str, Callable[[str], NoiseSuppressor]]] = MappingProxyType(
    {"none": _pass_through}
)
_AGENTS: Final[Mapping[str, Callable[[str], Agent]]] = MappingProxyType(
    {"openai": _openai_agent, "null": _null_agent}
)
