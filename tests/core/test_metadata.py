from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, strategies as st

from voicesession.core.errors import InvalidValue
from voicesession.core.metadata import MAX_METADATA_BYTES, MAX_METADATA_DEPTH, metadata_json

AT = datetime(2026, 11, 21, tzinfo=UTC)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8", exclude_characters="\0")),
    lambda parts: st.lists(parts, max_size=3) | st.dictionaries(st.text("aé"), parts, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(st.characters(codec="utf-8", exclude_characters="\0")), JSON))
def test_metadata_comes_back_as_it_was_and_is_written_in_one_way(metadata: dict[str, Any]) -> None:
    text = metadata_json(metadata)
    assert json.loads(text) == metadata
    assert metadata_json(dict(reversed(metadata.items()))) == text
    assert metadata_json(json.loads(text)) == text


NO_JSON_OBJECTS: list[Any] = [
    {"a": {1, 2}},
    {"a": float("nan")},
    {"a": float("inf")},
    {"a": b"x"},
    {"a": "\ud800"},
    {"a": AT},
    {1: "a", "b": "c"},
    "text",
    [1],
    5,
    None,
]


@pytest.mark.parametrize("wrong", NO_JSON_OBJECTS)
def test_what_is_no_json_object_is_no_metadata(wrong: Any) -> None:
    with pytest.raises(InvalidValue, match=r"metadata is .*; allowed: a JSON object") as refusal:
        metadata_json(wrong)
    assert refusal.value.value == type(wrong).__name__


def test_metadata_that_holds_itself_is_refused() -> None:
    endless: dict[str, Any] = {}
    endless["self"] = endless
    with pytest.raises(InvalidValue, match="a JSON object"):
        metadata_json(endless)


def test_metadata_may_be_16_kib_of_utf8_and_not_a_byte_more() -> None:
    around = len('{"a":""}')
    assert len(metadata_json({"a": "x" * (MAX_METADATA_BYTES - around)})) == MAX_METADATA_BYTES
    for text in ("x" * (MAX_METADATA_BYTES - around + 1), "é" * (MAX_METADATA_BYTES // 2)):
        with pytest.raises(InvalidValue, match=r"^metadata is '\d+ bytes'; allowed: at most 16384"):
            metadata_json({"a": text})


@pytest.mark.parametrize(
    "wrap", [lambda inner: [inner], lambda inner: {"a": inner}, lambda i: (i,)]
)
def test_metadata_may_be_nested_32_deep_so_that_it_can_always_be_read_back(wrap: Any) -> None:
    nested: Any = wrap("x")
    for _ in range(MAX_METADATA_DEPTH - 2):
        nested = wrap(nested)
    assert metadata_json({"deep": nested})
    with pytest.raises(InvalidValue, match=r"^metadata is 'nested deeper'; allowed: at most 32"):
        metadata_json({"deep": wrap(nested)})


def test_metadata_that_no_stack_could_hold_is_refused_as_well() -> None:
    nested: list[Any] = []
    for _ in range(100_000):
        nested = [nested]
    with pytest.raises(InvalidValue, match="metadata"):
        metadata_json({"deep": nested})


@pytest.mark.parametrize("text", ["\0", "a\0b", "\\\0", "\\\\\0"])
def test_metadata_with_a_nul_character_is_refused_wherever_it_stands(text: str) -> None:
    for metadata in ({"a": text}, {text: 1}, {"a": [{"b": text}]}):
        with pytest.raises(
            InvalidValue, match=r"^metadata is 'text with a NUL character'; allowed"
        ):
            metadata_json(metadata)


@pytest.mark.parametrize("text", [r"\u0000", r"\\u0000", "u0000", "0"])
def test_text_that_only_speaks_of_a_nul_character_is_taken(text: str) -> None:
    assert json.loads(metadata_json({"a": text})) == {"a": text}


# --- What follows from the fields -------------------------------------------------------
