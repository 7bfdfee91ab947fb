"""
A whole conversation for one test: scripted engines, a caller, and time turned by hand.

    async with Stage() as stage, stage.call(echo) as (call, phone):
        await phone.say("good morning")
        await phone.wait(2_000_000)
    assert phone.heard_words == ["you", "said", "good", "morning"]
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from types import TracebackType
from typing import Final, Self, TypeVar

from ..core.deadlines import LifePolicy
from ..core.floor.config import FloorConfig, PreemptionConfig, PreemptionStrategy
from ..ports.agent import Prompt, ReplyPart
from ..ports.recording import Recorder
from ..ports.storage import Storage
from ..runtime.clock import SteppedClock
from ..runtime.live import VoiceSession
from ..runtime.manager import SessionManager
from ..runtime.pipeline import Pipeline, SessionConfig
from ..runtime.services import Services
from ..runtime.telemetry import Telemetry
from ..stores.memory import MemoryStorage
from .phone import Phone
from .scripted import (
    CallbackAgent,
    Lexicon,
    ScriptedSpeechToText,
    ScriptedTextToSpeech,
    ScriptedVoiceActivityDetector,
)

__all__ = ("PATIENT", "START", "Answer", "Stage", "echo")

START: Final = datetime(2026, 1, 1, tzinfo=UTC)

PATIENT: Final = FloorConfig(preemption=PreemptionConfig(strategy=PreemptionStrategy.OFF))
"""Replies begin when the turn is over, so that an agent is asked exactly once a turn."""

Answer = Callable[[Prompt], Iterable[ReplyPart]]
T = TypeVar("T")


def echo(prompt: Prompt) -> Iterable[ReplyPart]:
    """Answer "hello" with "you said hello"."""
    yield f"you said {prompt.text}"


class Stage:
    """One worker with everything in memory, and the callers that a test brings.

    Attributes:
        happened: What the listeners of all calls were told, in order.
    """

    def __init__(
        self,
        *,
        storage: Storage | None = None,
        recorder: Recorder | None = None,
        life: LifePolicy | None = None,
        telemetry: Telemetry | None = None,
        worker_id: str = "stage",
    ) -> None:
        self.clock = SteppedClock(START)
        self.lexicon = Lexicon()
        self.happened: list[object] = []
        self.voice = SessionManager(
            Services(
                storage=storage or MemoryStorage(),
                recorder=recorder,
                life=life or LifePolicy(),
                clock=self.clock,
                telemetry=telemetry or Telemetry(),
                worker_id=worker_id,
            )
        )

    async def __aenter__(self) -> Self:
        await self.voice.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        return await self.voice.__aexit__(exc_type, exc, traceback)

    @property
    def vad(self) -> ScriptedVoiceActivityDetector:
        """A detector that hears everything."""
        return ScriptedVoiceActivityDetector()

    @property
    def stt(self) -> ScriptedSpeechToText:
        """A recogniser of the lexicon's words."""
        return ScriptedSpeechToText(self.lexicon)

    @property
    def tts(self) -> ScriptedTextToSpeech:
        """A synthesiser of the lexicon's words."""
        return ScriptedTextToSpeech(self.lexicon)

    def pipeline(self, answer: Answer = echo) -> Pipeline:
        """Return engines that take no time; the agent says what *answer* returns."""
        return Pipeline(vad=self.vad, stt=self.stt, tts=self.tts, agent=CallbackAgent(answer))

    @asynccontextmanager
    async def call(
        self,
        pipeline: Pipeline | Answer = echo,
        *,
        config: SessionConfig | None = None,
        turns: int | None = None,
        session_id: str | None = None,
        take_over: bool = False,
    ) -> AsyncGenerator[tuple[VoiceSession, Phone]]:
        """Have a session and its caller, for the length of the block.

        Args:
            pipeline: The engines, or just what the agent answers.
            config: By default `PATIENT`, and all else as it is.
            turns: See `Phone`.
            session_id: Go on with this session instead of a new one.
            take_over: Although another block still has it; see `SessionManager.attach`.
        """
        if session_id is None:
            session = await self.voice.create(user_id="ada", store_transcript=True)
            session_id = session.id
        if not isinstance(pipeline, Pipeline):
            pipeline = self.pipeline(pipeline)
        config = config or SessionConfig(floor=PATIENT)
        async with self.voice.converse(
            session_id, pipeline, config=config, take_over=take_over
        ) as call:
            call.subscribe(self.happened.append)
            yield call, Phone(call, self.clock, self.lexicon, turns=turns)

    def happenings(self, kind: type[T]) -> list[T]:
        """Return everything of one kind that has happened, in order."""
        return [happening for happening in self.happened if isinstance(happening, kind)]
