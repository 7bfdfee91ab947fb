"""Which bytes a Range header asks for."""

from contextlib import suppress

import pytest
from hypothesis import given, strategies as st

from voicesession.schemas.refusals import RangeNotSatisfiable
from voicesession.web.ranges import wanted_bytes

SIZES = st.integers(1, 1_000)
PLACES = st.integers(0, 2_000)


@given(size=SIZES, first=PLACES, last=PLACES)
def test_a_range_is_what_python_would_cut_out(size: int, first: int, last: int) -> None:
    data = bytes(index % 251 for index in range(size))
    header = f"bytes={first}-{last}"
    if last < first:
        assert wanted_bytes(header, size) is None
    elif first >= size:
        with pytest.raises(RangeNotSatisfiable, match=f"{size} bytes"):
            wanted_bytes(header, size)
    else:
        wanted = wanted_bytes(header, size)
        assert wanted is not None
        assert data[wanted.start : wanted.stop] == data[first : last + 1]


@given(size=SIZES, last=st.integers(1, 2_000))
def test_the_end_of_a_file_is_asked_for_by_its_length(size: int, last: int) -> None:
    assert wanted_bytes(f"bytes=-{last}", size) == range(max(0, size - last), size)


@pytest.mark.parametrize(
    "header",
    [None, "", "bytes=", "bytes=-", "lines=0-1", "bytes=0-1,3-4", "bytes=a-b", "bytes=5-2"],
)
def test_what_is_not_understood_is_the_whole_file(header: str | None) -> None:
    assert wanted_bytes(header, 10) is None


@given(header=st.text(max_size=30))
def test_no_header_breaks_it(header: str) -> None:
    with suppress(RangeNotSatisfiable):
        wanted_bytes(header, 10)
    for hard in ("bytes=" + "9" * 19 + "-", "bytes=-0"):
        with pytest.raises(RangeNotSatisfiable):
            wanted_bytes(hard, 10)
