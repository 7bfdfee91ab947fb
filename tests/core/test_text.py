from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve
from hypothesis import given, strategies as st

from voicesession.core.errors import InvalidValue
from voicesession.core.text import storable_text, storable_utterance
from voicesession.core.utterance import Speaker, Utterance, UtteranceId, Word
from voicesession.testing.strategies import utterances

HELLO = Utterance(id=UtteranceId("utt_1"), speaker=Speaker.USER, start_us=0, end_us=9, text="Hello")
UNSTORABLE = pytest.mark.parametrize("text", ["a\0b", "\0", "lone \ud83d", "\udc00 lone"])


@given(st.text())
def test_any_text_that_has_a_utf8_form_and_no_nul_comes_back_as_it_is(text: str) -> None:
    if "\0" not in text:
        assert storable_text(text) is text


@UNSTORABLE
def test_a_nul_or_a_lone_surrogate_is_refused_under_the_name_of_its_field(text: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        storable_text(text, "metadata.note")
    assert refused.value.field == "metadata.note"
    assert str(refused.value).isprintable()


@given(utterances())
def test_an_utterance_of_storable_texts_comes_back_as_it_is(utterance: Utterance) -> None:
    assert storable_utterance(utterance) is utterance


@UNSTORABLE
@pytest.mark.parametrize("field", ["id", "text", "generated_text", "spoken_text", "words"])
def test_an_utterance_is_refused_for_any_of_its_texts(field: str, text: str) -> None:
    spoil: Any = (Word(text=text, start_us=0, end_us=0),) if field == "words" else text
    spoiled = evolve(HELLO, **{field: spoil})
    with pytest.raises(InvalidValue) as refused:
        storable_utterance(spoiled)
    assert refused.value.field == field
