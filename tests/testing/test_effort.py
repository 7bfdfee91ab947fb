from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from voicesession.testing.effort import examples


@pytest.fixture(params=[25, 100, 3_000])
def asked(request: pytest.FixtureRequest) -> Iterator[int]:
    """How many examples the loaded profile asks of every property."""
    before = os.environ.get("VOICESESSION_PROFILE", "voicesession")
    settings.register_profile("asked", max_examples=request.param)
    settings.load_profile("asked")
    yield request.param
    settings.load_profile(before)


def test_a_count_grows_and_shrinks_as_the_profile_does(asked: int) -> None:
    assert examples(100) == asked
    assert examples(40) == asked * 40 // 100


def test_no_property_goes_without_an_example(asked: int) -> None:
    assert examples(1) >= 1
