"""What every ``Agent`` does."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Final

import anyio
import pytest

from ....core.identity import SessionId
from ....core.session import Session
from ....core.utterance import Utterance
from ....ports.agent import (
    Agent,
    HangUp,
    HoldsConnections,
    Prompt,
    ReplyPart,
    TokensUsed,
    ToolCall,
)
from .examples import PATIENCE_S, name_is_fit_for_metrics

__all__ = ("AgentContract", "a_prompt")

_AT: Final = datetime(2026, 11, 21, 12, tzinfo=UTC)


def a_prompt(text: str = "Hello.", history: Sequence[Utterance] = ()) -> Prompt:
    """Return a turn to answer, in a session of its own."""
    session = Session(
        id=SessionId("s1"), created_at=_AT, updated_at=_AT, state_since=_AT, last_activity_at=_AT
    )
    return Prompt(text=text, session=session, history=history, at=_AT, elapsed=timedelta(seconds=3))


class AgentContract(ABC):
    """Subclass it and give it an ``agent`` that has something to say to "Hello."."""

    @pytest.fixture
    @abstractmethod
    def agent(self) -> Agent: ...

    def test_its_name_is_fit_for_metrics(self, agent: Agent) -> None:
        assert name_is_fit_for_metrics(agent.name)

    async def test_a_turn_is_answered_in_parts_and_hung_up_last(self, agent: Agent) -> None:
        parts = await _reply(agent)
        assert parts
        assert all(isinstance(part, str | ToolCall | HangUp | TokensUsed) for part in parts)
        told = [part for part in parts if not isinstance(part, TokensUsed)]
        assert not any(isinstance(part, HangUp) for part in told[:-1])

    async def test_tool_calls_of_a_reply_have_names_of_their_own(self, agent: Agent) -> None:
        ids = [part.id for part in await _reply(agent) if isinstance(part, ToolCall)]
        assert len(ids) == len(set(ids))

    async def test_a_closed_reply_leaves_the_agent_free(self, agent: Agent) -> None:
        with anyio.fail_after(PATIENCE_S):
            for _ in range(5):
                async with aclosing(agent.reply(a_prompt())) as reply:
                    async for _ in reply:
                        break
            assert await _reply(agent)

    async def test_a_cancelled_reader_leaves_the_agent_free(self, agent: Agent) -> None:
        with anyio.fail_after(PATIENCE_S):
            for _ in range(5):
                async with anyio.create_task_group() as group:
                    group.start_soon(_reply, agent)
                    await anyio.lowlevel.checkpoint()
                    group.cancel_scope.cancel()
            assert await _reply(agent)

    async def test_a_reply_that_nobody_reads_does_nothing(self, agent: Agent) -> None:
        await agent.reply(a_prompt()).aclose()

    async def test_many_turns_are_answered_at_once(self, agent: Agent) -> None:
        replies: list[list[ReplyPart]] = []

        async def answer() -> None:
            replies.append(await _reply(agent))

        with anyio.fail_after(PATIENCE_S):
            async with anyio.create_task_group() as group:
                for _ in range(5):
                    group.start_soon(answer)
        assert len(replies) == 5
        assert all(replies)

    async def test_it_closes_if_it_holds_anything(self, agent: Agent) -> None:
        if isinstance(agent, HoldsConnections):
            await _reply(agent)
            await agent.aclose()
            await agent.aclose()


async def _reply(agent: Agent) -> list[ReplyPart]:
    async with aclosing(agent.reply(a_prompt())) as reply:
        return [part async for part in reply]
