"""The speech engines of the commands: where nothing else is asked for, those of this machine."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..core.errors import InvalidConfig, InvalidValue
from ..ports.speech import SpeechToText, TextToSpeech
from ..runtime.pipeline import Pipeline
from ..wiring.engines import engines
from .agent import DemoAgent, EchoAgent
from .desk import Desk
from .failures import WrongUse

if TYPE_CHECKING:
    from ..schemas.settings import Settings

__all__ = ("callers_voice", "offline_pipeline", "serving_pipeline")

_DEMO_GRAMMAR: Final = Path(__file__).with_name("demo.jsgf")
_DETECTOR: Final = "silero"
_AGENTS_VOICE: Final = "espeak:en-us"
_CALLERS_VOICE: Final = "en-us+f3"


@asynccontextmanager
async def offline_pipeline(grammar: Path | None, desk: Desk) -> AsyncGenerator[Pipeline]:
    """Have engines that understand *grammar*, for the length of the block.

    Without one they understand the demo's own, and the agent knows what to answer, and has
    *desk* at hand.

    Raises:
        InvalidConfig: The extra ``offline`` is not installed.
        WrongUse: The grammar cannot be read, or has an error.
    """
    agent = DemoAgent(desk) if grammar is None else EchoAgent()
    recogniser = _recogniser(grammar or _DEMO_GRAMMAR)
    try:
        async with engines(vad=_DETECTOR, stt=recogniser, tts=_AGENTS_VOICE, agent=agent) as made:
            yield made
    finally:
        await recogniser.aclose()


@asynccontextmanager
async def serving_pipeline(settings: Settings) -> AsyncGenerator[Pipeline]:
    """Have the engines that *settings* name, and the offline ones for the rest.

    Raises:
        InvalidConfig: An engine cannot be had.
    """
    # The demo's agent knows the demo's sentences; whoever may say more gets them repeated.
    nobody = DemoAgent() if settings.stt is None else EchoAgent()
    async with engines(
        vad=settings.vad or _DETECTOR,
        stt=settings.stt or f"pocketsphinx:{_DEMO_GRAMMAR}",
        tts=settings.tts or _AGENTS_VOICE,
        agent=settings.agent or nobody,
    ) as made:
        yield made


def callers_voice() -> TextToSpeech:
    """Return a synthesiser that nobody takes for the agent."""
    from ..providers.offline.espeak import EspeakTextToSpeech

    return EspeakTextToSpeech(_CALLERS_VOICE, rate_wpm=150)


def _recogniser(grammar: Path) -> SpeechToText:
    from ..providers.offline.pocketsphinx import PocketSphinxSpeechToText

    try:
        return PocketSphinxSpeechToText(grammar.read_text(encoding="utf-8"))
    except InvalidConfig:
        raise
    except UnicodeDecodeError as error:
        raise WrongUse(f"{grammar}: not text in UTF-8") from error
    except InvalidValue as error:
        raise WrongUse(f"{grammar}: {error}") from error
    except OSError as error:
        raise WrongUse(f"{grammar}: {error.strerror}") from error
