from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import aclosing
from datetime import timedelta
from typing import Any

import anyio
import pytest
from tests.patience import PATIENCE_S
from tests.providers.wire.links import Fault, Refusal
from tests.providers.wire.openai import Call, OpenAIServer
from tests.providers.wire.outcomes import FAULTS, KEY, REFUSALS

from voicesession.core.errors import (
    InvalidConfig,
    ProviderBusy,
    ProviderError,
    ProviderUnavailable,
)
from voicesession.core.utterance import Speaker, Utterance, UtteranceId
from voicesession.ports.agent import (
    Agent,
    HoldsConnections,
    Prompt,
    ReplyPart,
    TokensUsed,
    ToolCall,
)
from voicesession.providers.openai import OpenAIAgent, Tool
from voicesession.testing.contracts.speech import AgentContract, a_prompt

HELLO: list[str | Call] = ["Hel", "lo ", "Ada."]


def agent_at(server: OpenAIServer, **settings: Any) -> OpenAIAgent:
    return OpenAIAgent("gpt-x", api_key=KEY, base_url=server.url, **settings)


async def whole_reply(agent: Agent, prompt: Prompt | None = None) -> list[ReplyPart]:
    async with aclosing(agent.reply(prompt or a_prompt())) as parts:
        heard = [part async for part in parts]
    if isinstance(agent, HoldsConnections):
        await agent.aclose()
    return heard


async def reply(agent: Agent, prompt: Prompt | None = None) -> list[ReplyPart]:
    """The reply without what it cost."""
    parts = await whole_reply(agent, prompt)
    return [part for part in parts if not isinstance(part, TokensUsed)]


def words(parts: list[ReplyPart]) -> str:
    return "".join(part for part in parts if isinstance(part, str))


class TestOpenAIAgent(AgentContract):
    @pytest.fixture
    def agent(self, server: OpenAIServer) -> OpenAIAgent:
        server.replies = [HELLO] * 30
        return agent_at(server)


def said(speaker: Speaker, text: str) -> Utterance:
    return Utterance(id=UtteranceId(text), speaker=speaker, text=text, start_us=0, end_us=1)


async def test_what_the_model_used_is_told_behind_each_of_its_answers(
    server: OpenAIServer,
) -> None:
    server.replies = [[Call("weather", "{")], HELLO]
    agent = agent_at(server)
    first, *_, last = await whole_reply(agent)
    assert first == last == TokensUsed(input=5, output=3)
    assert agent.model == "gpt-x"


async def test_the_model_is_told_the_conversation_as_it_was_heard(server: OpenAIServer) -> None:
    server.replies = [HELLO]
    history = [said(Speaker.USER, "Hi."), said(Speaker.AGENT, "Good morn"), said(Speaker.USER, " ")]
    agent = agent_at(server, instructions="Be brief.")
    assert words(await reply(agent, a_prompt("And now?", history))) == "Hello Ada."
    (asked,) = server.asked
    assert asked.path == "/v1/chat/completions"
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    assert asked.body == {
        "model": "gpt-x",
        "stream": True,
        "stream_options": {"include_usage": True},
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Hi."},
            {"role": "assistant", "content": "Good morn"},
            {"role": "user", "content": "And now?"},
        ],
    }


class Weather:
    """A tool that keeps what it was asked."""

    def __init__(self, *, side_effects: bool = False) -> None:
        self.asked: list[Mapping[str, Any]] = []
        self.tool = Tool(
            name="weather",
            description="Tells the weather.",
            parameters={"type": "object", "properties": {"city": {"type": "string"}}},
            call=self.call,
            side_effects=side_effects,
        )

    async def call(self, arguments: Mapping[str, Any]) -> str:
        self.asked.append(arguments)
        return "sunny"


async def test_a_tool_is_called_and_the_model_told_what_it_said(server: OpenAIServer) -> None:
    server.replies = [["Let me see.", Call("weather", '{"city": "Bern"}')], ["It is sunny."]]
    weather = Weather()
    parts = await reply(agent_at(server, tools=[weather.tool]))
    call = ToolCall(id="call_0", name="weather", arguments='{"city": "Bern"}', side_effects=False)
    assert parts == ["Let me see.", call, " ", "It is sunny."]
    assert weather.asked == [{"city": "Bern"}]
    first, second = (asked.body for asked in server.asked)
    assert first["tools"] == [
        {
            "type": "function",
            "function": {
                "name": "weather",
                "description": "Tells the weather.",
                "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
            },
        }
    ]
    assert second["messages"][-2:] == [
        {
            "role": "assistant",
            "content": "Let me see.",
            "tool_calls": [
                {
                    "id": "call_0",
                    "type": "function",
                    "function": {"name": "weather", "arguments": '{"city": "Bern"}'},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "call_0", "content": "sunny"},
    ]


async def test_a_call_that_nobody_gives_leave_to_is_never_made(server: OpenAIServer) -> None:
    server.replies = [[Call("weather", "{}")]]
    weather = Weather(side_effects=True)
    agent = agent_at(server, tools=[weather.tool])
    async with aclosing(agent.reply(a_prompt())) as parts:
        assert isinstance(await anext(parts), TokensUsed)
        part = await anext(parts)
        assert isinstance(part, ToolCall)
        assert part.side_effects
    assert weather.asked == []
    await agent.aclose()


@pytest.mark.parametrize(
    "call", [Call("nonsense", "{}"), Call("weather", "{"), Call("weather", "[1]")]
)
async def test_a_call_that_makes_no_sense_is_told_to_the_model_and_not_made(
    server: OpenAIServer, call: Call
) -> None:
    server.replies = [[call], ["Sorry."]]
    weather = Weather()
    assert await reply(agent_at(server, tools=[weather.tool])) == ["Sorry."]
    assert weather.asked == []
    assert "no such tool" in server.asked[1].body["messages"][-1]["content"]


async def test_what_a_tool_raises_ends_the_reply(server: OpenAIServer) -> None:
    async def fail(_: Mapping[str, Any]) -> str:
        raise LookupError("no weather")

    server.replies = [[Call("fail", "{}")]]
    agent = agent_at(server, tools=[Tool(name="fail", description="", call=fail)])
    with pytest.raises(LookupError, match="no weather"):
        await reply(agent)
    await agent.aclose()


async def test_a_model_that_calls_tools_for_ever_is_stopped(server: OpenAIServer) -> None:
    server.replies = [[Call("weather", "{}")]] * 20
    weather = Weather()
    agent = agent_at(server, tools=[weather.tool])
    with pytest.raises(ProviderError, match="called tools 8 times"):
        await reply(agent)
    assert len(weather.asked) == 8
    await agent.aclose()


async def failure_of(agent: OpenAIAgent) -> tuple[list[ReplyPart], ProviderError]:
    parts: list[ReplyPart] = []

    async def listen() -> None:
        async with aclosing(agent.reply(a_prompt())) as reply:
            async for part in reply:
                parts.append(part)  # noqa: PERF401 - what came before the failure is kept

    with anyio.fail_after(PATIENCE_S), pytest.raises(ProviderError) as raised:
        await listen()
    await agent.aclose()
    assert KEY not in str(raised.value)
    return parts, raised.value


@pytest.mark.parametrize("fault", [Fault.CUT, Fault.DEAF, Fault.GARBAGE, Fault.STRANGE, Fault.HANG])
async def test_a_fault_in_the_answer_is_told_for_what_it_is(
    server: OpenAIServer, fault: Fault
) -> None:
    server.replies = [HELLO]
    server.fault = fault
    hangs = fault in {Fault.HANG, Fault.DEAF}
    agent = agent_at(server, patience=timedelta(milliseconds=1_000 if hangs else 10_000))
    _, failure = await failure_of(agent)
    assert type(failure) is FAULTS.get(fault, ProviderUnavailable)


async def test_an_interrupted_answer_is_dropped_at_once(server: OpenAIServer) -> None:
    server.replies = [HELLO]
    server.fault = Fault.DEAF  # the rest of the answer never comes
    agent = agent_at(server, patience=timedelta(minutes=10))
    with anyio.fail_after(PATIENCE_S):
        async with aclosing(agent.reply(a_prompt())) as parts:
            assert await anext(parts) == "Hel"
        await agent.aclose()


@pytest.mark.parametrize(("refusal", "kind", "problem"), REFUSALS)
async def test_a_refusal_is_told_for_what_it_is(
    server: OpenAIServer, refusal: Refusal, kind: type[ProviderError], problem: str
) -> None:
    server.refusal = refusal
    _, failure = await failure_of(agent_at(server, name="groq"))
    assert type(failure) is kind
    assert str(failure) == f"groq: {problem}"
    if isinstance(failure, ProviderBusy):
        assert failure.retry_after_us == (2_500_000 if refusal.retry_after == "2.5" else None)


async def test_what_was_said_before_an_answer_broke_off_is_kept(server: OpenAIServer) -> None:
    server.replies = [HELLO]
    server.ends = False
    parts, failure = await failure_of(agent_at(server))
    assert words(parts) == "Hello Ada."
    assert failure.problem == "the connection was cut"


async def test_a_server_that_is_not_there_is_told() -> None:
    agent = OpenAIAgent("m", base_url="http://127.0.0.1:1/v1", api_key=KEY)
    _, failure = await failure_of(agent)
    assert type(failure) is ProviderUnavailable
    assert failure.problem == "cannot be reached"


async def test_a_server_of_ones_own_may_want_no_key(
    server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(InvalidConfig, match="OPENAI_API_KEY"):
        OpenAIAgent("m")
    server.replies = [HELLO]
    assert await reply(OpenAIAgent("m", base_url=server.url))
    assert "authorization" not in server.asked[0].headers


async def test_neither_key_nor_words_are_ever_logged(
    server: OpenAIServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server.replies = [["a secret answer"]]
    agent = agent_at(server)
    await reply(agent, a_prompt("a secret question"))
    logged = repr([record.getMessage() for record in caplog.records])
    assert "secret" not in logged
    assert KEY not in repr((logged, agent, vars(agent), vars(agent._connection)))


def test_two_tools_of_one_name_are_refused() -> None:
    with pytest.raises(InvalidConfig, match="tools"):
        OpenAIAgent("m", api_key="k", tools=[Weather().tool, Weather().tool])
    with pytest.raises(InvalidConfig, match="tool name"):
        Tool(name="two words", description="", call=Weather().call)
