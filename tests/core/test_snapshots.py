"""The next snapshot is what attrs would make of it, and what it may not hold is refused."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from attrs import evolve, field, fields, frozen
from attrs.exceptions import FrozenInstanceError
from hypothesis import given, strategies as st

from voicesession.core.errors import InvalidValue
from voicesession.core.identity import SessionId
from voicesession.core.session import Session
from voicesession.core.snapshots import changed
from voicesession.core.states import SessionState
from voicesession.testing.strategies_life import sessions

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SESSION = Session(
    id=SessionId("s"), created_at=NOW, updated_at=NOW, state_since=NOW, last_activity_at=NOW
)
FIELDS = tuple(attribute.name for attribute in fields(Session))


@given(sessions(), sessions(), st.sets(st.sampled_from(FIELDS)))
def test_it_is_what_attrs_would_make_of_it(
    session: Session, other: Session, names: set[str]
) -> None:
    changes = {name: getattr(other, name) for name in names}
    assert changed(session, **changes) == evolve(session, **changes)


def test_the_one_before_stays_as_it_was() -> None:
    assert changed(SESSION, seq=7).seq == 7
    assert SESSION.seq == 0


def test_it_is_as_frozen_as_the_one_before() -> None:
    after: Any = changed(SESSION, seq=7)
    with pytest.raises(FrozenInstanceError):
        after.seq = 8
    with pytest.raises(FrozenInstanceError):
        del after.seq
    assert type(after) is Session


def test_what_changes_nothing_is_no_new_one() -> None:
    assert changed(SESSION) is SESSION
    assert changed(SESSION, seq=SESSION.seq, created_at=SESSION.created_at) is SESSION


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("seq", -1),
        ("error", "\0"),
        ("state", "ASLEEP"),
        ("updated_at", datetime(2026, 1, 1)),  # noqa: DTZ001  # the fault
        ("sample_rate", 1),
        ("channels", True),
    ],
)
def test_what_a_field_may_not_hold_is_refused_by_its_name(name: str, wrong: Any) -> None:
    with pytest.raises(InvalidValue) as refusal:
        changed(SESSION, **{name: wrong})
    assert refusal.value.field == name


def test_values_are_converted_as_for_a_new_one() -> None:
    assert changed(SESSION, state="LIVE").state is SessionState.LIVE


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
