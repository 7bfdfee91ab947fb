"""What holds on every server of S3: on the strict one in proof, as it takes its time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from tests.servers.s3 import S3Server

from voicesession.core.audio import AudioFormat
from voicesession.core.errors import InvalidValue
from voicesession.core.results import SessionFolder
from voicesession.core.segments import Segment
from voicesession.core.timeline import Track
from voicesession.recording.recorder import SpoolRecorder
from voicesession.recording.s3 import S3ObjectStore
from voicesession.recording.segments import SegmentFolder
from voicesession.recording.shipping import Shipping
from voicesession.testing.clock import SteppedClock
from voicesession.testing.contracts.objects import ObjectStoreContract

SERVERS = ["moto", "swift"] if settings.get_current_profile_name() == "proof" else ["moto"]
NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
EVER = datetime.max.replace(tzinfo=UTC)


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module", params=SERVERS)
def s3_server(request: pytest.FixtureRequest) -> S3Server:
    server: S3Server = request.getfixturevalue(request.param)
    return server


class TestS3ObjectStore(ObjectStoreContract):
    @pytest.fixture
    def store(self, client: Any, bucket: str, place: str) -> S3ObjectStore:
        return S3ObjectStore(bucket, place, client=client)


@pytest.fixture
async def versions(client: Any, place: str) -> str:
    """A bucket that keeps all versions, empty."""
    name = place.replace("/", "-")
    await client.create_bucket(Bucket=name)
    await client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return name


@pytest.mark.timeout(600)  # the strict server deletes one after the other
@pytest.mark.parametrize("count", [0, 1, 1_001])
async def test_of_what_is_deleted_together_nothing_is_left_and_all_else_stays(
    client: Any, bucket: str, place: str, count: int
) -> None:
    store = S3ObjectStore(bucket, place, client=client)
    for number in range(2):
        await store.put(f"a/{number}", b"x")
    await store.put("a/stays", b"x")
    gone = [f"a/{number}" for number in range(count)]
    await store.delete_all(gone)
    await store.delete_all(gone)
    kept = {found.key for found in await store.find()}
    assert kept == {"a/0", "a/1", "a/stays"} - set(gone)


async def test_what_is_deleted_together_leaves_no_version_behind(
    client: Any, versions: str
) -> None:
    store = S3ObjectStore(versions, client=client)
    for key in ("a/1", "a/1", "a/2"):
        await store.put(key, b"x")
    await store.delete("a/2")
    await store.delete_all(["a/1", "a/2", "a/3"])
    assert await kept_in(client, versions) == 0


async def test_where_one_of_many_is_no_key_none_is_deleted(
    client: Any, bucket: str, place: str
) -> None:
    store = S3ObjectStore(bucket, place, client=client)
    await store.put("a/1", b"x")
    with pytest.raises(InvalidValue):
        await store.delete_all(["a/1", "../outside"])
    assert [found.key for found in await store.find()] == ["a/1"]


async def test_after_a_purge_the_bucket_is_empty_with_all_its_versions_and_uploads(
    tmp_path: Path, client: Any, versions: str
) -> None:
    objects = S3ObjectStore(versions, client=client)
    shipping = Shipping(clock=SteppedClock(NOON))
    lost = SpoolRecorder(tmp_path / "lost", objects, shipping=shipping)
    for _ in range(2):  # the second goes into another file
        recording = lost.open("s1", AudioFormat())
        recording.write(Track.USER, 0, bytes(32_000))
        await recording.close(1_000_000)
    lost.open("s1", AudioFormat()).write(Track.USER, 1_000_000, bytes(32_000))
    await lost.aclose()  # it ships what it can
    # What a crash leaves: a segment that nobody has noted, and half of a file, twice.
    await SegmentFolder(objects, SessionFolder("s1")).put(Segment(Track.USER, 0, 4, 1), b"12345678")
    for name in ("audio.wav", "audio-3.wav"):
        key = f"{SessionFolder('s1')}{name}"
        begun = await client.create_multipart_upload(Bucket=versions, Key=key)
        await client.upload_part(
            Bucket=versions, Key=key, UploadId=begun["UploadId"], PartNumber=1, Body=b"half"
        )
    segments = await SegmentFolder(objects, SessionFolder("s1")).look()
    assert segments is not None
    assert await kept_in(client, versions) > len(segments.segments) > 1

    recorder = SpoolRecorder(tmp_path / "another", objects, shipping=shipping)
    for _ in range(2):
        await recorder.purge("s1")
        assert await kept_in(client, versions) == 0
    await recorder.aclose()


async def kept_in(client: Any, bucket: str) -> int:
    """How many objects, former versions, markers of deletions and uploads there are."""
    versions = await client.list_object_versions(Bucket=bucket)
    uploads = await client.list_multipart_uploads(Bucket=bucket)
    return sum(
        len(listed.get(kind, ()))
        for listed, kind in (
            (versions, "Versions"),
            (versions, "DeleteMarkers"),
            (uploads, "Uploads"),
        )
    )


async def test_what_a_crash_left_is_swept_after_a_day_and_nothing_but_ours(
    tmp_path: Path, client: Any, bucket: str, place: str
) -> None:
    store = S3ObjectStore(bucket, f"{place}/blue", client=client)
    ours, others = f"{place}/blue/sessions/s1/audio.wav", f"{place}/green/sessions/s1/audio.wav"
    for key in (ours, others, f"{place}/blue/of-the-host"):
        await client.create_multipart_upload(Bucket=bucket, Key=key)

    async def swept(at: datetime) -> list[str]:
        shipping = Shipping(clock=SteppedClock(at))
        recorder = SpoolRecorder(tmp_path, store, shipping=shipping)
        found = await recorder.find_leftovers()
        assert await recorder.find_leftovers() == found
        assert await recorder.sweep() == found
        return [one.key for one in found]

    (upload,) = await store.unfinished_uploads("sessions/", begun_before=EVER)
    assert await swept(upload.begun_at + timedelta(hours=23)) == []
    assert await swept(upload.begun_at + timedelta(hours=25)) == ["sessions/s1/audio.wav"]
    segments = SegmentFolder(store, SessionFolder("s2"))
    await segments.put(Segment(Track.USER, 0, 4, 1), bytes(8))
    (segment,) = await store.find("sessions/")
    assert await swept(segment.kept_at + timedelta(hours=23)) == []
    assert await swept(segment.kept_at + timedelta(hours=25)) == ["sessions/s2/"]
    assert await store.find("sessions/") == []
    left = await client.list_multipart_uploads(Bucket=bucket, Prefix=place)
    assert {one["Key"] for one in left["Uploads"]} == {others, f"{place}/blue/of-the-host"}
