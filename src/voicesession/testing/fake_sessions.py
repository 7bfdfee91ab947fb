"""
Live sessions that are ready for a host's unit tests: one that is well, one that fails, one
that is slow. They are real sessions, on a store in memory; only their engines are scripted.

    async with fake_session() as fake:
        my_app.take(fake.call)
        await fake.phone.say("two coffees please")
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from enum import StrEnum
from typing import Final

from attrs import frozen

from ..core.errors import ProviderUnavailable
from ..ports.agent import Agent, Prompt, ReplyPart
from ..ports.clock import Clock
from ..runtime.live import VoiceSession
from ..runtime.pipeline import Pipeline, SessionConfig
from .faults import Faults, FaultyAgent, FaultySpeechToText, FaultyTextToSpeech
from .phone import Phone
from .scripted import CallbackAgent
from .stage import PATIENT, Answer, Stage, echo

__all__ = ("FakeKind", "FakeSession", "SlowAgent", "fake_session")

_SLOW_BY_US: Final = 5_000_000
_TURNS_OF_SLOW_ENGINES: Final = 50


class FakeKind(StrEnum):
    """How a fake session is doing."""

    ACTIVE = "active"
    """It hears, and answers at once."""
    FAILING = "failing"
    """It hears, and neither agent nor synthesiser work until the faults are healed."""
    SLOW = "slow"
    """The agent takes five seconds for its first word, by the clock of the stage."""


@frozen(kw_only=True)
class FakeSession:
    """A live session and all that a test needs to lead it.

    Attributes:
        call: What the host's code is given.
        phone: The caller.
        faults: Breaks the engines, and heals them.
        stage: The worker, its manager, its clock, and what listeners were told.
    """

    call: VoiceSession
    phone: Phone
    faults: Faults
    stage: Stage


@asynccontextmanager
async def fake_session(
    kind: str = FakeKind.ACTIVE, *, answer: Answer = echo, stage: Stage | None = None
) -> AsyncGenerator[FakeSession]:
    """Have a live session for the length of the block.

    Args:
        kind: ``active``, ``failing`` or ``slow``.
        answer: What the agent says to a prompt.
        stage: Where; one of its own if there is none.

    Raises:
        ValueError: There is no such *kind*.
    """
    how = FakeKind(kind)
    async with AsyncExitStack() as stack:
        if stage is None:
            stage = await stack.enter_async_context(Stage())
        faults = Faults(name="fake")
        if how is FakeKind.FAILING:
            for place in ("reply", "speak"):
                faults.fail_for_good(place, ProviderUnavailable("fake", "it always fails"))
        agent: Agent = CallbackAgent(answer)
        if how is FakeKind.SLOW:
            agent = SlowAgent(agent, stage.clock)
        pipeline = Pipeline(
            vad=stage.vad,
            stt=FaultySpeechToText(stage.stt, faults),
            tts=FaultyTextToSpeech(stage.tts, faults),
            agent=FaultyAgent(agent, faults),
        )
        turns = _TURNS_OF_SLOW_ENGINES if how is FakeKind.SLOW else None
        # Without another try: what fails is told at once.
        config = SessionConfig(floor=PATIENT, max_retries=0)
        call, phone = await stack.enter_async_context(
            stage.call(pipeline, config=config, turns=turns)
        )
        yield FakeSession(call=call, phone=phone, faults=faults, stage=stage)


class SlowAgent:
    """An agent that thinks for *delay_us* before its first word."""

    def __init__(self, agent: Agent, clock: Clock, *, delay_us: int = _SLOW_BY_US) -> None:
        self.name = "slow"
        self._agent = agent
        self._clock = clock
        self._delay_us = delay_us

    async def reply(self, prompt: Prompt, /) -> AsyncGenerator[ReplyPart]:
        await self._clock.sleep_until(self._clock.monotonic_us() + self._delay_us)
        async with aclosing(self._agent.reply(prompt)) as parts:
            async for part in parts:
                yield part
