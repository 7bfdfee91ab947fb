from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from attrs import field, frozen
from hypothesis import given, strategies as st

from voicesession.core.errors import InvalidValue
from voicesession.core.fields import is_text
from voicesession.core.identity import (
    DEFAULT_TENANT,
    RANDOM_BYTES,
    checked_id,
    is_id,
    session_id,
    shortened,
    utterance_id,
    uuid7_hex,
)
from voicesession.core.instants import from_us, to_us
from voicesession.testing.strategies_life import host_ids, instants

RANDOMNESS = st.binary(min_size=RANDOM_BYTES, max_size=RANDOM_BYTES)
AT = datetime(2026, 11, 21, tzinfo=UTC)


@frozen
class Sample:
    name: str = field(default="a", validator=is_id)
    words: str = field(default="", validator=is_text)


def test_the_example_of_the_rfc_comes_out_to_the_letter() -> None:
    # RFC 9562, appendix A.6: unix_ts_ms 0x017F22E279B0, rand_a 0xCC3, rand_b 0x18C4DC0C0C07398F.
    at = from_us(0x017F22E279B0 * 1000)
    randomness = (0xCC3 << 62 | 0x18C4DC0C0C07398F).to_bytes(RANDOM_BYTES)
    assert uuid.UUID(uuid7_hex(at, randomness)) == uuid.UUID("017f22e2-79b0-7cc3-98c4-dc0c0c07398f")


@given(instants(), RANDOMNESS)
def test_an_id_is_laid_out_as_a_uuid_of_version_7(at: datetime, randomness: bytes) -> None:
    made = uuid7_hex(at, randomness)
    parsed = uuid.UUID(made)
    assert parsed.hex == made
    assert (parsed.version, parsed.variant) == (7, uuid.RFC_4122)
    assert parsed.int >> 80 == to_us(at) // 1000
    drawn = int.from_bytes(randomness)
    assert parsed.int & (1 << 62) - 1 == drawn & (1 << 62) - 1
    assert parsed.int >> 64 & 0xFFF == drawn >> 62 & 0xFFF


@given(instants(), RANDOMNESS, RANDOMNESS)
def test_two_ids_of_one_millisecond_differ_where_74_random_bits_do(
    at: datetime, one: bytes, other: bytes
) -> None:
    same_bits = (int.from_bytes(one) ^ int.from_bytes(other)) & (1 << 74) - 1 == 0
    assert (uuid7_hex(at, one) == uuid7_hex(at, other)) == same_bits


@given(
    instants(), st.timedeltas(timedelta(milliseconds=1), timedelta(days=9)), RANDOMNESS, RANDOMNESS
)
def test_ids_sort_by_the_millisecond_in_which_they_were_made(
    at: datetime, later: timedelta, one: bytes, other: bytes
) -> None:
    assert session_id(at, one) < session_id(at + later, other)
    assert utterance_id(at, one) < utterance_id(at + later, other)


@pytest.mark.parametrize("size", [0, RANDOM_BYTES - 1, RANDOM_BYTES + 1, 16])
def test_an_id_takes_ten_random_bytes_no_more_no_fewer(size: int) -> None:
    with pytest.raises(InvalidValue) as refusal:
        uuid7_hex(AT, bytes(size))
    assert refusal.value.args == ("randomness", f"{size} bytes", "10 bytes")


@given(instants(), RANDOMNESS)
def test_an_id_says_what_it_names(at: datetime, randomness: bytes) -> None:
    assert session_id(at, randomness) == f"sess_{uuid7_hex(at, randomness)}"
    assert utterance_id(at, randomness) == f"utt_{uuid7_hex(at, randomness)}"
    assert checked_id("id", session_id(at, randomness)) == session_id(at, randomness)


@given(host_ids() | st.uuids().map(str))
def test_a_host_may_bring_its_own_ids(own: str) -> None:
    assert checked_id("id", own) == own
    assert Sample(name=own).name == own


@pytest.mark.parametrize("right", ["a", "...a", "A.b_c:d-e", "x" * 128, DEFAULT_TENANT])
def test_an_id_may_be_up_to_128_plain_characters(right: str) -> None:
    assert checked_id("tenant_id", right) == right


MEANT_OTHERWISE = r"""
. .. .... ../x a/b /a a\b ~ a~ a%2Fb a?b a#b a&b a=b * a* <script> $(id) a;b a|b 'a' "a" é ٣ ﬁ
"""


@pytest.mark.parametrize(
    "wrong", [*MEANT_OTHERWISE.split(), "", "a b", "a\n", "\n", "a\0", "x" * 129]
)
def test_what_means_something_in_a_path_a_key_or_a_url_is_no_id(wrong: str) -> None:
    with pytest.raises(InvalidValue) as refusal:
        checked_id("session_id", wrong)
    assert (refusal.value.field, refusal.value.value) == ("session_id", wrong)
    assert "1 to 128 characters of A-Z a-z 0-9 _ . : -" in str(refusal.value)
    with pytest.raises(InvalidValue, match=r"^name is"):
        Sample(name=wrong)


@pytest.mark.parametrize("dots", [".", "..", "....."])
def test_an_id_is_more_than_dots(dots: str) -> None:
    assert checked_id("id", f"X{dots}X") == f"X{dots}X"
    with pytest.raises(InvalidValue):
        checked_id("id", dots)


@given(
    st.text(
        st.characters(exclude_characters="-_.:", exclude_categories=("Lu", "Ll", "Nd")), min_size=1
    )
)
def test_no_other_character_is_let_through(wrong: str) -> None:
    with pytest.raises(InvalidValue):
        checked_id("id", wrong)


@pytest.mark.parametrize("wrong", [5, None, b"bytes"])
def test_what_is_no_text_is_no_id(wrong: Any) -> None:
    with pytest.raises(InvalidValue) as refusal:
        Sample(name=wrong)
    assert refusal.value.args == ("name", wrong, "text")


@given(instants(), RANDOMNESS)
def test_a_shortened_id_is_the_last_eight_characters(at: datetime, randomness: bytes) -> None:
    made = session_id(at, randomness)
    assert shortened(made) == made[-8:] == f"{int.from_bytes(randomness) & 0xFFFF_FFFF:08x}"
    assert shortened("mine") == "mine"
