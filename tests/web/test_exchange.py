"""Between a framework's requests and our own."""

from hypothesis import given, strategies as st
from starlette.requests import HTTPConnection

from voicesession.web.exchange import headers_of

VISIBLE = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=8)


@given(sent=st.lists(st.tuples(st.sampled_from(["accept", "x-forwarded-for", "range"]), VISIBLE)))
def test_a_header_that_comes_several_times_is_one_with_all_of_them(
    sent: list[tuple[str, str]],
) -> None:
    raw = [(name.encode(), value.encode()) for name, value in sent]
    headers = headers_of(HTTPConnection({"type": "http", "headers": raw}))
    assert headers == {
        name: ", ".join(value for other, value in sent if other == name) for name, _ in sent
    }
