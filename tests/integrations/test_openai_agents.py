"""Our session under the OpenAI Agents SDK: its memory, and its realtime calls."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
from tests.integrations.eventually import eventually
from tests.integrations.sound import samples_spoken

import voicesession
from voicesession import Limit, SessionManager
from voicesession.core.accounts import Scope
from voicesession.core.meters import Meter
from voicesession.core.states import PauseReason
from voicesession.core.windows import Window

if TYPE_CHECKING:
    from voicesession.integrations.openai_agents import TranscriptMemory

SECOND = 50
"""Frames."""


@pytest.fixture
async def voice(tmp_path: Path) -> AsyncGenerator[SessionManager]:
    async with voicesession.open(f"sqlite:///{tmp_path}/voice.db", recordings=tmp_path) as voice:
        yield voice


# --- memory --------------------------------------------------------------------------------


@asynccontextmanager
async def memory(voice: SessionManager, session_id: str) -> AsyncGenerator[TranscriptMemory]:
    from voicesession.integrations.openai_agents import TranscriptMemory

    async with voice.attach(session_id) as handle:
        await handle.live()
        yield TranscriptMemory(voice, handle)


def user(text: str) -> Any:
    return {"role": "user", "content": text}


def assistant(text: str) -> Any:
    part = {"type": "output_text", "text": text, "annotations": []}
    return {"id": "m1", "type": "message", "role": "assistant", "content": [part]}


TOOL: Any = {"type": "function_call", "call_id": "1", "name": "clock", "arguments": "{}"}


async def test_what_is_said_is_remembered_in_another_process_and_the_rest_is_not_claimed(
    voice: SessionManager,
) -> None:
    from agents.memory import Session as AgentsSession

    session = await voice.create(store_transcript=True)
    async with memory(voice, session.id) as first:
        assert isinstance(first, AgentsSession)
        await first.add_items([user("What time is it?"), TOOL, assistant("It is noon.")])
        assert await first.get_items() == [user("What time is it?"), TOOL, assistant("It is noon.")]
        assert await first.get_items(limit=1) == [assistant("It is noon.")]
    async with memory(voice, session.id) as second:
        again = [user("What time is it?"), {"role": "assistant", "content": "It is noon."}]
        assert await second.get_items() == again
        await second.add_items([user("Thank you.")])
        assert await second.get_items() == [*again, user("Thank you.")]
    said = (await voice.transcript(session.id)).utterances
    assert [one.text for one in said] == ["What time is it?", "It is noon.", "Thank you."]


async def test_what_was_popped_or_cleared_is_forgotten_for_good_and_was_said_all_the_same(
    voice: SessionManager,
) -> None:
    session = await voice.create(store_transcript=True)
    async with memory(voice, session.id) as first:
        await first.add_items([user("one"), user("two"), user("three")])
        await first.clear_session()
        await first.add_items([user("four"), user("five")])
        assert await first.pop_item() == user("five")
    async with memory(voice, session.id) as second:
        assert await second.get_items() == [user("four")]
        await second.pop_item()
        assert await second.pop_item() is None
    said = (await voice.transcript(session.id)).utterances
    assert [one.text for one in said] == ["one", "two", "three", "four", "five"]


async def test_the_sdks_own_runner_remembers_across_processes(voice: SessionManager) -> None:
    from agents import Agent, RunConfig, Runner
    from agents.testing import ScriptedModel, assistant_message

    session = await voice.create(store_transcript=True)
    model = ScriptedModel(
        [[assistant_message("Two coffees.")], [assistant_message("You had two.")]]
    )
    clerk = Agent(name="clerk", model=model)
    untraced = RunConfig(tracing_disabled=True)
    async with memory(voice, session.id) as first:
        await Runner.run(clerk, "Two coffees please.", session=first, run_config=untraced)
    async with memory(voice, session.id) as second:
        answer = await Runner.run(clerk, "What did I have?", session=second, run_config=untraced)
    assert answer.final_output == "You had two."
    assert model.last_call is not None
    heard = [(item["role"], _text(item)) for item in cast("list[Any]", model.last_call.input)]
    assert heard == [
        ("user", "Two coffees please."),
        ("assistant", "Two coffees."),
        ("user", "What did I have?"),
    ]


def _text(item: Any) -> str:
    content = item["content"]
    return str(content if isinstance(content, str) else content[0]["text"])


# --- realtime calls ------------------------------------------------------------------------


async def test_a_realtime_call_is_kept_with_its_words_both_voices_and_its_tokens(
    voice: SessionManager,
) -> None:
    from tests.integrations import openai_stage as stage

    async with stage.call(voice) as live:
        session_id = live.handle.session.id
        await live.hear(SECOND)
        await live.say(
            stage.heard("hello there"),
            stage.TURN_STARTED,
            stage.words("Good morning."),
            stage.audio(0.5),
            stage.usage(input_tokens=7, output_tokens=3),
            stage.TURN_ENDED,
        )
        await live.hear(SECOND)
    said, agent = (await voice.transcript(session_id)).utterances
    assert (said.text, agent.text, agent.interrupted) == ("hello there", "Good morning.", False)
    account = voice.budgets.account(Scope.SESSION, session_id)
    meters = [Meter.LLM_INPUT_TOKENS, Meter.LLM_OUTPUT_TOKENS]
    assert [one.spent for one in await voice.budgets.standings(account, meters)] == [7, 3]
    assert await samples_spoken(voice, session_id) == stage.RATE_HZ // 2


async def test_of_an_interrupted_reply_what_was_played_is_kept_beside_what_was_generated(
    voice: SessionManager,
) -> None:
    from tests.integrations import openai_stage as stage

    story = "Once upon a time there was a lighthouse."
    async with stage.call(voice) as live:
        session_id = live.handle.session.id
        await live.say(stage.words(story), stage.audio(4))
        await live.hear(SECOND)
        await live.say(stage.INTERRUPTED)
        await live.hear(SECOND)
    (agent,) = (await voice.transcript(session_id)).utterances
    assert (agent.interrupted, agent.generated_text) == (True, story)
    assert story.startswith(agent.text)
    assert len(agent.text) < len(story) / 2
    assert await samples_spoken(voice, session_id) == stage.RATE_HZ


async def test_an_exhausted_budget_keeps_audio_from_the_model(voice: SessionManager) -> None:
    from tests.integrations import openai_stage as stage

    async with stage.call(voice) as live:
        account = voice.budgets.account(Scope.SESSION, live.handle.session.id)
        limit = Limit(account=account, meter=Meter.AUDIO_US, window=Window.SESSION, amount=500_000)
        await voice.budgets.set_limit(limit)
        taken = await live.hear(60 * SECOND)
        assert not taken[-1]
        paused = {PauseReason.BUDGET_EXHAUSTED}
        await eventually(lambda: live.handle.session.pause_reasons == paused)
        sent = [one for one in live.model.sent_events if type(one).__name__.endswith("SendAudio")]
        assert len(sent) == sum(taken)
