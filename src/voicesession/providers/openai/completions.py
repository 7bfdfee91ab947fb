"""
The answer of ``/chat/completions``, read while it streams.

Server-sent events, each a JSON object with a ``delta``, up to ``[DONE]``:
https://platform.openai.com/docs/api-reference/chat-streaming.
"""

from __future__ import annotations

import json
from typing import Any

from attrs import define, field

from ...ports.agent import TokensUsed

__all__ = ("Completion", "Request")


@define
class Request:
    """A tool call that the model asks for, as it grows piece by piece."""

    id: str = ""
    name: str = ""
    arguments: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return it as the model is told of it later."""
        function = {"name": self.name, "arguments": self.arguments}
        return {"id": self.id, "type": "function", "function": function}


@define
class Completion:
    """What the model has said so far.

    Attributes:
        is_whole: The model has come to an end by itself; else the stream was cut.
        used: What it read and wrote, once it has told that.
    """

    text: str = ""
    requests: dict[int, Request] = field(factory=dict)
    is_whole: bool = False
    used: TokensUsed | None = None
    _broken: bytes = b""

    def add(self, piece: bytes) -> str:
        """Take the next piece of the stream, cut anywhere; return the text that it completes.

        Raises:
            ValueError: This is no stream of a completion.
        """
        *lines, self._broken = (self._broken + piece).split(b"\n")
        return "".join([self._add_line(line.decode()) for line in lines])

    def _add_line(self, line: str) -> str:
        kind, _, data = line.partition(":")
        if kind != "data":
            return ""  # comments, which keep proxies awake, and the names of events
        if data.strip() == "[DONE]":
            self.is_whole = True
            return ""
        try:
            return self._add(json.loads(data))
        except (LookupError, TypeError, AttributeError) as error:
            raise ValueError("not a piece of a completion") from error

    def as_message(self) -> dict[str, Any]:
        """Return it as the model is told of it later."""
        calls = [request.as_json() for request in self.requests.values()]
        return {"role": "assistant", "content": self.text or None, "tool_calls": calls}

    def _add(self, told: Any) -> str:
        if "error" in told:
            raise ValueError("an error in place of a completion")
        if usage := told.get("usage"):
            self.used = TokensUsed(input=usage["prompt_tokens"], output=usage["completion_tokens"])
        if not told["choices"]:
            return ""  # the count of tokens comes by itself, behind everything else
        choice = told["choices"][0]
        self.is_whole = self.is_whole or choice.get("finish_reason") is not None
        delta: dict[str, Any] = choice.get("delta") or {}
        for piece in delta.get("tool_calls") or ():
            request = self.requests.setdefault(int(piece["index"]), Request())
            function: dict[str, Any] = piece.get("function") or {}
            request.id += piece.get("id") or ""
            request.name += function.get("name") or ""
            request.arguments += function.get("arguments") or ""
        text = str(delta.get("content") or delta.get("refusal") or "")
        self.text += text
        return text
