"""What a database could not read again is refused before anything is written."""

from __future__ import annotations

import pytest
from attrs import evolve

from voicesession.core.errors import InvalidValue
from voicesession.ports.storage import Change
from voicesession.stores.changes import check_change
from voicesession.testing.contracts.storage.examples import a_session


@pytest.mark.parametrize(
    "text",
    [
        '{"broken": ',
        '{"two": 1} {"of": 2}',
        '{"no_number": NaN}',
        '{"half_a_character": "\\ud800"}',
        '{"deep": ' * 1_000 + "{}" + "}" * 1_000,
    ],
    ids=lambda text: text[:10],
)
def test_metadata_that_is_no_json_everywhere_is_refused(text: str) -> None:
    session = evolve(a_session(), metadata_json=text)
    with pytest.raises(InvalidValue, match="a JSON object") as refusal:
        check_change(Change(session=session, expected_seq=None))
    assert refusal.value.field == "metadata"
