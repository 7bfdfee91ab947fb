"""How documents are found and counted."""

from __future__ import annotations

from itertools import product
from typing import Any, Final

import pytest

from ....ports.documents import (
    Delete,
    DocumentDriver,
    DocumentQuery,
    Put,
)
from .examples import (
    ALL,
    BY_COLOUR,
    BY_COLOUR_AND_NAME,
    ELSEWHERE,
    EVERY_KIND,
    MEMBERS,
    OnDriver,
    a_key,
    ids_of,
    put_all,
    stored_at,
)

__all__ = ("IndexContract",)

_ODD_VALUES: Final = (
    *("", "1", 1, True, False, 0, None, "True", "None", "null", "a:b", "a/b", "ü", "{", "\n", -1),
    *(2**63 - 1, -(2**63), "x" * 500),
)


@pytest.mark.anyio
class IndexContract(OnDriver):
    """Order, ranges and pages."""

    async def test_an_index_holds_what_has_its_values_in_its_order(
        self, driver: DocumentDriver
    ) -> None:
        await put_all(
            driver,
            {
                "d": {"colour": "red", "size": 3},
                "c": {"colour": "red", "size": -5},
                "b": {"colour": "red", "size": 3},
                "a": {"colour": "red", "size": 20},
                "other colour": {"colour": "blue", "size": 1},
                "no size": {"colour": "red"},
                "size of nothing": {"colour": "red", "size": None},
                "no colour": {"size": 1},
                "colour of nothing": {"size": 2, "colour": None},
            },
        )
        await driver.write([Put(a_key("e", "elsewhere"), {"colour": "red", "size": 1})])
        red = {"colour": "red"}
        assert await ids_of(driver, BY_COLOUR, equal=red) == ["c", "b", "d", "a"]
        assert await ids_of(driver, BY_COLOUR, equal=red, descending=True) == ["a", "d", "b", "c"]
        assert await ids_of(driver, BY_COLOUR, equal={"colour": None}) == ["colour of nothing"]
        assert await ids_of(driver, ELSEWHERE, equal=red) == ["e"]
        assert await ids_of(driver, BY_COLOUR, equal={"colour": "green"}) == []

    async def test_documents_come_back_whole_and_with_their_revision(
        self, driver: DocumentDriver
    ) -> None:
        await driver.write([Put(a_key(), {**EVERY_KIND, "size": 1})])
        (found,) = await driver.find(DocumentQuery(index=ALL, equal={}))
        assert found == await stored_at(driver, a_key())

    async def test_a_document_moves_in_its_indexes_when_it_changes(
        self, driver: DocumentDriver
    ) -> None:
        await put_all(
            driver, {"a": {"colour": "red", "size": 1}, "b": {"colour": "red", "size": 2}}
        )
        await put_all(driver, {"a": {"colour": "red", "size": 3}})
        assert await ids_of(driver, BY_COLOUR, equal={"colour": "red"}) == ["b", "a"]
        await put_all(driver, {"a": {"colour": "blue", "size": 3}})
        assert await ids_of(driver, BY_COLOUR, equal={"colour": "red"}) == ["b"]
        assert await ids_of(driver, BY_COLOUR, equal={"colour": "blue"}) == ["a"]
        await put_all(driver, {"a": {}})
        assert await ids_of(driver, BY_COLOUR, equal={"colour": "blue"}) == []
        assert await ids_of(driver, ALL) == ["b"]

    async def test_no_two_values_are_taken_for_the_same(self, driver: DocumentDriver) -> None:
        for value, round_ in product(_ODD_VALUES, (True, "x")):
            name = f"{_ODD_VALUES.index(value)}{type(value).__name__}{round_}"
            await put_all(driver, {name: {"colour": value, "round": round_}})
        for value in _ODD_VALUES:
            equal = {"colour": value, "round": True}
            name = f"{_ODD_VALUES.index(value)}{type(value).__name__}True"
            assert await ids_of(driver, MEMBERS, equal=equal) == [name]
            assert await driver.count(MEMBERS, equal) == 1

    async def test_numbers_are_sorted_as_numbers_and_texts_by_their_utf8(
        self, driver: DocumentDriver
    ) -> None:
        numbers = [-(2**63), -(2**53) - 1, -256, -2, -1, 0, 1, 2, 10, 255, 2**53, 2**53 + 1]
        await put_all(driver, {f"n{i}": {"size": n} for i, n in reversed(list(enumerate(numbers)))})
        assert await ids_of(driver, ALL) == [f"n{i}" for i in range(len(numbers))]
        texts = [
            "",
            " ",
            "A",
            "B",
            "a",
            "a ",
            "aa",
            "b",
            "é",
            "\uffee",
            "\N{MUSICAL SYMBOL G CLEF}",
        ]
        equal = {"colour": "red", "round": False}
        await put_all(
            driver, {f"t{i:02}": {**equal, "name": t, "size": -i} for i, t in enumerate(texts)}
        )
        expected = [f"t{i:02}" for i in range(len(texts))]
        assert await ids_of(driver, BY_COLOUR_AND_NAME, equal=equal) == expected

    @pytest.mark.parametrize("descending", [False, True])
    async def test_a_range_begins_at_its_start_and_stops_before_its_end(
        self, driver: DocumentDriver, descending: bool
    ) -> None:
        sizes = [-3, -1, 0, 2, 2, 5]
        await put_all(driver, {f"{i}": {"size": size} for i, size in enumerate(sizes)})
        for start, end in product((None, -4, -1, 1, 2, 6), repeat=2):
            expected = [
                f"{i}"
                for i, size in enumerate(sizes)
                if (start is None or size >= start) and (end is None or size < end)
            ]
            found = await ids_of(
                driver,
                ALL,
                start=None if start is None else (start,),
                end=None if end is None else (end,),
                descending=descending,
            )
            assert found == (expected[::-1] if descending else expected)

    async def test_a_range_may_name_only_the_first_of_the_order(
        self, driver: DocumentDriver
    ) -> None:
        equal = {"colour": "red", "round": True}
        names = ["a", "ab", "b", "b", "b", "ba", "c"]
        await put_all(
            driver, {f"{i}": {**equal, "name": n, "size": i - 3} for i, n in enumerate(names)}
        )
        index = BY_COLOUR_AND_NAME
        assert await ids_of(driver, index, equal=equal, start=("b",)) == ["2", "3", "4", "5", "6"]
        assert await ids_of(driver, index, equal=equal, end=("b",)) == ["0", "1"]
        assert await ids_of(driver, index, equal=equal, start=("b", 0)) == ["3", "4", "5", "6"]
        assert await ids_of(driver, index, equal=equal, end=("b", 0)) == ["0", "1", "2"]

    @pytest.mark.parametrize("descending", [False, True])
    async def test_page_after_page_shows_everything_once(
        self, driver: DocumentDriver, descending: bool
    ) -> None:
        await put_all(driver, {f"{i}": {"size": i // 3} for i in range(9)})
        everything = await ids_of(driver, ALL, descending=descending)
        assert len(everything) == 9
        for limit in (1, 2, 3, 9, 100):
            seen: list[str] = []
            after: tuple[tuple[Any, ...], str] | None = None
            while True:
                query = DocumentQuery(
                    index=ALL, equal={}, limit=limit, after=after, descending=descending
                )
                page = await driver.find(query)
                assert len(page) <= limit
                if not page:
                    break
                seen += [document.key.id for document in page]
                after = ((page[-1].body["size"],), page[-1].key.id)
            assert seen == everything

    async def test_a_page_goes_on_behind_what_is_no_longer_there(
        self, driver: DocumentDriver
    ) -> None:
        await put_all(driver, {name: {"size": 1} for name in "abcd"})
        await driver.write([Delete(a_key("b"))])
        assert await ids_of(driver, ALL, after=((1,), "b")) == ["c", "d"]
        assert await ids_of(driver, ALL, after=((1,), "b"), descending=True) == ["a"]
        assert await ids_of(driver, ALL, after=((0,), "z")) == ["a", "c", "d"]
        assert await ids_of(driver, ALL, after=((1,), "a"), start=(1,), end=(2,)) == ["c", "d"]
        assert await ids_of(driver, ALL, after=((1,), "a"), start=(2,)) == []

    async def test_what_is_in_an_index_is_counted(self, driver: DocumentDriver) -> None:
        assert await driver.count(ALL, {}) == 0
        await put_all(
            driver,
            {
                f"{i}": {"colour": "red" if i % 3 else None, "round": i < 4, "size": i}
                for i in range(9)
            },
        )
        assert await driver.count(ALL, {}) == 9
        assert await driver.count(BY_COLOUR, {"colour": "red"}) == 6
        assert await driver.count(BY_COLOUR, {"colour": None}) == 3
        assert await driver.count(MEMBERS, {"colour": "red", "round": True}) == 2
        await put_all(driver, {"1": {}})
        assert await driver.count(BY_COLOUR, {"colour": "red"}) == 5
