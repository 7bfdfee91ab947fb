from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import pytest
from tests.servers.s3 import S3Server

from voicesession.core.errors import InvalidValue, StoreError
from voicesession.core.segments import MIN_PART_BYTES
from voicesession.ports.objects import (
    BulkDeletion,
    ObjectStore,
    SignedUrls,
    StoreAccessDenied,
    UnfinishedUpload,
    UnfinishedUploads,
)
from voicesession.recording.s3 import Encryption, S3Limits, S3ObjectStore, S3Options

KEY = "sessions/sess_1/audio.wav"
EVER = datetime.max.replace(tzinfo=UTC)
LARGE = bytes(range(256)) * (MIN_PART_BYTES // 256 + 1_000)


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def store(client: Any, bucket: str, place: str) -> S3ObjectStore:
    return S3ObjectStore(bucket, place, client=client)


# --- what is kept -----------------------------------------------------------------------------


async def test_it_can_do_what_only_some_stores_can(store: S3ObjectStore) -> None:
    port: ObjectStore = store
    assert isinstance(port, BulkDeletion)
    assert isinstance(port, SignedUrls)
    assert isinstance(port, UnfinishedUploads)


@pytest.mark.parametrize("data", [b"small", LARGE], ids=len)
async def test_an_object_is_kept_as_the_options_say(
    client: Any, bucket: str, place: str, data: bytes
) -> None:
    options = S3Options(
        encryption=Encryption.KMS,
        kms_key_id="alias/voice",
        storage_class="STANDARD_IA",
        tags={"tenant": "acme + sons", "kind": "audio"},
    )
    store = S3ObjectStore(bucket, place, client=client, options=options)
    for key, content_type in (
        (KEY, "audio/wav"),
        ("transcript.json", "application/json"),
        ("a/b.s16", "binary/octet-stream"),
    ):
        await store.put_pieces(key, [data])
        kept = await client.head_object(Bucket=bucket, Key=f"{place}/{key}")
        assert kept["ServerSideEncryption"] == "aws:kms"
        assert kept["SSEKMSKeyId"] == "alias/voice"
        assert kept["StorageClass"] == "STANDARD_IA"
        assert kept["ContentType"] == content_type
    tags = await client.get_object_tagging(Bucket=bucket, Key=f"{place}/{KEY}")
    assert {tag["Key"]: tag["Value"] for tag in tags["TagSet"]} == dict(options.tags)


async def test_nothing_outside_of_its_prefix_is_seen_or_touched(
    client: Any, bucket: str, place: str
) -> None:
    store, neighbour = (
        S3ObjectStore(bucket, f"{place}/{name}", client=client) for name in ("a", "ab")
    )
    await store.put("x", b"mine")
    await neighbour.put("x", b"not mine")
    assert [found.size_bytes for found in await store.find()] == [4]
    await store.delete("x")
    assert await store.find() == []
    assert await neighbour.get("x") == b"not mine"


async def test_what_no_key_names_is_passed_over_and_does_not_shorten_a_page(
    client: Any, bucket: str, place: str, store: S3ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voicesession.recording.s3.store._PAGE", 2)
    for name in ("b ", "b/", "b//c", "b/.d", "bü"):
        await client.put_object(Bucket=bucket, Key=f"{place}/{name}", Body=b"")
    for key in ("a", "b", "c", "d"):
        await store.put(key, b"")
    assert [found.key for found in await store.find()] == ["a", "b", "c", "d"]
    assert [found.key for found in await store.find(limit=3)] == ["a", "b", "c"]
    assert [found.key for found in await store.find("b", limit=3)] == ["b"]


async def test_a_deleted_object_leaves_no_version_behind(client: Any, place: str) -> None:
    await client.create_bucket(Bucket="versions")
    await client.put_bucket_versioning(
        Bucket="versions", VersioningConfiguration={"Status": "Enabled"}
    )
    store = S3ObjectStore("versions", place, client=client)
    for data in (b"1", b"2"):
        await store.put("a", data)
        await store.put("ab", data)
    await client.delete_object(Bucket="versions", Key=f"{place}/a")  # leaves a marker
    await store.put("a", b"3")
    await store.delete("a")
    await store.delete("a")
    left = await client.list_object_versions(Bucket="versions", Prefix=place)
    assert [one["Key"] for one in left["Versions"]] == [f"{place}/ab"] * 2
    assert "DeleteMarkers" not in left


# --- uploads ----------------------------------------------------------------------------------


async def test_uploads_that_nobody_finished_are_found_by_place_and_age(
    client: Any, bucket: str, place: str, store: S3ObjectStore
) -> None:
    begun: dict[str, str] = {}
    for key in (f"{place}/a/b", f"{place}/c", f"{place}/not a key", "elsewhere/d"):
        upload = await client.create_multipart_upload(Bucket=bucket, Key=key)
        begun[key] = upload["UploadId"]
    found = await store.unfinished_uploads(begun_before=EVER)
    assert {(one.key, one.upload_id) for one in found} == {
        ("a/b", begun[f"{place}/a/b"]),
        ("c", begun[f"{place}/c"]),
    }
    assert [one.key for one in await store.unfinished_uploads("a/", begun_before=EVER)] == ["a/b"]
    assert await store.unfinished_uploads(begun_before=found[0].begun_at) == []
    for one in found:
        await store.abort_upload(one)
        await store.abort_upload(one)
    assert await store.unfinished_uploads(begun_before=EVER) == []
    left = await client.list_multipart_uploads(Bucket=bucket)
    assert {"elsewhere/d", f"{place}/not a key"} <= {one["Key"] for one in left["Uploads"]}


async def test_an_upload_that_leads_elsewhere_is_not_aborted(store: S3ObjectStore) -> None:
    with pytest.raises(InvalidValue):
        await store.abort_upload(UnfinishedUpload(key="../a", upload_id="1", begun_at=EVER))


async def test_an_object_of_too_many_parts_is_refused_and_nothing_is_left(
    store: S3ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voicesession.recording.s3.upload.MAX_PARTS", 1)
    with pytest.raises(StoreError, match="longer than 1 parts"):
        await store.put(KEY, LARGE)
    assert await store.find() == []
    assert await store.unfinished_uploads(begun_before=EVER) == []


async def test_no_more_parts_are_in_memory_than_allowed(
    client: Any, bucket: str, place: str
) -> None:
    store = S3ObjectStore(bucket, place, client=client, limits=S3Limits(uploads_at_once=2))
    begun: set[int] = set()
    most = 0

    def pieces(n: int) -> Iterator[bytes]:
        nonlocal most
        begun.add(n)
        most = max(most, len(begun))
        yield b"x"

    async def put(n: int) -> None:
        await store.put_pieces(f"k/{n}", pieces(n))
        begun.remove(n)

    async with anyio.create_task_group() as group:
        for n in range(6):
            group.start_soon(put, n)
    assert most == 2
    assert len(await store.find()) == 6


# --- its client -------------------------------------------------------------------------------


@pytest.fixture
async def own(
    s3_environment: pytest.MonkeyPatch, s3_server: S3Server, bucket: str, place: str
) -> AsyncGenerator[S3ObjectStore]:
    url = f"s3://{bucket}/{place}?endpoint_url={s3_server.url}&region=us-east-1"
    async with S3ObjectStore.at(url) as store:
        yield store


async def test_many_first_requests_open_one_client(own: S3ObjectStore) -> None:
    # One that is not closed again is a warning, and so an error.
    async with anyio.create_task_group() as group:
        for n in range(5):
            group.start_soon(own.put, f"k/{n}", b"x")
    assert len(await own.find()) == 5


async def test_a_store_that_was_closed_opens_again_when_it_is_used(own: S3ObjectStore) -> None:
    await own.put("a", b"1")
    await own.aclose()
    await own.aclose()
    assert await own.get("a") == b"1"


async def test_a_client_of_the_host_stays_open(client: Any, bucket: str, place: str) -> None:
    async with S3ObjectStore(bucket, place, client=client) as store:
        await store.put("a", b"1")
    assert await store.get("a") == b"1"


async def test_without_credentials_nobody_is_let_in(
    s3_environment: pytest.MonkeyPatch, own: S3ObjectStore
) -> None:
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("AWS_ACCESS_KEY_ID")
        environment.delenv("AWS_SECRET_ACCESS_KEY")
        with pytest.raises(StoreAccessDenied, match="credentials"):
            await own.put("a", b"1")
        with pytest.raises(StoreAccessDenied, match="credentials"):
            await own.signed_url("a", expires_in=timedelta(minutes=1))


# --- signed URLs ------------------------------------------------------------------------------


@pytest.mark.parametrize("expires_in", [timedelta(0), timedelta(days=7, seconds=1)])
async def test_a_url_for_no_time_or_for_ever_is_refused(
    store: S3ObjectStore, expires_in: timedelta
) -> None:
    with pytest.raises(InvalidValue, match="expires_in"):
        await store.signed_url(KEY, expires_in=expires_in)


@pytest.mark.parametrize("filename", ["", " ", "a/b", "a\r\nSet-Cookie: x", "a\0"])
async def test_a_filename_that_names_no_file_is_refused(
    store: S3ObjectStore, filename: str
) -> None:
    with pytest.raises(InvalidValue, match="filename"):
        await store.signed_url(KEY, expires_in=timedelta(minutes=1), filename=filename)


async def test_a_url_of_no_key_is_refused(store: S3ObjectStore) -> None:
    with pytest.raises(InvalidValue, match="key"):
        await store.signed_url("../a", expires_in=timedelta(minutes=1))
