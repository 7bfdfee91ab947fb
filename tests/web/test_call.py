"""An answer, before any framework has it."""

import json
from typing import Any

from hypothesis import given, strategies as st

from voicesession.web.call import JSON, json_answer

DOCUMENTS: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda parts: st.lists(parts) | st.dictionaries(st.text(), parts),
)


@given(document=DOCUMENTS)
def test_whatever_a_host_keeps_with_a_session_comes_back_as_it_was(document: Any) -> None:
    answer = json_answer({"metadata": document}, status=201, headers={"etag": '"1"'})
    assert isinstance(answer.content, bytes)
    assert json.loads(answer.content) == {"metadata": document}
    assert (answer.status, answer.media_type, answer.headers) == (201, JSON, {"etag": '"1"'})
