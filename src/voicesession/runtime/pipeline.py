"""What a conversation is made of, and how it is led."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from functools import cached_property
from typing import Any, Final

from attrs import field, frozen

from ..core.backoff import Backoff
from ..core.errors import InvalidConfig
from ..core.floor.config import FloorConfig
from ..core.instants import duration_us
from ..ports.agent import Agent
from ..ports.speech import (
    NoiseSuppressor,
    SpeechToText,
    TextToSpeech,
    TurnDetector,
    VoiceActivityDetector,
)
from .chain import Chain, Engine
from .happenings import Stage
from .hooks import Hooks

__all__ = ("Pipeline", "SessionConfig", "Timeouts")


def _stt(engine: SpeechToText | Chain[SpeechToText]) -> Chain[SpeechToText]:
    return engine if isinstance(engine, Chain) else Chain(engine)


def _tts(engine: TextToSpeech | Chain[TextToSpeech]) -> Chain[TextToSpeech]:
    return engine if isinstance(engine, Chain) else Chain(engine)


def _agent(engine: Agent | Chain[Agent]) -> Chain[Agent]:
    return engine if isinstance(engine, Chain) else Chain(engine)


@frozen(kw_only=True)
class Pipeline:
    """The engines of a conversation. They are shared, long-lived, and closed by the host.

    Three of them may be a `Chain`, with engines to fall back on; a single engine becomes a
    chain of its own. Sessions that share the pipeline, or its chains, share what is known of
    the engines. Who makes a pipeline for each session makes its chains once, beside it.

    Attributes:
        noise: Cleans what the detector and the recogniser hear; the recording stays as it is.
        turns: Guesses from the words whether the user has finished; without one, silence
            alone decides.
    """

    vad: VoiceActivityDetector
    stt: Chain[SpeechToText] = field(converter=_stt)
    tts: Chain[TextToSpeech] = field(converter=_tts)
    agent: Chain[Agent] = field(converter=_agent)
    noise: NoiseSuppressor | None = None
    turns: TurnDetector | None = None

    @property
    def chains(self) -> Mapping[Stage, Chain[Engine]]:
        """The chains, by what they do."""
        return {Stage.STT: self.stt, Stage.TTS: self.tts, Stage.AGENT: self.agent}


_NOTHING: Final = timedelta()


def _count(_instance: object, attribute: Any, value: Any) -> None:
    if type(value) is not int or value < 0:
        raise InvalidConfig(attribute.name, value, "a whole number, 0 or more")


def _positive(_instance: object, attribute: Any, value: Any) -> None:
    if type(value) is not int or value < 1:
        raise InvalidConfig(attribute.name, value, "a whole number, 1 or more")


def _flag(_instance: object, attribute: Any, value: Any) -> None:
    if type(value) is not bool:
        raise InvalidConfig(attribute.name, value, "true or false")


def _duration(_instance: object, attribute: Any, value: Any) -> None:
    if not isinstance(value, timedelta) or value <= _NOTHING:
        raise InvalidConfig(attribute.name, value, "a timedelta above 0")


def _limit(_instance: object, attribute: Any, value: Any) -> None:
    if value is not None and (not isinstance(value, timedelta) or value <= _NOTHING):
        raise InvalidConfig(attribute.name, value, "a timedelta above 0, or None for no limit")


@frozen(kw_only=True)
class Timeouts:
    """How long an engine may keep a session waiting before it counts as failed.

    Attributes:
        stt: For a stream to open, and for the answer to a flush.
        tts: For the next piece of audio.
        agent: For the next piece of text.
        lag: Who takes longer than this is said to be slow (`EngineSlow`).

    Raises:
        InvalidConfig: A duration is not above 0.
    """

    stt: timedelta = field(default=timedelta(seconds=10), validator=_duration)
    tts: timedelta = field(default=timedelta(seconds=10), validator=_duration)
    agent: timedelta = field(default=timedelta(seconds=10), validator=_duration)
    lag: timedelta = field(default=timedelta(seconds=3), validator=_duration)


@frozen(kw_only=True)
class SessionConfig:
    """How a conversation is led, what it may take, and what it may hold in memory.

    The manager's `LifePolicy` holds beside the limits here: the stricter one wins. When the
    agent is interrupted, and what counts as away, is a matter of the ``floor``.

    Attributes:
        auto_start: `SessionManager.converse` does not start the session: the first audio does,
            or the first `say`. Until then its connect window runs.
        timeout: The session expires when nothing has happened for so long.
        max_active: It is paused as ``limit_reached`` after being LIVE for so long, pauses
            not counted, and ends soon after.
        max_wall_clock: It ends so long after it was started, pauses counted.
        goodbye_before: How long before either limit ``Hooks.goodbye`` is called.
        enable_keep_alive: Listeners are told a `KeepAlive` now and then, for a transport
            that has to say something to stay open.
        keep_alive_interval: How often.
        max_retries: How many more rounds through its engines a failed piece of work gets.
        retry_delay: The wait before the first of them; it doubles, and half of it is left
            to chance.
        timeouts: How long engines may take.
        replay: How much of what the user says may wait for a recogniser that works.
        ingest_chunk_bytes: Larger frames are taken in pieces of this size, so that others
            have their turn in between.
        hooks: What the host does at certain moments.
        hook_deadline: How long each of them may take.
        unplayed_us: Synthesised speech that may wait to be played; the synthesiser then
            waits for room.
        unstored: Finished utterances that may wait for the store; the caller's audio then
            waits too.
        history: Utterances that the agent is told of, the latest ones.

    Raises:
        InvalidConfig: A setting is not allowed; the error names it.
    """

    floor: FloorConfig = field(factory=FloorConfig)
    auto_start: bool = field(default=False, validator=_flag)
    timeout: timedelta | None = field(default=timedelta(minutes=30), validator=_limit)
    max_active: timedelta | None = field(default=None, validator=_limit)
    max_wall_clock: timedelta | None = field(default=None, validator=_limit)
    goodbye_before: timedelta = field(default=timedelta(seconds=10), validator=_duration)
    enable_keep_alive: bool = field(default=True, validator=_flag)
    keep_alive_interval: timedelta = field(default=timedelta(seconds=30), validator=_duration)
    max_retries: int = field(default=3, validator=_count)
    retry_delay: timedelta = field(default=timedelta(seconds=1), validator=_duration)
    timeouts: Timeouts = field(factory=Timeouts)
    replay: timedelta = field(default=timedelta(seconds=30), validator=_duration)
    ingest_chunk_bytes: int = field(default=8_192, validator=_positive)
    hooks: Hooks = field(factory=Hooks)
    hook_deadline: timedelta = field(default=timedelta(seconds=5), validator=_duration)
    unplayed_us: int = field(default=10_000_000, validator=_positive)
    unstored: int = field(default=100, validator=_positive)
    history: int = field(default=200, validator=_positive)

    @cached_property  # once for all sessions that are led like this
    def backoff(self) -> Backoff:
        """How often engines are asked again, and after which waits."""
        first_us = duration_us(self.retry_delay)
        return Backoff(
            retries=self.max_retries, first_us=first_us, longest_us=max(first_us, 30_000_000)
        )
