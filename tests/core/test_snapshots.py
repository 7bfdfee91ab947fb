"""The next snapshot is what attrs would make of it, and what it may not hold is refused."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from attrs import evolve, field, fields, frozen
from hypothesis import given, strategies as st

from voicesession.core.errors import InvalidValue
from voicesession.core.session import Session
from voicesession.core.snapshots import changed
from voicesession.testing.strategies_life import sessions

FIELDS = tuple(attribute.name for attribute in fields(Session))


@given(sessions(), sessions(), st.sets(st.sampled_from(FIELDS)))
def test_it_is_what_attrs_would_make_of_it(
    session: Session, other: Session, names: set[str]
) -> None:
    changes = {name: getattr(other, name) for name in names}
    assert changed(session, **changes) == evolve(session, **changes)


@given(sessions())
def test_the_one_before_stays_as_it_was(session: Session) -> None:
    before = evolve(session)
    assert changed(session, seq=session.seq + 1) != session
    assert session == before


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("seq", -1),
        ("error", "\0"),
        ("state", "ASLEEP"),
        ("updated_at", datetime(2026, 1, 1)),  # noqa: DTZ001  # the fault
        ("sample_rate", 1),
    ],
)
@given(session=sessions())
def test_what_a_field_may_not_hold_is_refused_by_its_name(
    session: Session, name: str, wrong: Any
) -> None:
    with pytest.raises(InvalidValue) as refusal:
        changed(session, **{name: wrong})
    assert refusal.value.field == name


@given(sessions())
def test_values_are_converted_as_for_a_new_one(session: Session) -> None:
    assert changed(session, updated_at=datetime(2026, 1, 1, tzinfo=UTC)).updated_at.tzinfo is UTC


def test_a_field_that_there_is_not_is_an_error_of_the_caller() -> None:
    with pytest.raises(TypeError, match="Plain has no field 'third'"):
        changed(Plain(first=1, second=2), third=3)


@frozen
class Plain:
    first: int = field(converter=int)
    second: int


def test_a_class_with_simpler_fields_will_do_as_well() -> None:
    plain: Any = changed(Plain(first=1, second=2), first="3", second=4)
    assert plain == Plain(first=3, second=4)
