from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from voicesession.core.errors import InvalidValue
from voicesession.core.text import storable_text

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
    assert refused.value.value == text
    assert refused.value.allowed in ("text without NUL characters", "text without lone surrogates")
    assert str(refused.value).isprintable()


def test_a_text_without_a_field_of_its_own_is_called_text() -> None:
    with pytest.raises(InvalidValue, match=r"^text is "):
        storable_text("a\0b")
