"""What the built-in agents answer."""

from datetime import UTC, datetime, timedelta

import pytest

from voicesession.cli.agent import STORY, DemoAgent, EchoAgent
from voicesession.cli.desk import Desk
from voicesession.core.identity import SessionId
from voicesession.core.session import Session
from voicesession.core.utterance import Speaker, Utterance, UtteranceId
from voicesession.ports.agent import Agent, HangUp, Prompt, ReplyPart, ToolCall

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SESSION = Session(
    id=SessionId("s1"), created_at=NOW, updated_at=NOW, state_since=NOW, last_activity_at=NOW
)


async def answer(
    agent: Agent, text: str, *, elapsed_s: float = 0, history: tuple[Utterance, ...] = ()
) -> list[ReplyPart]:
    prompt = Prompt(
        text=text,
        session=SESSION,
        history=history,
        at=NOW,
        elapsed=timedelta(seconds=elapsed_s),
    )
    return [part async for part in agent.reply(prompt)]


async def test_the_time_is_that_of_the_turn_on_this_computers_clock() -> None:
    assert await answer(DemoAgent(), "what time is it") == [f"It is {NOW.astimezone():%H:%M}."]


@pytest.mark.parametrize(
    ("elapsed_s", "words"),
    [
        (0.2, "no time"),
        (1, "1 second"),
        (59.4, "59 seconds"),
        (60, "1 minute"),
        (61, "1 minute and 1 second"),
        (754, "12 minutes and 34 seconds"),
    ],
)
async def test_how_long_we_have_been_talking_is_media_time(elapsed_s: float, words: str) -> None:
    text = "how long have we been talking"
    reply = await answer(DemoAgent(), text, elapsed_s=elapsed_s)
    assert reply == [f"We have been talking for {words}."]


async def test_goodbye_ends_with_hanging_up_and_nothing_else_does() -> None:
    *words, last = await answer(DemoAgent(), "goodbye")
    assert words
    assert isinstance(last, HangUp)
    for text in ("hello", "tell me a long story", "stop please that is enough", "can you hear me"):
        assert not any(isinstance(part, HangUp) for part in await answer(DemoAgent(), text))


def interrupted_after(heard: str) -> Utterance:
    return Utterance(
        id=UtteranceId("utt_1"),
        speaker=Speaker.AGENT,
        start_us=0,
        end_us=1,
        text=heard,
        generated_text="".join(STORY),
        spoken_text=heard,
        interrupted=True,
    )


@pytest.mark.parametrize("begin", ["", "Where was I? "])
async def test_the_story_goes_on_behind_the_last_word_that_was_heard(begin: str) -> None:
    heard, rest = "".join(STORY).rstrip().split(" a ship ", 1)
    history = (interrupted_after(f"{begin}{heard} a ship"),)
    reply = await answer(DemoAgent(), "go on with the story", history=history)
    assert reply == [f"Where was I? {rest}"]


async def test_an_interruption_of_something_else_does_not_matter_to_the_story() -> None:
    history = (interrupted_after("Hello. Ask me"),)
    reply = await answer(DemoAgent(), "go on with the story", history=history)
    assert reply == [f"Where was I? {''.join(STORY)}".rstrip()]


async def test_a_story_that_nobody_has_heard_of_begins_at_its_beginning() -> None:
    (reply,) = await answer(DemoAgent(), "go on with the story")
    assert reply == f"Where was I? {''.join(STORY)}".rstrip()


@pytest.mark.parametrize("text", ["hello", "thank you very much", "can you hear me"])
async def test_polite_words_are_answered(text: str) -> None:
    reply = "".join(str(part) for part in await answer(DemoAgent(), text))
    assert "no answer" not in reply


async def test_what_the_agent_does_not_know_it_repeats() -> None:
    (reply,) = await answer(DemoAgent(), "what is the weather like")
    assert reply == "You said what is the weather like. I have no answer to that."


async def test_what_is_left_of_the_budget_is_what_the_books_say() -> None:
    assert await answer(DemoAgent(), "how much budget is left") == [
        "There is no limit to this call."
    ]

    async def look() -> int:
        return 61_000_000

    desk = Desk()
    desk._look = look
    assert await answer(DemoAgent(desk), "how much budget is left") == [
        "This call has 1 minute and 1 second left."
    ]


@pytest.mark.parametrize("text", ["pause the recording", "continue the recording"])
async def test_the_agent_asks_for_leave_before_it_touches_the_recording(text: str) -> None:
    first, *words = await answer(DemoAgent(), text)
    assert isinstance(first, ToolCall)
    assert first.side_effects
    assert "recording" in str(words)


async def test_an_agent_without_a_call_at_hand_does_not_claim_to_have_paused_it() -> None:
    _, said = await answer(DemoAgent(), "pause the recording")
    assert said == "The recording is out of my reach."


async def test_the_echo_repeats_everything() -> None:
    assert await answer(EchoAgent(), "goodbye") == ["You said goodbye."]
