"""The strict server: it checks signatures and what arrives, and keeps connections alive."""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from collections.abc import AsyncGenerator, Coroutine, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import pytest
from aiohttp import ClientSession
from anyio import from_thread
from attrs import frozen
from tests.patience import PATIENCE_S
from tests.servers.proxy import Fault, FaultyProxy, Harm, Way, running_proxy
from tests.servers.s3 import S3Server
from tests.servers.s3_tls import Certificate, certificate_in
from yarl import URL

from voicesession.core.backoff import Backoff
from voicesession.core.errors import StoreUnavailable
from voicesession.core.segments import MIN_PART_BYTES
from voicesession.ports.objects import StoreAccessDenied
from voicesession.recording.s3 import (
    BucketNotFound,
    Checksums,
    S3Limits,
    S3ObjectStore,
    S3Options,
    UploadLost,
)

KEY = "sessions/sess_1/audio.wav"
EVER = datetime.max.replace(tzinfo=UTC)
LIMITS = S3Limits(backoff=Backoff(retries=2, first_us=1_000, longest_us=10_000))
SMALL = bytes(range(256)) * 800
LARGE = bytes(range(256)) * (MIN_PART_BYTES // 256 + 1_000)


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def s3_server(swift: S3Server) -> S3Server:
    return swift


@pytest.fixture
def store(client_by_proxy: Any, proxy: FaultyProxy, bucket: str, place: str) -> S3ObjectStore:
    proxy.harm()
    return S3ObjectStore(bucket, place, client=client_by_proxy, limits=LIMITS)


@frozen
class Line:
    """A way to the server, and what harms it."""

    store: S3ObjectStore
    proxy: FaultyProxy


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return certificate_in(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="module")
async def tls_proxy(
    anyio_backend: str, s3_server: S3Server, certificate: Certificate
) -> AsyncGenerator[FaultyProxy]:
    """What ends the TLS before the server, as in most places; behind it bytes may go wrong."""
    async with running_proxy(s3_server.port, certificate.context) as proxy:
        yield proxy


@pytest.fixture(scope="module")
async def store_by_tls(
    s3_environment: pytest.MonkeyPatch,
    tls_proxy: FaultyProxy,
    certificate: Certificate,
    bucket: str,
) -> AsyncGenerator[S3ObjectStore]:
    s3_environment.setenv("AWS_CA_BUNDLE", str(certificate.path))
    store = S3ObjectStore(
        bucket, "by-tls", endpoint_url=tls_proxy.url, region="us-east-1", limits=LIMITS
    )
    async with store:
        yield store


@pytest.fixture
def lines(
    store: S3ObjectStore,
    proxy: FaultyProxy,
    store_by_tls: S3ObjectStore,
    tls_proxy: FaultyProxy,
) -> Mapping[str, Line]:
    tls_proxy.harm()
    return {"plain": Line(store, proxy), "tls": Line(store_by_tls, tls_proxy)}


@frozen
class Answer:
    status: int
    body: bytes
    disposition: str


async def fetched(url: str, headers: dict[str, str] | None = None) -> Answer:
    """What somebody gets who has only *url*."""
    async with (
        ClientSession() as session,
        session.get(URL(url, encoded=True), headers=headers) as got,
    ):
        disposition = got.headers.get("Content-Disposition", "")
        return Answer(got.status, await got.read(), disposition)


def in_pieces(data: bytes) -> Iterator[bytes]:
    return (data[start : start + 65_536] for start in range(0, len(data), 65_536))


def every_call(store: S3ObjectStore) -> list[Coroutine[Any, Any, object]]:
    return [
        store.put(KEY, b""),
        store.put_pieces(KEY, in_pieces(LARGE)),
        store.get(KEY),
        store.find(),
        store.delete(KEY),
        store.unfinished_uploads(begun_before=EVER),
    ]


async def test_what_is_longer_than_a_part_is_there_whole(store: S3ObjectStore) -> None:
    await store.put_pieces(KEY, in_pieces(LARGE))
    await store.put("at/once", LARGE)
    for key in (KEY, "at/once"):
        assert await store.get(key) == LARGE
    end = len(LARGE)
    assert await store.get(KEY, start=MIN_PART_BYTES - 3, end=end) == LARGE[MIN_PART_BYTES - 3 :]
    assert await store.unfinished_uploads(begun_before=EVER) == []


@pytest.mark.parametrize(
    ("data", "at_byte"), [(SMALL, 3_000), (LARGE, 5_000_000)], ids=["object", "part"]
)
@pytest.mark.parametrize("line", ["plain", "tls"])
async def test_what_arrives_damaged_is_refused_and_sent_again(
    lines: Mapping[str, Line], line: str, data: bytes, at_byte: int
) -> None:
    store, proxy = lines[line].store, lines[line].proxy
    proxy.harm(Fault(harm=Harm.CORRUPT, way=Way.TO_SERVER, at_byte=at_byte, once_seen=b"PUT "))
    await store.put_pieces(KEY, in_pieces(data))
    assert await store.get(KEY) == data


@pytest.mark.parametrize("line", ["plain", "tls"])
async def test_what_always_arrives_damaged_is_never_kept(
    lines: Mapping[str, Line], line: str
) -> None:
    store, proxy = lines[line].store, lines[line].proxy
    damaged = Fault(harm=Harm.CORRUPT, way=Way.TO_SERVER, at_byte=100_000, once_seen=b"PUT ")
    proxy.harm(damaged, forever=True)
    never = "never/kept"
    for attempt in (store.put(never, SMALL), store.put_pieces(never, in_pieces(LARGE))):
        with pytest.raises(StoreUnavailable):
            await attempt
    proxy.harm()
    assert await store.find(never) == []
    assert await store.unfinished_uploads(begun_before=EVER) == []


@pytest.mark.parametrize("line", ["plain", "tls"])
async def test_what_is_sent_is_signed_with_its_hash_and_over_tls_with_a_faster_one(
    lines: Mapping[str, Line], line: str
) -> None:
    store, proxy = lines[line].store, lines[line].proxy
    signed = hashlib.sha256(SMALL).hexdigest() if line == "plain" else "UNSIGNED-PAYLOAD"
    faster = b64encode(hashlib.md5(SMALL, usedforsecurity=False).digest()).decode()
    seen = [f"(?i)x-amz-content-sha256: {signed}"]
    seen += [f"(?i)content-md5: {re.escape(faster)}"] if line == "tls" else []
    with anyio.fail_after(PATIENCE_S):
        async with anyio.create_task_group() as group:
            for pattern in seen:
                group.start_soon(proxy.saw, pattern.encode())
            await anyio.wait_all_tasks_blocked()
            await store.put(KEY, SMALL)
    assert await store.get(KEY) == SMALL


@pytest.mark.parametrize("request_line", [rb"\?uploads", b"partNumber=1", b"partNumber=2"])
async def test_a_cancelled_upload_leaves_nothing_and_costs_no_connection(
    store: S3ObjectStore, proxy: FaultyProxy, request_line: bytes
) -> None:
    await store.put("warm", b"")
    before = proxy.accepted
    async with anyio.create_task_group() as group:
        group.start_soon(store.put_pieces, KEY, in_pieces(LARGE))
        await proxy.saw(request_line)
        group.cancel_scope.cancel()
    assert [found.key for found in await store.find()] == ["warm"]
    assert await store.unfinished_uploads(begun_before=EVER) == []
    await store.put(KEY, SMALL)
    assert await store.get(KEY) == SMALL
    assert proxy.accepted == before


async def test_who_is_writing_what_somebody_else_aborts_is_told(store: S3ObjectStore) -> None:
    async def abort() -> None:
        for upload in await store.unfinished_uploads(begun_before=EVER):
            await store.abort_upload(upload)

    def pieces() -> Iterator[bytes]:
        yield LARGE
        from_thread.run(abort)
        yield b"the end"

    with pytest.raises(UploadLost) as told:
        await store.put_pieces(KEY, pieces())
    assert told.value.retryable
    assert await store.find() == []


async def test_a_wrong_secret_is_told_as_ours_and_not_tried_again(
    s3_environment: pytest.MonkeyPatch, s3_server: S3Server, bucket: str
) -> None:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_SECRET_ACCESS_KEY", "wrong-secret")
        async with S3ObjectStore(bucket, endpoint_url=s3_server.url, region="us-east-1") as store:
            for attempt in every_call(store):
                with pytest.raises(StoreAccessDenied, match=bucket) as told:
                    await attempt
                assert not told.value.retryable
                assert "wrong-secret" not in repr(told.value)


async def test_a_store_that_opens_its_own_client_can_sum_up_what_it_sends(
    s3_environment: pytest.MonkeyPatch, s3_server: S3Server, bucket: str, place: str
) -> None:
    options = S3Options(checksums=Checksums.WHEN_SUPPORTED)
    async with S3ObjectStore(
        bucket, place, endpoint_url=s3_server.url, region="us-east-1", options=options
    ) as store:
        await store.put(KEY, SMALL)
        assert await store.get(KEY) == SMALL


async def test_a_bucket_that_is_not_there_is_named(client: Any) -> None:
    store = S3ObjectStore("no-such-bucket", client=client)
    for attempt in every_call(store):
        with pytest.raises(BucketNotFound, match="no-such-bucket"):
            await attempt


async def test_a_url_is_good_for_who_has_it_unchanged(store: S3ObjectStore) -> None:
    await store.put(KEY, b"0123456789")
    url = await store.signed_url(KEY, expires_in=timedelta(minutes=1), filename="Grüße ;.wav")
    answer = await fetched(url)
    assert answer.body == b"0123456789"
    assert answer.disposition == "attachment; filename*=UTF-8''Gr%C3%BC%C3%9Fe%20%3B.wav"
    ranged = await fetched(url, headers={"Range": "bytes=2-4"})
    assert (ranged.status, ranged.body) == (206, b"234")
    for other in (url.replace(KEY, "other"), url.replace("Signature=", "Signature=0")):
        assert (await fetched(other)).status == 403
