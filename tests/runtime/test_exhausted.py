"""While nothing is left to spend, a session settles what was, and nothing new is begun."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, TypeAlias

import pytest

from voicesession.core.accounts import Account, Limit, Scope
from voicesession.core.errors import BudgetExhausted, InvalidState, VoiceSessionError
from voicesession.core.meters import Meter
from voicesession.core.states import PauseReason, SessionState
from voicesession.core.timeline import Track
from voicesession.core.utterance import Speaker, Utterance
from voicesession.ports.agent import Prompt
from voicesession.runtime.happenings import EngineUsed
from voicesession.runtime.live import VoiceSession
from voicesession.runtime.manager import SessionManager
from voicesession.testing.stage import Stage

Does: TypeAlias = Callable[[VoiceSession, SessionManager], Any]

SECOND = bytes(32_000)
SECOND_US = 1_000_000
WORDS = Utterance(id="utt_1", speaker=Speaker.USER, start_us=0, end_us=SECOND_US, text="good bye")

SETTLES: dict[str, tuple[Does, str]] = {
    "final words": (lambda call, _: call.handle.final(WORDS), "UtteranceFinished"),
    "a warning": (lambda call, _: call.handle.warn("line_noisy"), "WarningRaised"),
    "consent": (lambda call, _: call.set_consent(True), "ConsentChanged"),
    "a task": (lambda call, _: call.handle.add_task("summary"), "DetailsChanged"),
    "metadata": (
        lambda call, voice: voice.update(call.session.id, metadata={"a": "b"}),
        "DetailsChanged",
    ),
    "what was used": (lambda call, _: call.handle.charge(counts={"video_tokens": 3}), ""),
    "partial words": (lambda call, _: call.handle.partial("good"), ""),
    "a lost line": (lambda call, _: call.handle.disconnected(), "TransportLost"),
    "a pause": (lambda call, voice: voice.pause(call.session.id), "PauseRequested"),
    "its end": (lambda call, voice: voice.end(call.session.id), "EndRequested"),
}

SPENDS: dict[str, tuple[Does, type[VoiceSessionError] | None]] = {
    "audio": (lambda call, _: call.process_audio(SECOND), None),
    "audio of a host": (lambda call, _: call.handle.audio(Track.USER, SECOND), None),
    "audio that waits": (lambda call, _: call.handle.afford(SECOND), None),
    "speech": (lambda call, _: call.say("good morning"), None),
    "typed words": (lambda call, _: call.send_text("good morning"), None),
    "an opened line": (lambda call, _: call.handle.live(), BudgetExhausted),
    "resuming": (lambda call, voice: voice.resume(call.session.id), BudgetExhausted),
    "resuming by hand": (lambda call, _: call.resume(), InvalidState),
}


@pytest.fixture
async def stage() -> AsyncGenerator[Stage]:
    async with Stage() as stage:
        ada = Account(Scope.USER, "ada")
        daily = Limit(account=ada, meter=Meter.AUDIO_US, window="day", amount=4 * SECOND_US)
        await stage.voice.budgets.set_limit(daily)
        yield stage


async def exhausted(stage: Stage, call: VoiceSession) -> None:
    for _ in range(6):
        await call.process_audio(SECOND)
        await call.settled()
    assert call.session.pause_reasons == {PauseReason.BUDGET_EXHAUSTED}
    stage.happened.clear()


async def done(doing: Any) -> Any:
    return await doing if isinstance(doing, Awaitable) else doing


async def events(call: VoiceSession, voice: SessionManager) -> list[str]:
    return [type(entry.event).__name__ for entry in await voice.journal(call.session.id)]


@pytest.mark.parametrize("what", SETTLES)
async def test_what_settles_is_taken(stage: Stage, what: str) -> None:
    does, event = SETTLES[what]
    async with stage.call() as (call, _phone):
        await exhausted(stage, call)
        before = await events(call, stage.voice)
        await done(does(call, stage.voice))
        await call.settled()
        assert await events(call, stage.voice) == [*before, *([event] if event else [])]
        assert call.session.state is not SessionState.LIVE


@pytest.mark.parametrize("what", SPENDS)
async def test_what_would_spend_is_refused_and_costs_nothing(stage: Stage, what: str) -> None:
    does, error = SPENDS[what]
    asked: list[Prompt] = []

    def answer(prompt: Prompt) -> list[str]:
        asked.append(prompt)
        return ["good morning"]

    async with stage.call(stage.pipeline(answer)) as (call, phone):
        await exhausted(stage, call)
        if error is None:
            assert not await done(does(call, stage.voice)) or what == "speech"
        else:
            with pytest.raises(error):
                await done(does(call, stage.voice))
        await phone.wait(2 * SECOND_US)
        await call.settled()
        assert call.session.pause_reasons == {PauseReason.BUDGET_EXHAUSTED}
        assert call.media_us == call.handle.ownership.running.audio_used_us == 4 * SECOND_US
        assert asked == []
        assert not [each for each in stage.happened if isinstance(each, EngineUsed)]
