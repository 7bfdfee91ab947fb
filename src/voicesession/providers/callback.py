"""An agent from a function: the shortest way from words to words."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Iterable
from contextlib import aclosing
from typing import TypeAlias, cast

from anyio.lowlevel import checkpoint

from ..core.errors import InvalidConfig
from ..ports.agent import Prompt, ReplyPart

__all__ = ("Answer", "CallbackAgent")

_Parts: TypeAlias = str | Iterable[ReplyPart] | None
Answer: TypeAlias = Callable[[Prompt], AsyncIterable[ReplyPart] | Awaitable[_Parts] | _Parts]
"""What may answer: a function or a coroutine function that returns a text, parts or nothing, or
a generator function of either kind that yields parts."""


class CallbackAgent:
    """Answers with what a function says. What the function raises ends the reply."""

    def __init__(self, answer: Answer, *, name: str = "callback") -> None:
        """Make an agent of *answer*.

        Args:
            name: In metrics and errors.

        Raises:
            InvalidConfig: *answer* cannot be called.
        """
        if not callable(answer):
            raise InvalidConfig("answer", answer, "a function of a Prompt")
        self.name = name
        self._answer = answer

    async def reply(self, prompt: Prompt, /) -> AsyncGenerator[ReplyPart]:
        answer = self._answer(prompt)
        if isinstance(answer, AsyncGenerator):
            async with aclosing(cast("AsyncGenerator[ReplyPart]", answer)) as parts:
                async for part in parts:
                    yield part
        elif isinstance(answer, AsyncIterable):
            async for part in answer:
                yield part
        else:
            said = await answer if isinstance(answer, Awaitable) else answer
            for part in (said,) if isinstance(said, str) else said or ():
                await checkpoint()
                yield part
