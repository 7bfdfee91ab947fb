"""The speech engines of the demo: real ones, on this machine, without a network."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

from ..core.errors import InvalidConfig, InvalidValue
from ..ports.speech import SpeechToText, TextToSpeech
from ..runtime.pipeline import Pipeline
from .agent import DemoAgent, EchoAgent
from .desk import Desk
from .failures import WrongUse

__all__ = ("callers_voice", "offline_pipeline")

_DEMO_GRAMMAR: Final = Path(__file__).with_name("demo.jsgf")
_AGENTS_VOICE: Final = "en-us"
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
    from ..providers.offline.espeak import EspeakTextToSpeech
    from ..providers.offline.silero import SileroVoiceActivityDetector

    pipeline = Pipeline(
        vad=SileroVoiceActivityDetector(),
        stt=_recogniser(grammar or _DEMO_GRAMMAR),
        tts=EspeakTextToSpeech(_AGENTS_VOICE),
        agent=DemoAgent(desk) if grammar is None else EchoAgent(),
    )
    async with AsyncExitStack() as stack:
        for engine in (pipeline.vad, pipeline.stt, pipeline.tts):
            stack.push_async_callback(engine.aclose)
        yield pipeline


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
