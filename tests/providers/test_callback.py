from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing
from typing import Any

import pytest

from voicesession.core.errors import InvalidConfig
from voicesession.ports.agent import HangUp, Prompt, ReplyPart, ToolCall
from voicesession.providers.callback import Answer, CallbackAgent
from voicesession.testing.contracts.speech import AgentContract, a_prompt

CALL = ToolCall(id="1", name="lamp", arguments="{}")


def returns_text(prompt: Prompt) -> str:
    return f"You said {prompt.text}"


def returns_parts(prompt: Prompt) -> list[ReplyPart]:
    return ["You said ", prompt.text, CALL, HangUp()]


def yields(prompt: Prompt) -> Iterator[ReplyPart]:
    yield from returns_parts(prompt)


async def returns_text_later(prompt: Prompt) -> str:
    return returns_text(prompt)


async def yields_later(prompt: Prompt) -> AsyncGenerator[ReplyPart]:
    for part in returns_parts(prompt):
        yield part


class Parts:
    """Asynchronous, and no generator."""

    def __init__(self, prompt: Prompt) -> None:
        self._parts = iter(returns_parts(prompt))

    def __aiter__(self) -> AsyncIterator[ReplyPart]:
        return self

    async def __anext__(self) -> ReplyPart:
        try:
            return next(self._parts)
        except StopIteration:
            raise StopAsyncIteration from None


async def reply(answer: Answer) -> list[ReplyPart]:
    async with aclosing(CallbackAgent(answer).reply(a_prompt("Hello."))) as parts:
        return [part async for part in parts]


@pytest.mark.parametrize(
    "answer", [returns_text, returns_parts, yields, returns_text_later, yields_later, Parts]
)
class TestCallbackAgent(AgentContract):
    @pytest.fixture
    def agent(self, answer: Answer) -> CallbackAgent:
        return CallbackAgent(answer)

    async def test_it_says_what_the_function_says(self, answer: Answer) -> None:
        text = "".join(part for part in await reply(answer) if isinstance(part, str))
        assert text == "You said Hello."


@pytest.mark.parametrize("answer", [returns_parts, yields, yields_later, Parts])
async def test_parts_come_as_they_are(answer: Answer) -> None:
    assert await reply(answer) == ["You said ", "Hello.", CALL, HangUp()]


async def test_nothing_to_say_is_a_reply_without_parts() -> None:
    assert await reply(lambda _: None) == []


async def test_closing_the_reply_closes_the_function() -> None:
    closed: list[bool] = []

    async def answer(_: Prompt) -> AsyncGenerator[str]:
        try:
            yield "one"
            yield "two"
        finally:
            closed.append(True)

    async with aclosing(CallbackAgent(answer).reply(a_prompt())) as parts:
        assert await anext(parts) == "one"
    assert closed == [True]


async def test_what_the_function_raises_is_raised() -> None:
    def answer(_: Prompt) -> str:
        raise LookupError("no idea")

    with pytest.raises(LookupError, match="no idea"):
        await reply(answer)


def test_what_is_no_function_is_refused() -> None:
    nonsense: Any = "Hello."
    with pytest.raises(InvalidConfig, match="answer"):
        CallbackAgent(nonsense)
