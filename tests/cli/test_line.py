"""A telephone line between a caller and a session, in both ways to pass the time."""

from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from anyio.lowlevel import checkpoint

from voicesession.cli.desk import Sponsor
from voicesession.cli.line import STEP_US, AsFastAsItComputes, Line, Pace, RealTime
from voicesession.core.floor.effects import FloorChanged
from voicesession.core.states import EndReason, SessionState, TurnState
from voicesession.ports.agent import HangUp, Prompt, ReplyPart
from voicesession.ports.clock import Clock
from voicesession.runtime.clock import SteppedClock
from voicesession.runtime.live import VoiceSession
from voicesession.runtime.manager import SessionManager
from voicesession.runtime.pipeline import Pipeline
from voicesession.runtime.services import Services
from voicesession.stores.memory import MemoryStorage
from voicesession.testing.scripted import (
    CallbackAgent,
    Lexicon,
    ScriptedSpeechToText,
    ScriptedTextToSpeech,
    ScriptedVoiceActivityDetector,
)

START = datetime(2026, 1, 1, tzinfo=UTC)
LEXICON = Lexicon()
STEP_BYTES = LEXICON.format.bytes_at(STEP_US)


class Reader:
    """A caller who speaks what they were given, and then hangs up or listens for ever."""

    def __init__(self, *audio: bytes, hangs_up: bool = False) -> None:
        audio_in_all = b"".join(audio)
        self._pieces = iter(
            audio_in_all[at : at + STEP_BYTES] for at in range(0, len(audio_in_all), STEP_BYTES)
        )
        self._hangs_up = hangs_up
        self.turns: list[TurnState] = []

    def speak(self, turn: TurnState, /) -> bytes | None:
        self.turns.append(turn)
        return next(self._pieces, None if self._hangs_up else bytes(STEP_BYTES))

    def wait(self) -> None:
        raise AssertionError("nothing pauses here")


class Unheard(Reader):
    """A caller who is told when nobody hears them."""

    def __init__(self, *audio: bytes, is_told: Callable[[], None]) -> None:
        super().__init__(*audio)
        self.wait = is_told  # type: ignore[method-assign]


class WakingClock:
    """Sleeps by turning the clock of all others, and writes down until when."""

    def __init__(self) -> None:
        self.of_others = SteppedClock(START)
        self.slept_until_us: list[int] = []

    def now(self) -> datetime:
        return self.of_others.now()

    def monotonic_us(self) -> int:
        return self.of_others.monotonic_us()

    async def sleep_until(self, monotonic_us: int, /) -> None:
        self.slept_until_us.append(monotonic_us)
        self.of_others.advance(max(0, monotonic_us - self.monotonic_us()))
        await checkpoint()


def farewell(_prompt: Prompt) -> Iterator[ReplyPart]:
    yield "goodbye then"
    yield HangUp()


def a_story(_prompt: Prompt) -> Iterator[ReplyPart]:
    yield "one two three four five six seven eight nine ten"


def silence(_prompt: Prompt) -> Iterator[ReplyPart]:
    yield ""


@asynccontextmanager
async def a_call(
    clock: Clock,
    answer: Callable[[Prompt], Iterator[ReplyPart]] = farewell,
    audio_s: int | None = None,
) -> AsyncGenerator[VoiceSession]:
    services = Services(storage=MemoryStorage(), clock=clock, worker_id="w1")
    pipeline = Pipeline(
        vad=ScriptedVoiceActivityDetector(),
        stt=ScriptedSpeechToText(LEXICON),
        tts=ScriptedTextToSpeech(LEXICON),
        agent=CallbackAgent(answer),
    )
    async with SessionManager(services) as voice:
        session = await voice.create(store_transcript=True)
        if audio_s is not None:
            await Sponsor(voice, session.id, clock).pay(audio_s * 1_000_000)
        async with voice.converse(session.id, pipeline) as call:
            yield call


def spoken_words() -> bytes:
    return LEXICON.speech("that is all")


async def test_the_line_is_held_until_the_agent_has_said_goodbye() -> None:
    clock = SteppedClock(START)
    caller = Reader(spoken_words())
    async with a_call(clock) as call:
        await Line(caller, AsFastAsItComputes(clock)).hold(call)
        assert call.session.end_reason is EndReason.COMPLETED
        # 0.72 s of words, 0.54 s to see that they are over, 0.48 s of answer.
        assert call.media_us == clock.monotonic_us() == 1_740_000
    assert {TurnState.LISTENING, TurnState.SPEAKING} <= set(caller.turns)


async def test_the_line_is_held_until_the_caller_hangs_up() -> None:
    clock = SteppedClock(START)
    async with a_call(clock, silence) as call:
        await Line(Reader(spoken_words(), hangs_up=True), AsFastAsItComputes(clock)).hold(call)
        assert call.session.end_reason is EndReason.COMPLETED
        assert call.media_us == 720_000


async def test_a_line_that_is_cut_ends_the_session_as_cancelled() -> None:
    clock = SteppedClock(START)
    line = Line(Reader(), AsFastAsItComputes(clock))
    async with a_call(clock) as call:
        line.cut()
        await line.hold(call)
        assert call.session.end_reason is EndReason.CANCELLED


async def test_a_session_that_somebody_else_ends_is_let_go() -> None:
    clock = SteppedClock(START)

    caller = Reader()
    async with a_call(clock) as call:
        await call.stop(EndReason.EXPIRED)
        await Line(caller, AsFastAsItComputes(clock)).hold(call)
        assert call.session.end_reason is EndReason.EXPIRED
    assert caller.turns == []


async def test_a_caller_is_told_that_nobody_hears_them_also_while_the_agent_has_its_last_words() -> (
    None
):
    clock = SteppedClock(START)
    states: list[SessionState] = []

    def is_told() -> None:
        states.append(call.session.state)
        if states[-1] is SessionState.PAUSED:
            line.cut()

    line = Line(Unheard(spoken_words(), is_told=is_told), AsFastAsItComputes(clock))
    async with a_call(clock, a_story, audio_s=2) as call:
        await line.hold(call)
        assert call.media_us == 2_000_000
    assert states[0] is SessionState.LIVE
    assert states[-1] is SessionState.PAUSED


async def test_in_real_time_a_step_ends_when_its_20_ms_are_over() -> None:
    clock = WakingClock()
    async with a_call(clock.of_others, silence) as call:
        began_us = clock.monotonic_us()
        await Line(Reader(bytes(5 * STEP_BYTES), hangs_up=True), RealTime(clock)).hold(call)
    steps = [began_us + step * STEP_US for step in range(1, 6)]
    assert [at for at in clock.slept_until_us if at in steps] == steps


@pytest.mark.parametrize("late_us", [5_000, 50_000])
async def test_a_late_step_is_caught_up_with(late_us: int) -> None:
    clock = WakingClock()
    pace: Pace = RealTime(clock)
    pace.begin()
    await pace.step()
    clock.of_others.advance(late_us)
    for _ in range(4):
        await pace.step()
    assert clock.monotonic_us() == 5 * STEP_US


async def test_both_ways_lead_through_the_same_conversation() -> None:
    told: list[list[TurnState]] = []
    for clock, pace in (
        ((fast := SteppedClock(START)), AsFastAsItComputes(fast)),
        ((waking := WakingClock()).of_others, RealTime(waking)),
    ):
        states: list[TurnState] = []

        def listen(happening: object, states: list[TurnState] = states) -> None:
            if isinstance(happening, FloorChanged):
                states.append(happening.state)

        async with a_call(clock) as call:
            call.subscribe(listen)
            await Line(Reader(spoken_words()), pace).hold(call)
        told.append(states)
    # In real time it may be seen that the agent thinks: its engines take time.
    fast_states, real_states = ([s for s in one if s != TurnState.PROCESSING] for one in told)
    assert fast_states == real_states
    assert TurnState.SPEAKING in fast_states
