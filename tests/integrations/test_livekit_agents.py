"""Our session under LiveKit's: what it says and hears is kept, and our budget binds it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import anyio
import pytest
from tests.integrations.eventually import eventually, said_by_now
from tests.integrations.sound import RATE_HZ, samples_spoken
from tests.patience import PATIENCE_S

from voicesession import AudioFormat, InvalidValue, Limit, SessionManager
from voicesession.core.accounts import Scope
from voicesession.core.floor.effects import FloorChanged
from voicesession.core.meters import Meter
from voicesession.core.states import PauseReason, SessionState
from voicesession.core.windows import Window

if TYPE_CHECKING:
    from tests.integrations.livekit_stage import Call

# LiveKit's own code leaves these behind.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")

SECOND = 50
"""Frames."""


Calls: TypeAlias = "Callable[..., AbstractAsyncContextManager[Call]]"


@pytest.fixture
def call(voice: SessionManager) -> Calls:
    """Holds a call that hears something after a second, and answers it."""
    from tests.integrations.livekit_stage import call

    return partial(call, voice)


async def test_a_conversation_is_kept_with_its_words_both_voices_and_its_usage(
    voice: SessionManager,
    call: Calls,
) -> None:
    async with call(hears="hello there") as live:
        session_id = live.handle.session.id
        live.microphone.speak(SECOND)
        said = await said_by_now(voice, session_id, count=2)
        live.microphone.speak(SECOND)
        await eventually(lambda: live.handle.media_us == 2_000_000)
    assert said == ["user: hello there", "agent: Good morning, Ada."]
    session = await voice.get(session_id)
    assert session.status == "completed"
    assert session.audio_duration_seconds == 2.0
    used = {
        standing.line.meter: standing.spent
        for standing in await voice.budgets.standings(
            voice.budgets.account(Scope.SESSION, session_id),
            [Meter.LLM_INPUT_TOKENS, Meter.LLM_OUTPUT_TOKENS, Meter.TTS_CHARACTERS],
        )
    }
    assert used == {
        Meter.LLM_INPUT_TOKENS: 7,
        Meter.LLM_OUTPUT_TOKENS: 3,
        Meter.TTS_CHARACTERS: len("Good morning, Ada."),
    }
    samples = len("Good morning, Ada.") * RATE_HZ // 100
    assert await samples_spoken(voice, session_id) == samples


async def test_who_has_the_floor_is_told_as_livekit_sees_it(
    voice: SessionManager, call: Calls
) -> None:
    from livekit.agents.voice import events

    turns: list[str] = []

    def listen(happening: object) -> None:
        if isinstance(happening, FloorChanged):
            turns.append(happening.state.value)

    async with call(hears="hello there") as live:
        live.handle.subscribe(listen)
        live.microphone.speak(SECOND)
        await said_by_now(voice, live.handle.session.id, count=2)
        await eventually(lambda: turns[-1:] == ["listening"])
        away = events.UserStateChangedEvent(old_state="listening", new_state="away")
        live.agents.emit("user_state_changed", away)
    assert turns[:3] == ["processing", "speaking", "listening"]
    assert turns[3] == "away"


async def test_of_an_interrupted_reply_only_what_was_played_is_recorded(
    voice: SessionManager,
    call: Calls,
) -> None:
    story = "Once upon a time there was a lighthouse at the end of the world."
    async with call(hears="a story please", reply=story) as live:
        session_id = live.handle.session.id
        live.loudspeaker.holds, live.loudspeaker.heard_s = True, 0.1
        live.microphone.speak(SECOND)
        with anyio.fail_after(PATIENCE_S):
            await live.loudspeaker.began.wait()
        await live.agents.interrupt(force=True)
        await said_by_now(voice, session_id, count=2)
        live.microphone.speak(SECOND)
        await eventually(lambda: live.handle.media_us == 2_000_000)
    transcript = await voice.transcript(session_id)
    assert transcript.utterances[1].interrupted
    assert await samples_spoken(voice, session_id) == RATE_HZ // 10


async def test_an_exhausted_budget_silences_livekit_and_a_raised_one_lets_it_go_on(
    voice: SessionManager,
    call: Calls,
) -> None:
    async with call() as live:
        session_id = live.handle.session.id
        account = voice.budgets.account(Scope.SESSION, session_id)
        limit = Limit(
            account=account, meter=Meter.AUDIO_US, window=Window.SESSION, amount=1_000_000
        )
        await voice.budgets.set_limit(limit)
        live.microphone.speak(40 * SECOND)
        await eventually(lambda: not live.agents.input.audio_enabled)
        assert live.handle.session.pause_reasons == {PauseReason.BUDGET_EXHAUSTED}
        await voice.budgets.raise_limit(account, Meter.AUDIO_US, Window.SESSION, by=60_000_000)
        await eventually(lambda: live.agents.input.audio_enabled)


async def test_ending_our_session_closes_livekits(call: Calls) -> None:
    async with call() as live:
        await live.handle.end()
        with anyio.fail_after(PATIENCE_S):
            await live.followed.closed()


async def test_a_caller_who_has_left_livekits_room_may_come_back(call: Calls) -> None:
    from livekit.agents.voice import events

    async with call() as live:
        event = events.CloseEvent(reason=events.CloseReason.PARTICIPANT_DISCONNECTED)
        live.agents.emit("close", event)
        await eventually(lambda: live.handle.session.state is SessionState.PAUSED)
        assert live.handle.session.pause_reasons == {PauseReason.DISCONNECTED}


async def test_what_was_typed_is_kept_beside_what_was_spoken(
    voice: SessionManager, call: Calls
) -> None:
    async with call() as live:
        live.agents.generate_reply(user_input="good morning")
        said = await said_by_now(voice, live.handle.session.id, count=2)
    assert said == ["user: good morning", "agent: Good morning, Ada."]


async def test_audio_that_cannot_be_kept_is_refused_before_the_agent_begins(
    voice: SessionManager,
) -> None:
    from livekit.agents import AgentSession

    from voicesession.integrations.livekit_agents import followed

    session = await voice.create(encoding="mulaw", sample_rate=8_000)
    async with voice.attach(session.id) as handle:
        with pytest.raises(InvalidValue, match="pcm_s16le"):
            async with followed(AgentSession(), handle):
                pass
    assert AudioFormat(encoding="mulaw", sample_rate=8_000) == session.audio_format
