"""A language model as an agent: its words as they come, and tools that it may call."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from datetime import timedelta
from typing import Any, Final, cast

from attrs import field, frozen

from ...core.errors import InvalidConfig, ProviderError
from ...core.utterance import Speaker
from ...ports.agent import Prompt, ReplyPart, ToolCall
from .. import refusals
from .completions import Completion, Request
from .connection import NAME, Connection, pieces_of

__all__ = ("OpenAIAgent", "Tool")

MOST_ROUNDS: Final = 8
"""How often a model may call tools for one reply."""

_TOOL_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


def _is_tool_name(_instance: object, _attribute: object, name: str) -> None:
    if not _TOOL_NAME.fullmatch(name):
        raise InvalidConfig("tool name", name, "1 to 64 letters, digits, _ and -")


@frozen(kw_only=True)
class Tool:
    """Something that a model may do for the user.

    Attributes:
        description: For the model: what it does, and when to call it.
        parameters: The JSON Schema of its arguments, an object.
        call: Does it; what it returns is told to the model. What it raises ends the reply.
        side_effects: Whether it changes anything. If so it is called only when the user has
            really finished speaking.
    """

    name: str = field(validator=_is_tool_name)
    description: str
    parameters: Mapping[str, Any] = field(factory=lambda: {"type": "object", "properties": {}})
    call: Callable[[Mapping[str, Any]], Awaitable[str]] = field(repr=False)
    side_effects: bool = True


class OpenAIAgent:
    """Answers with a model behind ``/chat/completions``. Asyncio and Trio.

    The model is told what was said as it was heard: of a reply that was interrupted, the
    part before the interruption. What it uses is told at the end of each of its answers; of an
    answer that is broken off nobody is told.
    """

    def __init__(
        self,
        model: str,
        *,
        instructions: str = "",
        tools: Sequence[Tool] = (),
        api_key: str | None = None,
        base_url: str | None = None,
        name: str = NAME,
        patience: timedelta = timedelta(seconds=10),
    ) -> None:
        """Make an agent; nothing is connected before it replies.

        Args:
            model: As its server names it.
            instructions: What the model is told before anything else.
            api_key: Else it is taken from ``OPENAI_API_KEY``.
            base_url: Of another server that speaks as OpenAI does, up to ``/v1``; there a key
                may be needless. Else it is taken from ``OPENAI_BASE_URL``.
            name: In metrics and errors.
            patience: How long a connection, or the next piece of an answer, may take.

        Raises:
            InvalidConfig: The key is missing, the address is none, or two tools have one name.
        """
        self._tools = {tool.name: tool for tool in tools}
        if len(self._tools) < len(tools):
            raise InvalidConfig("tools", [tool.name for tool in tools], "names that differ")
        self.name = name
        self._instructions = instructions
        self.model = model
        self._request: dict[str, Any] = {
            "model": model,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if tools:
            self._request["tools"] = [_described(tool) for tool in tools]
        self._connection = Connection(
            name, api_key=api_key, base_url=base_url, patience_s=patience.total_seconds()
        )

    async def reply(self, prompt: Prompt, /) -> AsyncGenerator[ReplyPart]:
        messages = _conversation(self._instructions, prompt)
        for _ in range(MOST_ROUNDS):
            completion = Completion()
            async with aclosing(self._complete(messages, completion)) as texts:
                async for text in texts:
                    yield text
            if completion.used is not None:
                yield completion.used
            if not completion.requests:
                return
            messages.append(completion.as_message())
            for request in completion.requests.values():
                tool, arguments = self._understood(request)
                if tool is None:
                    answer = "There is no such tool, or its arguments are no JSON object."
                else:
                    yield ToolCall(
                        id=request.id,
                        name=tool.name,
                        arguments=request.arguments,
                        side_effects=tool.side_effects,
                    )
                    answer = await tool.call(arguments)
                messages.append({"role": "tool", "tool_call_id": request.id, "content": answer})
            if completion.text and not completion.text[-1].isspace():
                yield " "  # what the model says next is another sentence
        raise ProviderError(self.name, f"called tools {MOST_ROUNDS} times without an answer")

    async def aclose(self) -> None:
        """Close its connections. Twice is harmless."""
        await self._connection.aclose()

    async def _complete(
        self, messages: list[dict[str, Any]], completion: Completion
    ) -> AsyncGenerator[str]:
        request = {**self._request, "messages": messages}
        async with (
            self._connection.post("/chat/completions", json=request) as response,
            aclosing(pieces_of(response)) as pieces,
        ):
            async for piece in pieces:
                try:
                    text = completion.add(piece)
                except ValueError as error:
                    raise refusals.malformed(self.name) from error
                if text:
                    yield text
        if not completion.is_whole:
            raise refusals.closed(self.name, None)

    def _understood(self, request: Request) -> tuple[Tool | None, dict[str, Any]]:
        try:
            arguments: Any = json.loads(request.arguments or "{}")
        except ValueError:
            return None, {}
        if not isinstance(arguments, dict):
            return None, {}
        return self._tools.get(request.name), cast("dict[str, Any]", arguments)


def _described(tool: Tool) -> dict[str, Any]:
    function = {
        "name": tool.name,
        "description": tool.description,
        "parameters": dict(tool.parameters),
    }
    return {"type": "function", "function": function}


def _conversation(instructions: str, prompt: Prompt) -> list[dict[str, Any]]:
    told = [{"role": "system", "content": instructions}] if instructions else []
    told += [
        {
            "role": "assistant" if utterance.speaker is Speaker.AGENT else "user",
            "content": utterance.text,
        }
        for utterance in prompt.history
        if utterance.text.strip()
    ]
    return [*told, {"role": "user", "content": prompt.text}]
