"""The emulator is as strict with writes as Firestore, seen through Google's client."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from google.api_core import exceptions
from google.cloud.firestore import AsyncClient, async_transactional
from google.cloud.firestore_v1 import types
from tests.firestore_emulator.limits import MAX_DOCUMENT_BYTES
from tests.firestore_emulator.server import Emulator

DATABASE = "projects/test/databases/(default)"


async def held(client: AsyncClient, document_id: str = "one") -> dict[str, Any] | None:
    document = await client.collection("things").document(document_id).get()
    return document.to_dict()


# --- preconditions --------------------------------------------------------------------------


async def test_a_write_at_a_stale_update_time_is_refused_and_changes_nothing(
    client: AsyncClient,
) -> None:
    one, other = (client.collection("things").document(name) for name in ("one", "other"))
    await one.set({"n": 1})
    stale = (await one.get()).update_time
    await one.set({"n": 2})
    batch = client.batch()
    batch.set(other, {"n": 3})
    batch.update(one, {"n": 4}, option=client.write_option(last_update_time=stale))
    with pytest.raises(exceptions.FailedPrecondition):
        await batch.commit(retry=None)
    assert (await held(client, "one"), await held(client, "other")) == ({"n": 2}, None)
    fresh = client.write_option(last_update_time=(await one.get()).update_time)
    await one.update({"n": 5}, option=fresh)
    with pytest.raises(exceptions.FailedPrecondition):
        await one.delete(option=fresh)
    assert await held(client) == {"n": 5}


async def test_what_must_be_there_or_must_not_is_checked(client: AsyncClient) -> None:
    one = client.collection("things").document("one")
    for option in (
        client.write_option(exists=True),
        client.write_option(last_update_time=datetime(2001, 1, 1, tzinfo=UTC)),
    ):
        with pytest.raises(exceptions.NotFound):
            await one.delete(option=option)
    await one.delete(option=client.write_option(exists=False))
    await one.create({"n": 1})
    with pytest.raises(exceptions.AlreadyExists):
        await one.create({"n": 2})
    with pytest.raises(exceptions.AlreadyExists):
        await one.delete(option=client.write_option(exists=False))
    assert await held(client) == {"n": 1}


async def test_update_times_grow_with_each_change_and_only_with_changes(
    client: AsyncClient,
) -> None:
    one = client.collection("things").document("one")
    times = []
    for number in range(50):
        await one.set({"n": number})
        times.append((await one.get()).update_time)
    assert times == sorted(set(times))
    await one.set({"n": 49})
    assert (await one.get()).update_time == times[-1]
    await one.delete()
    await one.set({"n": 49})
    assert (await one.get()).update_time > times[-1]


async def test_an_empty_mask_checks_and_changes_nothing(client: AsyncClient) -> None:
    one = client.collection("things").document("one")
    await one.set({"n": 1})
    before = await one.get()
    name = f"{DATABASE}/documents/things/one"
    for at, is_refused in (
        (before.update_time, False),
        (datetime(2001, 1, 1, tzinfo=UTC), True),
    ):
        check = types.Write(
            update=types.Document(name=name),
            update_mask=types.DocumentMask(),
            current_document=types.Precondition(update_time=at),
        )
        request = types.CommitRequest(database=DATABASE, writes=[check])
        if is_refused:
            with pytest.raises(exceptions.FailedPrecondition):
                await client._firestore_api.commit(request)
        else:
            await client._firestore_api.commit(request)
    after = await one.get()
    assert (after.to_dict(), after.update_time) == ({"n": 1}, before.update_time)


async def test_a_mask_replaces_only_what_it_names(client: AsyncClient) -> None:
    one = client.collection("things").document("one")
    await one.set({"a": 1, "b": 2})
    await one.update({"b": 3})
    assert await held(client) == {"a": 1, "b": 3}
    await one.set({"c": 4})
    assert await held(client) == {"c": 4}


async def test_writes_of_a_batch_each_stand_for_themselves(
    client: AsyncClient, running: Emulator
) -> None:
    def write(document_id: str, *, exists: bool) -> types.Write:
        return types.Write(
            update=types.Document(name=f"{DATABASE}/documents/things/{document_id}"),
            current_document=types.Precondition(exists=exists),
        )

    request = types.BatchWriteRequest(
        database=DATABASE, writes=[write("a", exists=False), write("b", exists=True)]
    )
    answer = await client._firestore_api.batch_write(request)
    assert [status.code for status in answer.status] == [0, 5]
    assert [name[-1] for name in running.database(DATABASE).documents] == ["a"]
    twice = types.BatchWriteRequest(database=DATABASE, writes=[write("a", exists=True)] * 2)
    with pytest.raises(exceptions.InvalidArgument):
        await client._firestore_api.batch_write(twice)


# --- transactions ---------------------------------------------------------------------------


async def test_no_count_is_lost_between_racing_transactions(client: AsyncClient) -> None:
    one = client.collection("things").document("one")
    await one.set({"n": 0})

    @async_transactional
    async def add_one(transaction: Any) -> None:
        before = await one.get(transaction=transaction)
        await asyncio.sleep(0)
        transaction.update(one, {"n": before.get("n") + 1})

    await asyncio.gather(*(add_one(client.transaction(max_attempts=20)) for _ in range(5)))
    assert await held(client) == {"n": 5}


async def test_a_transaction_sees_one_instant_and_does_not_survive_a_change(
    client: AsyncClient,
) -> None:
    one = client.collection("things").document("one")
    await one.set({"n": 1})
    transaction = client.transaction()
    await transaction._begin()
    await one.set({"n": 2})
    assert (await one.get(transaction=transaction)).to_dict() == {"n": 1}
    transaction.set(one, {"n": 3})
    with pytest.raises(exceptions.Aborted):
        await transaction._commit()
    assert await held(client) == {"n": 2}


async def test_a_transaction_notices_what_its_query_would_find_now(client: AsyncClient) -> None:
    things: Any = client.collection("things")
    transaction = client.transaction()
    await transaction._begin()
    assert [each async for each in things.stream(transaction=transaction)] == []
    await things.document("new").set({})
    transaction.set(things.document("count"), {"n": 0})
    with pytest.raises(exceptions.Aborted):
        await transaction._commit()


async def test_a_transaction_that_only_reads_may_not_write_and_one_that_is_over_may_nothing(
    client: AsyncClient,
) -> None:
    one = client.collection("things").document("one")
    reading = client.transaction(read_only=True)
    await reading._begin()
    await one.set({"n": 1})
    assert not (await one.get(transaction=reading)).exists
    request = {
        "database": DATABASE,
        "transaction": reading.id,
        "writes": [types.Write(delete=f"{DATABASE}/documents/things/one")],
    }
    for _ in range(2):
        with pytest.raises(exceptions.InvalidArgument):
            await client._firestore_api.commit(request)
    await reading._rollback()
    assert await held(client) == {"n": 1}
    with pytest.raises(exceptions.InvalidArgument):
        await client._firestore_api.rollback({"database": DATABASE, "transaction": b"none"})


async def test_a_transaction_that_is_rolled_back_has_changed_nothing(client: AsyncClient) -> None:
    one = client.collection("things").document("one")
    transaction = client.transaction()
    await transaction._begin()
    transaction.set(one, {"n": 1})
    await transaction._rollback()
    assert await held(client) is None


async def test_a_write_that_meets_others_is_aborted_and_changes_nothing(
    client: AsyncClient, running: Emulator
) -> None:
    things = client.collection("things")
    running.database(DATABASE).contend(f"{DATABASE}/documents/things/one")
    batch = client.batch()
    for name in ("other", "one"):
        batch.set(things.document(name), {"n": 1})
    with pytest.raises(exceptions.Aborted):
        await batch.commit(retry=None)
    assert await held(client, "other") is None
    await things.document("one").set({"n": 1}, retry=None)


async def test_somebody_may_act_just_before_a_call(client: AsyncClient, running: Emulator) -> None:
    one = client.collection("things").document("one")
    write = types.Write.pb(
        types.Write(update=types.Document(name=f"{DATABASE}/documents/things/one"))
    )
    running.meanwhile("Commit", lambda: running.database(DATABASE).commit([write]))
    with pytest.raises(exceptions.AlreadyExists):
        await one.create({})


# --- limits ---------------------------------------------------------------------------------


async def test_a_document_may_weigh_a_mebibyte_and_not_a_byte_more(client: AsyncClient) -> None:
    one = client.collection("things").document("one")
    around = (len("things") + 1 + len("one") + 1 + 16) + 32 + 2 * (len("a") + 1 + 1)
    room = MAX_DOCUMENT_BYTES - around
    await one.set({"a": "x" * (room - 1_000), "b": "ü" * 500})
    with pytest.raises(exceptions.InvalidArgument, match="exceeds the maximum"):
        await one.set({"a": "x" * (room - 1_000), "b": "ü" * 500 + "x"})


@pytest.mark.parametrize("document_id", [".", "..", "__id__", "x" * 1_501])
async def test_an_id_that_is_reserved_or_too_long_is_refused(
    client: AsyncClient, document_id: str
) -> None:
    with pytest.raises(exceptions.InvalidArgument):
        await client.collection("things").document(document_id).set({})
    await client.collection("things").document("x" * 1_500).set({})


@pytest.mark.parametrize(
    "fields",
    [{"__a__": 1}, {"a" * 1_501: 1}, {"a": [[1]]}, {"a": "x" * (2**20 - 88)}],
    ids=["reserved", "long", "array in array", "large value"],
)
async def test_a_field_that_is_not_allowed_is_refused(
    client: AsyncClient, fields: dict[str, Any]
) -> None:
    with pytest.raises(exceptions.InvalidArgument):
        await client.collection("things").document("one").set(fields)
    assert await held(client) is None


async def test_maps_go_twenty_deep_and_no_deeper(client: AsyncClient) -> None:
    deep: dict[str, Any] = {}
    for _ in range(19):
        deep = {"a": deep}
    await client.collection("things").document("one").set(deep)
    with pytest.raises(exceptions.InvalidArgument):
        await client.collection("things").document("one").set({"a": deep})


async def test_a_request_may_hold_ten_mebibytes_and_five_hundred_writes(
    client: AsyncClient,
) -> None:
    things = client.collection("things")
    large, many = client.batch(), client.batch()
    for number in range(11):
        large.set(things.document(f"{number}"), {"a": "x" * 1_000_000})
    for number in range(501):
        many.set(things.document(f"{number}"), {})
    for batch in (large, many):
        with pytest.raises(exceptions.InvalidArgument):
            await batch.commit()
    assert [each async for each in things.stream()] == []
