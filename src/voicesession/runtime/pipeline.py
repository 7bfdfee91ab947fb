"""What a conversation is made of, and how it is led."""

from __future__ import annotations

from typing import Any

from attrs import field, frozen

from ..core.errors import InvalidConfig
from ..core.floor.config import FloorConfig
from ..ports.agent import Agent
from ..ports.speech import SpeechToText, TextToSpeech, VoiceActivityDetector

__all__ = ("Pipeline", "SessionConfig")


@frozen(kw_only=True)
class Pipeline:
    """The engines of a conversation. They are shared, long-lived, and closed by the host."""

    vad: VoiceActivityDetector
    stt: SpeechToText
    tts: TextToSpeech
    agent: Agent


def _positive(_instance: object, attribute: Any, value: Any) -> None:
    if not isinstance(value, int) or value < 1:
        raise InvalidConfig(attribute.name, value, "a whole number of 1 or more")


@frozen(kw_only=True)
class SessionConfig:
    """How a conversation is led, and what it may hold in memory.

    Attributes:
        unplayed_us: Synthesised speech that may wait to be played; the synthesiser then
            waits for room.
        unstored: Finished utterances that may wait for the store; the caller's audio then
            waits too.
        history: Utterances that the agent is told of, the latest ones.
    """

    floor: FloorConfig = field(factory=FloorConfig)
    unplayed_us: int = field(default=10_000_000, validator=_positive)
    unstored: int = field(default=100, validator=_positive)
    history: int = field(default=200, validator=_positive)
