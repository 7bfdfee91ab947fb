from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from attrs import evolve, field, frozen
from hypothesis import given, strategies as st

from voicesession.core.errors import InvalidValue
from voicesession.core.fields import is_count, is_text, naming_fields
from voicesession.core.instants import as_optional_utc, as_utc, from_us
from voicesession.testing.strategies_life import storable_texts


@frozen(kw_only=True, field_transformer=naming_fields)
class Sample:
    seen_at: datetime = field(converter=as_utc)
    gone_at: datetime | None = field(default=None, converter=as_optional_utc)
    count: int = field(default=0, validator=is_count)


@frozen(kw_only=True, field_transformer=naming_fields)
class LargerSample(Sample):
    back_at: datetime = field(converter=as_utc)


@frozen
class Texts:
    words: str = field(default="", validator=is_text)


@given(st.integers(0, 2**63 - 1))
def test_a_count_is_kept_as_it_is(count: int) -> None:
    assert Sample(seen_at=from_us(0), count=count).count == count


@pytest.mark.parametrize("wrong", [-1, 2**63, 1.0, True, "1", None])
def test_what_is_no_count_is_refused_by_the_name_of_its_field(wrong: Any) -> None:
    with pytest.raises(InvalidValue) as refusal:
        Sample(seen_at=from_us(0), count=wrong)
    assert refusal.value.args == ("count", wrong, "a whole number from 0 to 2^63 - 1")


@pytest.mark.parametrize("name", ["seen_at", "gone_at", "back_at"])
def test_a_refused_instant_is_told_by_the_name_of_its_field(name: str) -> None:
    whole = LargerSample(seen_at=from_us(0), gone_at=from_us(1), back_at=from_us(2))
    naive = from_us(0).replace(tzinfo=None)
    changes: dict[str, Any] = {name: naive}
    with pytest.raises(InvalidValue) as refusal:
        evolve(whole, **changes)
    assert refusal.value.args == (name, naive, "a datetime with a time zone")


def test_naming_the_fields_changes_nothing_about_what_is_taken() -> None:
    sample = LargerSample(
        seen_at=datetime(2026, 1, 1, tzinfo=ZoneInfo("Asia/Tokyo")), back_at=from_us(2)
    )
    assert sample.seen_at == datetime(2025, 12, 31, 15, tzinfo=UTC)
    assert (sample.gone_at, sample.back_at, sample.count) == (None, from_us(2), 0)


@given(storable_texts())
def test_a_text_is_kept_as_it_is(text: str) -> None:
    assert Texts(words=text).words == text


@pytest.mark.parametrize("wrong", ["a\0b", "\ud800", 5, None, b"bytes"])
def test_what_no_store_could_keep_as_text_is_refused(wrong: Any) -> None:
    with pytest.raises(InvalidValue, match="words") as refusal:
        Texts(words=wrong)
    assert refusal.value.value == wrong
