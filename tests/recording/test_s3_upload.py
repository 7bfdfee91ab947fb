from __future__ import annotations

import hashlib
from itertools import repeat
from operator import length_hint

from hypothesis import given, strategies as st

from voicesession.recording.s3.upload import etag_of_parts, parts_of

PIECES = st.lists(st.binary(max_size=40), max_size=12)


@given(PIECES, st.integers(1, 30))
def test_pieces_become_parts_of_one_size_and_none_is_lost(
    pieces: list[bytes], part_bytes: int
) -> None:
    taken = [(part.body.read(), part.is_last) for part in parts_of(pieces, part_bytes)]
    parts = [data for data, _ in taken]
    assert b"".join(parts) == b"".join(pieces)
    assert [is_last for _, is_last in taken] == [False] * (len(parts) - 1) + [True]
    assert {len(data) for data in parts[:-1]} <= {part_bytes}
    assert len(parts[-1]) <= part_bytes
    assert parts[-1] or len(parts) == 1


@given(st.integers(1, 30), st.integers(0, 5))
def test_pieces_are_taken_no_further_than_the_next_part_needs(part_bytes: int, taken: int) -> None:
    pieces = repeat(b"x", 1_000)
    parts = parts_of(pieces, part_bytes)
    for _ in range(taken):
        next(parts)
    # One more than it has, to know that it is not the last.
    assert length_hint(pieces) == 1_000 - (taken * part_bytes + 1 if taken else 0)


def test_the_tag_of_an_object_in_parts_is_that_of_the_tags_of_its_parts() -> None:
    first, second = (hashlib.md5(part, usedforsecurity=False) for part in (b"1", b"2"))
    whole = hashlib.md5(first.digest() + second.digest(), usedforsecurity=False)
    tags = [f'"{part.hexdigest()}"' for part in (first, second)]
    assert etag_of_parts(tags) == f'"{whole.hexdigest()}-2"'
    assert etag_of_parts([*tags, '"what a key of KMS gives"']) == ""
