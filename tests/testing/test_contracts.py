"""The shipped suites themselves."""

from collections import Counter

import pytest

from voicesession.testing.contracts import storage


def test_no_two_parts_of_a_suite_have_a_test_of_one_name() -> None:
    """Python would keep one of them, and the other rule would never be tested."""
    names = Counter(
        name
        for part in storage.StorageContract.__mro__
        for name in vars(part)
        if name.startswith("test_")
    )
    assert [name for name, count in names.items() if count > 1] == []


def test_a_suite_without_its_fixture_cannot_be_collected_as_if_it_passed() -> None:
    with pytest.raises(TypeError, match="abstract"):
        storage.StorageContract()  # type: ignore[abstract]
