"""The engines of one session: the chains of its pipeline, on the session's terms."""

from __future__ import annotations

from collections.abc import Callable

from attrs import frozen

from ..core.instants import duration_us
from ..ports.agent import Agent
from ..ports.speech import SpeechToText, TextToSpeech, TurnDetector
from .alarms import Alarms
from .ears import Ears
from .engines import Engines, Terms
from .handle import SessionHandle
from .happenings import Stage
from .pipeline import Pipeline, SessionConfig
from .recogniser import Recogniser
from .services import Services

__all__ = ("Crew",)


@frozen(kw_only=True)
class Crew:
    """Who works for one session."""

    stt: Engines[SpeechToText]
    tts: Engines[TextToSpeech]
    agents: Engines[Agent]
    turns: TurnDetector | None

    @classmethod
    def of(
        cls,
        pipeline: Pipeline,
        config: SessionConfig,
        services: Services,
        alarms: Alarms,
        tell: Callable[[object], None],
    ) -> Crew:
        """Return the engines of *pipeline* at work; *tell* hears of their troubles."""
        timeouts = config.timeouts
        terms = Terms(
            clock=services.clock,
            alarms=alarms,
            tell=tell,
            draw=services.draw,
            backoff=config.backoff,
            lag_us=duration_us(timeouts.lag),
        )
        return cls(
            stt=Engines(Stage.STT, pipeline.stt, terms, limit_us=duration_us(timeouts.stt)),
            tts=Engines(Stage.TTS, pipeline.tts, terms, limit_us=duration_us(timeouts.tts)),
            agents=Engines(
                Stage.AGENT, pipeline.agent, terms, limit_us=duration_us(timeouts.agent)
            ),
            turns=pipeline.turns,
        )

    async def listen(
        self, pipeline: Pipeline, handle: SessionHandle, config: SessionConfig
    ) -> Ears:
        """Return the ears of the session, from where it stands; the caller closes them.

        Raises:
            InvalidValue: No engine can take the format or the language.
            ProviderError: No engine can be had.
        """
        recogniser = Recogniser(
            self.stt,
            handle.audio_format,
            handle.session.language,
            most_us=duration_us(config.replay),
            limit_us=duration_us(config.timeouts.stt),
        )
        return await Ears.open(pipeline, recogniser, handle.audio_format, at_us=handle.media_us)
