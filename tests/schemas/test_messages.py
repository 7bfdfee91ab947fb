"""One source for the server, the clients, the schema and the page of the docs."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given, strategies as st
from pydantic import BaseModel, ValidationError

from voicesession import EndReason, PauseReason, SessionState, SessionStatus, TurnState
from voicesession.schemas import messages, parts
from voicesession.schemas.messages import (
    CLIENT_MESSAGE,
    CLOSE_CODES,
    SERVER_MESSAGE,
    ClientMessage,
    ServerMessage,
    json_schema,
)
from voicesession.web.statuses import CloseCode

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "websocket.md"


def models_of(union: Any) -> tuple[type[BaseModel], ...]:
    return get_args(get_args(union)[0])


SENT = models_of(ServerMessage)
TAKEN = models_of(ClientMessage)


def kind_of(model: type[BaseModel]) -> str:
    return str(model.model_fields["type"].default)


def row(model: type[BaseModel]) -> str:
    """One line of the page: what a message is called, holds and means."""
    optional = {name for name, field in model.model_fields.items() if not field.is_required()}
    names = [name for name in model.model_fields if name not in {"type", "at"}]
    fields = ", ".join(f"`{name}{'?' if name in optional else ''}`" for name in names)
    meaning = " ".join((model.__doc__ or "").split())
    return f"| `{kind_of(model)}` | {fields} | {meaning} |"


def rows_of_page(heading: str) -> list[str]:
    section = PAGE.read_text().split(f"## {heading}\n")[1].split("\n## ")[0]
    return [line for line in section.splitlines() if line.startswith("| `")]


def test_the_page_has_every_message_of_the_server_and_no_other() -> None:
    assert rows_of_page("What the server sends") == [row(model) for model in SENT]


def test_the_page_has_every_message_of_the_client_and_no_other() -> None:
    assert rows_of_page("What the client sends") == [row(model) for model in TAKEN]


def test_the_page_has_every_close_code() -> None:
    told = [f"| `{code}` | {meaning} |" for code, meaning in CLOSE_CODES.items()]
    assert rows_of_page("Close codes") == told


def test_the_close_codes_are_those_of_the_table_of_errors() -> None:
    assert set(CLOSE_CODES) == {code.value for code in CloseCode}


def test_every_message_has_a_name_of_its_own() -> None:
    for models in (SENT, TAKEN):
        assert len({kind_of(model) for model in models}) == len(models)


def test_words_for_states_and_reasons_are_those_of_the_core() -> None:
    assert list(get_args(parts.StateName)) == [state.value for state in SessionState]
    assert list(get_args(parts.TurnName)) == [state.value for state in TurnState]
    assert list(get_args(parts.PauseReasonName)) == [reason.value for reason in PauseReason]
    assert list(get_args(parts.EndReasonName)) == [reason.value for reason in EndReason]
    ended = get_args(messages.SessionEnd.model_fields["status"].annotation)
    assert {*ended, "active"} == {status.value for status in SessionStatus}


def test_the_schema_is_json_and_has_both_directions() -> None:
    schema = json.loads(json.dumps(json_schema()))
    assert set(schema) == {"server", "client"}
    assert {*schema["client"]["discriminator"]["mapping"]} == {kind_of(m) for m in TAKEN}
    assert {*schema["server"]["discriminator"]["mapping"]} == {kind_of(m) for m in SENT}


def client_messages() -> st.SearchStrategy[Any]:
    return st.one_of(*(st.builds(model) for model in TAKEN if model is not messages.Text))


@given(client_messages())
def test_what_a_client_writes_the_server_reads_as_it_was_meant(message: Any) -> None:
    assert CLIENT_MESSAGE.validate_json(message.model_dump_json()) == message


@pytest.mark.parametrize(
    "text",
    [
        '{"type": "flush", "now": true}',
        '{"type": "playout", "reply_id": "1", "played_ms": 2}',
        '{"type": "playout", "reply_id": 1, "played_ms": -2}',
        '{"type": "text", "text": ""}',
        '{"type": "text", "text": "a\\u0000b"}',
        '{"type": "consent"}',
        '{"type": "consent", "recording_consent": 1}',
        '{"type": "session.end"}',
        "[]",
        "",
    ],
)
def test_the_server_takes_nothing_that_is_not_meant_for_it(text: str) -> None:
    with pytest.raises(ValidationError):
        CLIENT_MESSAGE.validate_json(text)


def test_a_client_reads_what_a_newer_server_adds() -> None:
    told = '{"type": "session.resumed", "at": "2026-01-01T00:00:00Z", "seq": 7, "mood": "good"}'
    message = SERVER_MESSAGE.validate_json(told)
    assert isinstance(message, messages.SessionResumed)
    assert message.seq == 7


def test_neither_words_nor_tokens_are_in_a_repr() -> None:
    words = messages.Text(text="rosebud")
    token = messages.Attach(session_id="sess_1", resume_token="rosebud", last_seq=0)  # noqa: S106  # the one to look for
    assert "rosebud" not in repr(words) + repr(token)


def examples_on_the_page() -> Iterator[str]:
    for block in re.findall(r"```json\n(.*?)```", PAGE.read_text(), flags=re.DOTALL):
        yield from filter(None, block.splitlines())


def test_the_examples_of_the_page_are_messages() -> None:
    examples = [json.loads(line) for line in examples_on_the_page()]
    assert examples
    for example in examples:
        adapter: Any = SERVER_MESSAGE if "at" in example else CLIENT_MESSAGE
        adapter.validate_json(json.dumps(example))
