"""Who answers: the host's own mind behind the voice."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from datetime import datetime, timedelta
from typing import Protocol, TypeAlias

from attrs import frozen

from ..core.session import Session
from ..core.utterance import Utterance

__all__ = ("Agent", "HangUp", "Prompt", "ReplyPart")


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


ReplyPart: TypeAlias = str | HangUp


class Agent(Protocol):
    """Answers a turn. Shared by many sessions; keeps no state of any of them."""

    @property
    def name(self) -> str: ...

    def reply(self, prompt: Prompt, /) -> AsyncGenerator[ReplyPart]:
        """Yield the reply in pieces of text, as they come.

        Closing the generator stops the work: the user has interrupted, or said more.
        A reply without text is allowed: the floor goes back to the user.

        Raises:
            ProviderError: The agent failed; what was yielded before is spoken.
        """
        ...
