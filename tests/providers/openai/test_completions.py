from __future__ import annotations

import json
from contextlib import suppress
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, strategies as st

from voicesession.ports.agent import TokensUsed
from voicesession.providers.openai.completions import Completion


def event(delta: dict[str, Any], finish: str | None = None) -> bytes:
    told = {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
    return f"data: {json.dumps(told, ensure_ascii=False)}\r\n\r\n".encode()


STREAM = b"".join(
    [
        b": awake\n\nevent: message\n",
        event({"role": "assistant", "content": ""}),
        event({"content": "Grü"}),
        event({"content": "ezi 😀"}),
        event({"tool_calls": [{"index": 0, "id": "c", "function": {"name": "go"}}]}),
        event({"tool_calls": [{"index": 0, "function": {"arguments": '{"a"'}}]}),
        event({"tool_calls": [{"index": 0, "function": {"arguments": ": 1}"}}]}),
        event({}, finish="tool_calls"),
        b'data: {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 2}}\n\n',
        b"data: [DONE]\n\n",
    ]
)


@given(st.sets(st.integers(0, len(STREAM))))
def test_a_stream_cut_anywhere_says_the_same(cuts: set[int]) -> None:
    completion = Completion()
    edges = sorted({0, len(STREAM), *cuts})
    text = "".join(completion.add(STREAM[start:end]) for start, end in pairwise(edges))
    assert text == completion.text == "Grüezi 😀"
    assert [request.as_json() for request in completion.requests.values()] == [
        {"id": "c", "type": "function", "function": {"name": "go", "arguments": '{"a": 1}'}}
    ]
    assert completion.is_whole
    assert completion.used == TokensUsed(input=7, output=2)


def test_a_server_that_only_gives_a_reason_to_finish_is_whole_too() -> None:
    completion = Completion()
    completion.add(event({"content": "Hi"}))
    assert not completion.is_whole
    completion.add(event({}, finish="stop"))
    assert completion.is_whole
    assert completion.used is None


def test_a_refusal_of_the_model_is_said() -> None:
    completion = Completion()
    assert completion.add(event({"content": None, "refusal": "I cannot."})) == "I cannot."


@given(st.binary(max_size=80))
def test_whatever_else_a_server_sends_is_nothing_or_refused(noise: bytes) -> None:
    with suppress(ValueError):
        assert Completion().add(b"data:" + noise.replace(b"\n", b"") + b"\n") == ""


@pytest.mark.parametrize("count", ["-1", "1.5", "true", '"7"', "null"])
def test_a_count_of_tokens_that_is_none_is_refused(count: str) -> None:
    told = f'{{"choices": [], "usage": {{"prompt_tokens": {count}, "completion_tokens": 1}}}}'
    with pytest.raises(ValueError, match=r".+"):
        Completion().add(f"data: {told}\n".encode())


@pytest.mark.parametrize("data", ["{", "7", "null", '"x"', '{"choices": [7]}', '{"error": {}}'])
def test_what_is_no_piece_of_a_completion_is_refused(data: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Completion().add(f"data: {data}\n".encode())
