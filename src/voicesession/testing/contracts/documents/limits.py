"""What a driver refuses, and what time it has."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any, Final

import pytest

from ....core.errors import InvalidValue, StoreError
from ....ports.documents import (
    Delete,
    DocumentDriver,
    Index,
    Put,
    RevisionConflict,
    Write,
)
from .examples import (
    ALL,
    BY_COLOUR,
    THINGS,
    OnDriver,
    a_key,
    are_there,
    ids_of,
    stored_at,
)

__all__ = ("LimitContract",)


_NO_VALUES: Final[tuple[Any, ...]] = (
    *(2**63, -(2**63) - 1, float("nan"), float("inf"), "\0", "\ud800", b"", [], {}),
)


@pytest.mark.anyio
class LimitContract(OnDriver):
    """Limits and time."""

    async def test_a_hundred_documents_fit_in_one_call_and_no_more(
        self, driver: DocumentDriver
    ) -> None:
        names = [f"{number:03}" for number in range(101)]
        puts = [Put(a_key(name), {"size": 1}) for name in names]
        with pytest.raises(InvalidValue):
            await driver.write_each(puts)
        with pytest.raises(InvalidValue):
            await driver.get([put.key for put in puts])
        assert all(await driver.write_each(puts[:100]))
        assert all(await driver.get([put.key for put in puts[:100]]))
        assert await ids_of(driver, ALL, limit=100) == names[:100]
        for limit in (0, 101, -1):
            with pytest.raises(InvalidValue):
                await ids_of(driver, ALL, limit=limit)

    async def test_five_hundred_writes_happen_as_one_and_no_more(
        self, driver: DocumentDriver
    ) -> None:
        puts = [Put(a_key(f"{number:03}"), {"size": number}) for number in range(501)]
        with pytest.raises(InvalidValue):
            await driver.write(puts)
        with pytest.raises(RevisionConflict):
            await driver.write([*puts[:499], Put(a_key("last"), {}, "another")])
        assert await driver.count(ALL, {}) == 0
        await driver.write(puts[:500])
        assert await driver.count(ALL, {}) == 500

    async def test_what_no_driver_could_keep_is_refused_and_nothing_is_written(
        self, driver: DocumentDriver
    ) -> None:
        bad: Sequence[Write] = [
            *(Put(a_key(), {"a": value}) for value in _NO_VALUES),
            *(Put(a_key(), {name: 1}) for name in ("", "a.b", "A", "1", "_a", "a b")),
            *(Put(a_key(name), {}) for name in ("", "a/b", "a" * 1_001, "\0", "\ud800")),
            *(Put(a_key("one", name), {}) for name in ("", "A", "a/b", "__a__")),
        ]
        for write, call in product(bad, (driver.write, driver.write_each)):
            with pytest.raises(InvalidValue):
                await call([Put(a_key("good"), {}), write])
        for call in (driver.write, driver.write_each):
            with pytest.raises(InvalidValue):
                await call([Put(a_key(), {}), Delete(a_key())])
        assert await are_there(driver, "good", "one") == [False, False]

    async def test_what_is_too_large_is_refused_and_what_just_fits_is_kept(
        self, driver: DocumentDriver
    ) -> None:
        largest = driver.largest_document_bytes
        if largest is None:
            await driver.write([Put(a_key(), {"text": "x" * 2**21})])
            return
        # things + one, each with an end, and 16; then 32; "text" and "x…", each with an end.
        room = largest - (7 + 4 + 16) - 32 - 5 - 1
        for too_long in ("x" * (room + 1), "ü" * (room // 2 + 1)):
            with pytest.raises(StoreError):
                await driver.write([Put(a_key("a"), {}), Put(a_key(), {"text": too_long})])
        assert await are_there(driver, "a", "one") == [False, False]
        await driver.write([Put(a_key(), {"text": "x" * room})])
        assert len((await stored_at(driver, a_key())).body["text"]) == room
        await driver.write([Put(a_key(f"{n:03}"), {"text": "x" * room}) for n in range(9)])
        with pytest.raises(StoreError):
            await driver.write([Put(a_key(f"{n:03}"), {"text": "x" * room}) for n in range(10)])

    async def test_an_index_that_was_not_declared_is_refused(self, driver: DocumentDriver) -> None:
        unknown = Index(THINGS, ("unknown",), ("size",))
        with pytest.raises(InvalidValue):
            await ids_of(driver, unknown, equal={"unknown": 1})
        with pytest.raises(InvalidValue):
            await driver.count(unknown, {"unknown": 1})
        for equal in ({}, {"colour": "red", "size": 1}, {"size": 1}):
            with pytest.raises(InvalidValue):
                await ids_of(driver, BY_COLOUR, equal=equal)

    async def test_the_time_is_now_and_never_runs_backwards(self, driver: DocumentDriver) -> None:
        times = [await driver.now() for _ in range(3)]
        assert times == sorted(times)
        here = datetime.now(UTC)  # noqa: TID251 - the time of this machine is what it is held to
        assert abs(times[0] - here) < timedelta(minutes=5)
        assert times[0].utcoffset() == timedelta()
