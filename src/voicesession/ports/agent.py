"""Who answers: the host's own mind behind the voice."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeAlias, runtime_checkable

from attrs import field, frozen

from ..core.meters import Meter, quantity
from ..core.session import Session
from ..core.utterance import Utterance

__all__ = (
    "Agent",
    "HangUp",
    "HoldsConnections",
    "Prompt",
    "ReplyPart",
    "TokensUsed",
    "ToolCall",
)


@frozen(kw_only=True)
class Prompt:
    """What an agent is told when it is its turn.

    Attributes:
        text: What the user has said in this turn.
        session: The session as it is now; read only.
        history: Every finished utterance before this turn, oldest first. An interrupted
            reply stands there as it was heard.
        at: The instant of the turn's end.
        elapsed: Media time since the session began.
    """

    text: str
    session: Session
    history: Sequence[Utterance]
    at: datetime
    elapsed: timedelta


@frozen
class HangUp:
    """Yielded last by an agent: end the session once the reply has been heard."""


@frozen(kw_only=True)
class ToolCall:
    """Yielded by an agent that is about to call a tool: it asks for leave.

    The agent makes the call when the next part is asked for. Who reads the reply does that
    at once for a call without side effects; for one with side effects only when the turn
    is known to be over. A generator that is closed instead has called nothing, so that a
    reply made too early leaves no trace in the world.

    Attributes:
        id: Names the call within its reply.
        name: The tool's.
        arguments: A JSON object, as the agent wrote it. It may hold what the user said:
            not for logs.
        side_effects: Whether the call changes anything. Where that is not known, it does.
    """

    id: str
    name: str
    arguments: str
    side_effects: bool = True


def _is_count(_instance: object, attribute: Any, value: Any) -> None:
    quantity(Meter(f"llm_{attribute.name}_tokens"), value)


@frozen(kw_only=True)
class TokensUsed:
    """Yielded by an agent whose model has told what it used: since the last time it said so.

    Attributes:
        input: Tokens read, also those that the model had in its cache.
        output: Tokens written.

    Raises:
        InvalidValue: A count is no whole number, or negative.
    """

    input: int = field(validator=_is_count)
    output: int = field(validator=_is_count)


ReplyPart: TypeAlias = str | HangUp | ToolCall | TokensUsed


class Agent(Protocol):
    """Answers a turn. Shared by many sessions; keeps no state of any of them."""

    @property
    def name(self) -> str: ...

    def reply(self, prompt: Prompt, /) -> AsyncGenerator[ReplyPart]:
        """Yield the reply in pieces of text, as they come.

        Closing the generator stops the work: the user has interrupted, or said more.
        A reply without text is allowed: the floor goes back to the user. What the model
        used may be told at any point, after a HangUp as well.

        Raises:
            ProviderError: The agent failed; what was yielded before is spoken.
        """
        ...


@runtime_checkable
class HoldsConnections(Protocol):
    """An agent with something to let go of; who made it closes it, after the last reply."""

    async def aclose(self) -> None:
        """Close its connections. Twice is harmless."""
        ...
