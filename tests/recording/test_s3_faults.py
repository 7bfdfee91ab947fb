"""Connections to S3 that are cut, delayed, stalled and damaged."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import anyio
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from tests.servers.proxy import Fault, FaultyProxy, Harm, Way

from voicesession.core.backoff import Backoff
from voicesession.core.errors import StoreError, StoreTimeout, StoreUnavailable
from voicesession.core.segments import MIN_PART_BYTES
from voicesession.recording.s3 import Checksums, S3Limits, S3ObjectStore, S3Options
from voicesession.testing.effort import examples

KEY = "sessions/sess_1/audio.wav"
UP, DOWN = Way.TO_SERVER, Way.TO_CLIENT
CUT, STALL, CORRUPT, DELAY = Harm
EVER = datetime.max.replace(tzinfo=UTC)
LIMITS = S3Limits(backoff=Backoff(retries=2, first_us=1_000, longest_us=10_000))
IMPATIENT = S3Limits(
    request_us=400_000, backoff=Backoff(retries=5, first_us=1_000, longest_us=10_000)
)
SMALL = bytes(range(256)) * 800
LARGE = SMALL * (MIN_PART_BYTES // len(SMALL) + 1)

HASTY = S3Limits(request_us=400_000, backoff=Backoff(retries=1, first_us=1_000, longest_us=1_000))


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def store(client_by_proxy: Any, proxy: FaultyProxy, bucket: str, place: str) -> S3ObjectStore:
    proxy.harm()
    return S3ObjectStore(bucket, place, client=client_by_proxy, limits=LIMITS)


@pytest.fixture
def impatient(client_by_proxy: Any, proxy: FaultyProxy, bucket: str, place: str) -> S3ObjectStore:
    proxy.harm()
    return S3ObjectStore(bucket, place, client=client_by_proxy, limits=IMPATIENT)


@pytest.fixture
def beside(client: Any, bucket: str, place: str) -> S3ObjectStore:
    """The same store, by connections that nothing harms."""
    return S3ObjectStore(bucket, place, client=client)


def in_pieces(data: bytes) -> Iterator[bytes]:
    return (data[start : start + 65_536] for start in range(0, len(data), 65_536))


STALLS = [
    *(Fault(harm=STALL, way=UP, at_byte=at) for at in (0, 50_000)),
    *(Fault(harm=STALL, way=DOWN, at_byte=at) for at in (20, 150_000)),
]
FAULTS = [
    *(Fault(harm=CUT, way=UP, at_byte=at) for at in (0, 50_000)),
    *(Fault(harm=CUT, way=DOWN, at_byte=at) for at in (0, 100)),
    Fault(harm=DELAY, way=UP),
    Fault(harm=DELAY, way=DOWN),
    *(Fault(harm=CORRUPT, way=DOWN, at_byte=at) for at in (0, 10)),
]


@pytest.mark.parametrize("fault", FAULTS, ids=str)
async def test_a_connection_that_fails_once_costs_another_try(
    store: S3ObjectStore, beside: S3ObjectStore, proxy: FaultyProxy, fault: Fault
) -> None:
    proxy.harm(fault)
    await store.put(KEY, SMALL)
    assert await beside.get(KEY) == SMALL
    proxy.harm(fault)
    assert await store.get(KEY) == SMALL
    proxy.harm(fault)
    assert [found.size_bytes for found in await store.find()] == [len(SMALL)]
    proxy.harm(fault)
    await store.delete(KEY)
    assert await beside.find() == []


@pytest.mark.parametrize("fault", STALLS, ids=str)
async def test_a_connection_that_hangs_once_costs_another_try(
    impatient: S3ObjectStore, beside: S3ObjectStore, proxy: FaultyProxy, fault: Fault
) -> None:
    proxy.harm(fault)
    await impatient.put(KEY, SMALL)
    assert await beside.get(KEY) == SMALL
    proxy.harm(fault)
    assert await impatient.get(KEY) == SMALL


async def test_an_object_that_breaks_off_while_it_is_read_is_never_returned_in_part(
    store: S3ObjectStore, beside: S3ObjectStore, proxy: FaultyProxy
) -> None:
    await beside.put(KEY, SMALL)
    fault = Fault(harm=CUT, way=DOWN, at_byte=100_000)
    proxy.harm(fault)
    assert await store.get(KEY) == SMALL
    proxy.harm(fault, forever=True)
    with pytest.raises(StoreUnavailable):
        await store.get(KEY)


async def test_an_object_with_a_checksum_is_not_returned_damaged(
    s3_environment: pytest.MonkeyPatch, proxy: FaultyProxy, bucket: str, place: str
) -> None:
    options = S3Options(checksums=Checksums.WHEN_SUPPORTED)
    damaged = Fault(harm=CORRUPT, way=DOWN, at_byte=100_000, once_seen=b"GET ")
    async with S3ObjectStore(
        bucket,
        place,
        endpoint_url=proxy.url,
        region="us-east-1",
        options=options,
        limits=LIMITS,
    ) as store:
        await store.put(KEY, SMALL)
        proxy.harm(damaged)
        assert await store.get(KEY) == SMALL
        proxy.harm(damaged, forever=True)
        with pytest.raises(StoreUnavailable, match="damaged"):
            await store.get(KEY)


HARMS = st.builds(
    Fault,
    harm=st.sampled_from([CUT, STALL, DELAY]),
    way=st.sampled_from(Way),
    at_byte=st.integers(0, 2_000) | st.integers(0, len(LARGE) + 2_000),
    once_seen=st.sampled_from([b"", b"PUT ", b"POST ", b"GET ", b"HEAD ", b"DELETE "]),
)


@pytest.mark.timeout(1_200)  # in proof
@settings(
    max_examples=examples(3),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(HARMS, min_size=1, max_size=4), st.booleans())
async def test_whatever_happens_an_object_is_whole_or_as_it_was_and_errors_are_ours(
    client_by_proxy: Any,
    beside: S3ObjectStore,
    proxy: FaultyProxy,
    bucket: str,
    place: str,
    faults: list[Fault],
    forever: bool,
) -> None:
    hasty = S3ObjectStore(bucket, place, client=client_by_proxy, limits=HASTY)
    await beside.put(KEY, b"before")
    proxy.harm(*faults, forever=forever)
    done = True
    try:
        await hasty.put_pieces(KEY, in_pieces(LARGE))
    except StoreError:
        done = False
    with suppress(StoreError):
        assert await hasty.get(KEY) in (b"before", LARGE)
    with suppress(StoreError):
        assert [found.key for found in await hasty.find()] == [KEY]
    proxy.harm()
    kept = await beside.get(KEY)
    assert kept == LARGE or (kept == b"before" and not done)
    for left in await beside.unfinished_uploads(begun_before=EVER):
        await beside.abort_upload(left)


async def test_a_store_that_hangs_is_told_in_bounded_time(
    impatient: S3ObjectStore, proxy: FaultyProxy
) -> None:
    proxy.harm(Fault(harm=STALL, way=DOWN), forever=True)
    with pytest.raises(StoreTimeout):
        await impatient.put(KEY, SMALL)


@pytest.mark.parametrize(
    "fault",
    [
        Fault(harm=CUT, way=UP),
        Fault(harm=CUT, way=UP, at_byte=100_000),
        Fault(harm=CUT, way=DOWN),
        Fault(harm=CORRUPT, way=DOWN),
    ],
    ids=str,
)
async def test_a_connection_that_always_fails_is_told_and_harms_nothing(
    store: S3ObjectStore, beside: S3ObjectStore, proxy: FaultyProxy, fault: Fault
) -> None:
    await beside.put("there", b"before")
    proxy.harm(fault, forever=True)
    for attempt in (store.put("new", SMALL), store.put_pieces("new", in_pieces(LARGE))):
        with pytest.raises(StoreUnavailable) as told:
            await attempt
        assert told.value.retryable
    if fault.at_byte == 0:
        with pytest.raises(StoreUnavailable):
            await store.get("there")
        with pytest.raises(StoreUnavailable):
            await store.find()
        with pytest.raises(StoreUnavailable):
            await store.delete("there")
    proxy.harm()
    # What was asked for may have been done, but never in part.
    for found in await store.find():
        assert found.size_bytes in (6, len(SMALL), len(LARGE))


@pytest.mark.parametrize(
    ("request_line", "at_byte"),
    [(rb"\?uploads", 0), (b"partNumber=1", 1_000), (b"partNumber=1", 3_000_000)],
)
async def test_an_upload_survives_what_happens_to_one_of_its_requests(
    store: S3ObjectStore,
    beside: S3ObjectStore,
    proxy: FaultyProxy,
    request_line: bytes,
    at_byte: int,
) -> None:
    proxy.harm(Fault(harm=CUT, way=UP, at_byte=at_byte, once_seen=request_line))
    await store.put_pieces(KEY, in_pieces(LARGE))
    assert await beside.get(KEY) == LARGE


async def test_an_upload_whose_completion_was_done_but_never_answered_counts_as_done(
    store: S3ObjectStore, beside: S3ObjectStore, proxy: FaultyProxy
) -> None:
    proxy.harm(Fault(harm=CUT, way=DOWN, once_seen=b"<CompleteMultipartUpload"))
    await store.put_pieces(KEY, in_pieces(LARGE))
    assert await beside.get(KEY) == LARGE
    assert await beside.unfinished_uploads(begun_before=EVER) == []


async def test_an_upload_that_fails_leaves_nothing_unfinished(
    store: S3ObjectStore, beside: S3ObjectStore, proxy: FaultyProxy
) -> None:
    proxy.harm(Fault(harm=CUT, way=UP, once_seen=b"partNumber=2"), forever=True)
    with pytest.raises(StoreUnavailable):
        await store.put_pieces(KEY, in_pieces(LARGE))
    assert await beside.find() == []
    assert await beside.unfinished_uploads(begun_before=EVER) == []


async def test_what_could_not_be_aborted_is_found_and_swept(
    store: S3ObjectStore, beside: S3ObjectStore, proxy: FaultyProxy
) -> None:
    proxy.harm(Fault(harm=CUT, way=UP, once_seen=b"partNumber=2|DELETE"), forever=True)
    with pytest.raises(StoreUnavailable):
        await store.put_pieces(KEY, in_pieces(LARGE))
    proxy.harm()
    (left,) = await beside.unfinished_uploads(begun_before=EVER)
    assert left.key == KEY
    await beside.abort_upload(left)
    await beside.abort_upload(left)
    assert await beside.unfinished_uploads(begun_before=EVER) == []


async def test_a_cancelled_reader_need_not_wait_for_a_store_that_hangs(
    store: S3ObjectStore, beside: S3ObjectStore, proxy: FaultyProxy
) -> None:
    await beside.put(KEY, SMALL)
    proxy.harm(Fault(harm=STALL, way=DOWN), forever=True)
    with anyio.fail_after(LIMITS.request_us / 1e6 / 2):  # it would wait for all of it
        async with anyio.create_task_group() as group:
            group.start_soon(store.get, KEY)
            await proxy.saw(b"GET ")
            group.cancel_scope.cancel()
    proxy.harm()
    assert await store.get(KEY) == SMALL


async def test_where_nobody_listens_the_store_is_unavailable(
    s3_environment: pytest.MonkeyPatch, bucket: str
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    store = S3ObjectStore(
        bucket, endpoint_url=f"http://127.0.0.1:{port}", region="us-east-1", limits=LIMITS
    )
    async with store:
        with pytest.raises(StoreUnavailable, match="Could not connect") as told:
            await store.put(KEY, b"")
    assert not isinstance(told.value, StoreTimeout)
