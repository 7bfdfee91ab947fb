"""A dialogue written as text is led as it is written, or the test fails."""

from collections.abc import Iterable

import pytest

from voicesession.core.errors import InvalidValue
from voicesession.ports.agent import Prompt, ReplyPart
from voicesession.runtime.happenings import ReplyCleared
from voicesession.testing.scripted_conversation import ScriptedConversation
from voicesession.testing.stage import Stage, echo


async def test_a_dialogue_is_led_from_its_first_line_to_its_last() -> None:
    await ScriptedConversation("""
        user: good morning
        agent: you said good morning
        (1.5 s)
        user: goodbye
        agent: you said goodbye
    """).run(echo)


async def test_an_agent_that_says_something_else_fails_the_test() -> None:
    conversation = ScriptedConversation("""
        user: good morning
        agent: good morning to you
    """)
    with pytest.raises(AssertionError, match="the agent said 'you said good morning'"):
        await conversation.run(echo)


async def test_a_user_may_speak_into_the_agents_words() -> None:
    def story(prompt: Prompt) -> Iterable[ReplyPart]:
        if "stop" in prompt.text:
            yield "as you like"
        else:
            yield "once upon a time there was a king who had a castle and a dog"

    async with Stage() as stage:
        await ScriptedConversation("""
            user: tell me a story
            agent: once upon a time--
            user: please stop it now
        """).run(story, stage=stage)
        assert len(stage.happenings(ReplyCleared)) == 1


def test_a_line_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidValue):
        ScriptedConversation("narrator: it was a dark night")
