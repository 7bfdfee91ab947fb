"""What a write expects, and what becomes of several at once."""

from __future__ import annotations

from itertools import product

import anyio
import pytest
from anyio.lowlevel import checkpoint

from ....ports.documents import (
    ABSENT,
    ANY,
    Check,
    Delete,
    DocumentDriver,
    DocumentQuery,
    Put,
    RevisionConflict,
    Write,
)
from .examples import (
    ALL,
    THINGS,
    OnDriver,
    a_key,
    are_there,
    ids_of,
    put_all,
    stored_at,
)

__all__ = ("BatchContract",)


@pytest.mark.anyio
class BatchContract(OnDriver):
    """Batches, races and cancelled writes."""

    async def test_a_write_expects_what_it_says(self, driver: DocumentDriver) -> None:
        def writes(expected: str) -> list[Write]:
            writes: list[Write] = [Put(a_key(), {"new": True}, expected), Delete(a_key(), expected)]
            return writes if expected == ANY else [*writes, Check(a_key(), expected)]

        for is_there, expected in product((False, True), (ABSENT, ANY, "right", "0" * 16, "")):
            if expected == "right" and not is_there:
                continue
            for number in range(len(writes(expected))):
                await driver.write([Delete(a_key())])
                if is_there:
                    await driver.write([Put(a_key(), {"new": False})])
                before = (await driver.get([a_key()]))[0]
                revision = before.revision if before and expected == "right" else expected
                write = writes(revision)[number]
                if (
                    expected == ANY
                    or (expected == ABSENT and not is_there)
                    or (expected == "right" and is_there)
                ):
                    await driver.write([write])
                    after = (await driver.get([a_key()]))[0]
                    assert (after is None) == (
                        isinstance(write, Delete) or (after == before and before is None)
                    )
                else:
                    with pytest.raises(RevisionConflict) as refusal:
                        await driver.write([write])
                    assert refusal.value.args == (THINGS, "one")
                    assert (await driver.get([a_key()]))[0] == before

    async def test_a_batch_happens_whole_or_not_at_all(self, driver: DocumentDriver) -> None:
        await put_all(driver, {"a": {"size": 1}, "b": {"size": 2}})
        good: list[Write] = [Put(a_key("a"), {"size": 9}), Delete(a_key("b")), Put(a_key("c"), {})]
        refusals: list[Write] = [
            Put(a_key("d"), {}, "another"),
            Delete(a_key("d"), "another"),
            Check(a_key("d"), "another"),
        ]
        for refused, place in product(refusals, range(4)):
            with pytest.raises(RevisionConflict, match="things/d"):
                await driver.write([*good[:place], refused, *good[place:]])
            assert await ids_of(driver, ALL) == ["a", "b"]
            assert await are_there(driver, "a", "b", "c", "d") == [True, True, False, False]
        await driver.write([*good, Check(a_key("d"), ABSENT)])
        assert await are_there(driver, "a", "b", "c", "d") == [True, False, True, False]
        assert (await stored_at(driver, a_key("a"))).body["size"] == 9
        await driver.write([])

    async def test_each_of_several_writes_stands_for_itself(self, driver: DocumentDriver) -> None:
        await put_all(driver, {"a": {"size": 1}, "b": {"size": 2}, "c": {"size": 3}})
        revision = (await stored_at(driver, a_key("a"))).revision
        done = await driver.write_each(
            [
                Put(a_key("a"), {"size": 11}, revision),
                Put(a_key("b"), {"size": 12}, revision + "x"),
                Delete(a_key("c")),
                Put(a_key("d"), {"size": 14}, ABSENT),
                Delete(a_key("e"), "another"),
                Check(a_key("f"), ABSENT),
            ]
        )
        assert list(done) == [True, False, True, True, False, True]
        assert await ids_of(driver, ALL) == ["b", "a", "d"]
        assert list(await driver.write_each([])) == []

    async def test_of_many_racing_writers_exactly_one_wins(self, driver: DocumentDriver) -> None:
        await driver.write([Put(a_key(), {"n": -1})])
        before = await stored_at(driver, a_key())
        won: list[int] = []

        async def write(number: int) -> None:
            writes = [
                Put(a_key(), {"n": number}, before.revision),
                Put(a_key(f"of {number}"), {"size": number}),
            ]
            try:
                await driver.write(writes)
            except RevisionConflict:
                return
            won.append(number)

        async with anyio.create_task_group() as group:
            for number in range(8):
                group.start_soon(write, number)
        assert [(await stored_at(driver, a_key())).body["n"]] == won
        assert await ids_of(driver, ALL) == [f"of {number}" for number in won]

    async def test_no_count_is_lost_between_racing_writers(self, driver: DocumentDriver) -> None:
        await driver.write([Put(a_key(), {"n": 0})])

        async def add_one() -> None:
            while True:
                before = await stored_at(driver, a_key())
                put = Put(a_key(), {"n": before.body["n"] + 1}, before.revision)
                if all(await driver.write_each([put])):
                    return

        async with anyio.create_task_group() as group:
            for _ in range(6):
                group.start_soon(add_one)
        assert (await stored_at(driver, a_key())).body["n"] == 6

    async def test_two_documents_are_read_as_of_one_instant(self, driver: DocumentDriver) -> None:
        keys = [a_key("a"), a_key("b")]
        await driver.write([Put(key, {"size": 0}) for key in keys])

        async def write() -> None:
            for number in range(1, 15):
                await driver.write([Put(key, {"size": number}) for key in keys])

        async with anyio.create_task_group() as group:
            group.start_soon(write)
            for _ in range(15):
                one, other = await driver.get(keys)
                assert one is not None
                assert other is not None
                assert one.body == other.body
                found = await driver.find(DocumentQuery(index=ALL, equal={}))
                assert len({document.body["size"] for document in found}) == 1

    async def test_a_cancelled_write_is_whole_or_not_there_and_harms_nobody(
        self, driver: DocumentDriver
    ) -> None:
        for checkpoints in range(12):
            a, b = f"a{checkpoints}", f"b{checkpoints}"
            async with anyio.create_task_group() as group:
                group.start_soon(driver.write, [Put(a_key(a), {}), Put(a_key(b), {})])
                for _ in range(checkpoints):
                    await checkpoint()
                group.cancel_scope.cancel()
            one, other = await are_there(driver, a, b)
            assert one == other
            await put_all(driver, {a: {}, b: {}})
