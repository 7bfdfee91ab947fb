"""The emulator finds what Firestore finds, and refuses what needs an index."""

import json
from typing import Any

import pytest
from google.api_core import exceptions
from google.cloud.firestore import AsyncClient, FieldFilter, Query
from google.cloud.firestore_v1 import types
from hypothesis import given, strategies as st
from tests.firestore_emulator.database import Kept
from tests.firestore_emulator.queries import parsed
from tests.firestore_emulator.server import Emulator

SIZES: dict[str, Any] = {
    "a": -1, "b": 0, "c": 2.5, "d": 2.5, "e": 10, "f": "10", "g": None, "h": True, "i": "ü",
}  # fmt: skip
IN_ORDER = ["g", "h", "a", "b", "c", "d", "e", "f", "i"]


@pytest.fixture
async def things(client: AsyncClient) -> Any:
    collection = client.collection("things")
    for name, size in SIZES.items():
        await collection.document(name).set({"size": size, "even": name in "bdfh"})
    await collection.document("z").set({"even": True})
    await client.collection("elsewhere").document("y").set({"size": 1})
    return collection


async def ids(query: Any) -> list[str]:
    return [each.id async for each in query.stream(retry=None)]


async def test_values_are_sorted_by_type_then_by_value_then_by_name(things: Any) -> None:
    assert await ids(things.order_by("size")) == IN_ORDER
    backwards = things.order_by("size", direction=Query.DESCENDING)
    assert await ids(backwards) == IN_ORDER[::-1]
    assert await ids(things) == [*SIZES, "z"]


async def test_a_range_holds_only_values_of_its_own_type(things: Any) -> None:
    assert await ids(things.where(filter=FieldFilter("size", ">", -1))) == ["b", "c", "d", "e"]
    assert await ids(things.where(filter=FieldFilter("size", ">=", "1"))) == ["f", "i"]
    between = things.where(filter=FieldFilter("size", ">=", 0))
    assert await ids(between.where(filter=FieldFilter("size", "<", 10))) == ["b", "c", "d"]
    assert await ids(between.where(filter=FieldFilter("size", "<=", 10))) == ["b", "c", "d", "e"]


async def test_equalities_take_whole_numbers_for_floats_but_not_true_for_one(things: Any) -> None:
    for value, found in ((0.0, ["b"]), (True, ["h"]), (1, []), (None, ["g"]), ("10", ["f"])):
        assert await ids(things.where(filter=FieldFilter("size", "==", value))) == found


async def test_cursors_stand_before_or_behind_what_they_name(things: Any) -> None:
    by_size = things.order_by("size")
    at = {"size": 2.5}
    assert await ids(by_size.start_at(at)) == IN_ORDER[4:]
    assert await ids(by_size.start_after(at)) == IN_ORDER[6:]
    assert await ids(by_size.end_at(at)) == IN_ORDER[:6]
    assert await ids(by_size.end_before(at)) == IN_ORDER[:4]
    by_name_too = by_size.order_by("__name__")
    behind_c = {"size": 2.5, "__name__": things.document("c")}
    assert await ids(by_name_too.start_after(behind_c).limit(2)) == ["d", "e"]
    assert await ids(by_size.offset(1).limit(2)) == ["h", "a"]
    with pytest.raises(exceptions.InvalidArgument):
        await ids(by_size.start_at({"size": 3}).end_at({"size": 2}))


async def test_what_is_found_is_counted(things: Any) -> None:
    query = things.where(filter=FieldFilter("even", "==", True))
    ((counted,),) = await query.count().get(retry=None)
    assert counted.value == 5


@given(
    sizes=st.lists(st.integers(-3, 3), max_size=8),
    start=st.integers(-4, 4),
    length=st.integers(0, 8),
    before=st.tuples(st.booleans(), st.booleans()),
    descending=st.booleans(),
    limit=st.integers(1, 9),
)
def test_a_page_is_a_piece_of_the_sorted_whole(
    sizes: list[int],
    start: int,
    length: int,
    before: tuple[bool, bool],
    descending: bool,
    limit: int,
) -> None:
    def value(n: int) -> types.Value:
        return types.Value(integer_value=n)

    parent, towards = "projects/p/databases/d/documents", -1 if descending else 1
    end = start + towards * length
    query = types.StructuredQuery(
        from_=[{"collection_id": "things"}],
        order_by=[{"field": {"field_path": "size"}, "direction": 2 if descending else 1}],
        start_at=types.Cursor(values=[value(start)], before=before[0]),
        end_at=types.Cursor(values=[value(end)], before=before[1]),
        limit=limit,
    )
    documents = {
        f"{parent}/things/{i}": Kept({"size": types.Value.pb(value(size))}, 1, 1)
        for i, size in enumerate(sizes)
    }
    expected = [
        f"{parent}/things/{i}"
        for size, i in sorted(zip(sizes, range(9), strict=False), reverse=descending)
        if (size - start) * towards >= (0 if before[0] else 1)
        and (end - size) * towards >= (1 if before[1] else 0)
    ][:limit]
    found = parsed(types.StructuredQuery.pb(query), parent).run(documents)
    assert [name for name, _ in found] == expected


# --- indexes --------------------------------------------------------------------------------


def definitions(*fields: tuple[str, str], off: str | None = None) -> str:
    composite = {
        "collectionGroup": "things",
        "queryScope": "COLLECTION",
        "fields": [{"fieldPath": name, "order": order} for name, order in fields],
    }
    overrides = [{"collectionGroup": "things", "fieldPath": off, "indexes": []}] if off else []
    return json.dumps({"indexes": [composite] if fields else [], "fieldOverrides": overrides})


async def test_a_query_without_an_index_is_refused_until_the_index_is_there(
    running: Emulator, things: Any
) -> None:
    even = things.where(filter=FieldFilter("even", "==", True))
    up, down = even.order_by("size"), even.order_by("size", direction=Query.DESCENDING)
    with pytest.raises(exceptions.FailedPrecondition, match="requires an index"):
        await ids(up)
    running.indexes.deploy(definitions(("even", "ASCENDING"), ("size", "ASCENDING")))
    assert await ids(up) == ["h", "b", "d", "f"]
    with pytest.raises(exceptions.FailedPrecondition):
        await ids(down)
    running.indexes.deploy(definitions(("even", "ASCENDING"), ("size", "DESCENDING")))
    assert await ids(down) == ["f", "d", "b", "h"]


async def test_names_backwards_need_an_index_of_their_own(running: Emulator, things: Any) -> None:
    even = things.where(filter=FieldFilter("even", "==", True))
    backwards = even.order_by("__name__", direction=Query.DESCENDING)
    for query in (backwards, things.order_by("__name__", direction=Query.DESCENDING)):
        with pytest.raises(exceptions.FailedPrecondition):
            await ids(query)
    running.indexes.deploy(definitions(("even", "ASCENDING"), ("__name__", "DESCENDING")))
    assert await ids(backwards) == ["z", "h", "f", "d", "b"]


async def test_a_field_whose_own_index_is_turned_off_cannot_be_asked_for(
    running: Emulator, things: Any
) -> None:
    running.indexes.deploy(definitions(off="size"))
    for query in (things.order_by("size"), things.where(filter=FieldFilter("size", "==", 0))):
        with pytest.raises(exceptions.FailedPrecondition):
            await ids(query)
    assert await ids(things.where(filter=FieldFilter("even", "==", True)))
