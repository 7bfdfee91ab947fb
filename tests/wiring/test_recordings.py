"""Where recordings go, by what the host says."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import voicesession
from voicesession.core.audio import AudioFormat
from voicesession.core.errors import InvalidConfig, InvalidValue
from voicesession.core.session import Session
from voicesession.core.timeline import Track
from voicesession.recording.file import FileObjectStore
from voicesession.recording.s3 import S3ObjectStore
from voicesession.runtime.clock import SteppedClock
from voicesession.runtime.manager import SessionManager
from voicesession.wiring.recordings import RecordingPlace, recording_at

CLOCK = SteppedClock(datetime(2026, 1, 1, tzinfo=UTC))


def test_no_place_keeps_nothing() -> None:
    assert recording_at(None, CLOCK) == RecordingPlace()


@pytest.mark.parametrize("place", ["kept", Path("kept"), "file:///kept"])
def test_a_folder_is_a_path_or_a_url(
    place: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    found = recording_at(place, CLOCK)
    assert isinstance(found.objects, FileObjectStore)
    assert not list(tmp_path.iterdir())


def test_a_bucket_has_its_spool_on_a_local_disk(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    for url, spool in (
        ("s3://bucket/prefix", Path(".voicesession/spool")),
        ("s3://bucket?region=eu&spool=/var/spool/voice", Path("/var/spool/voice")),
    ):
        found: Any = recording_at(url, CLOCK)
        assert isinstance(found.objects, S3ObjectStore)
        assert found.recorder._spools == spool
    assert not list(tmp_path.iterdir())


def test_deployments_that_share_a_bucket_share_neither_prefix_nor_spool(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    for url, prefix in (
        ("s3://bucket/kept?deployment=blue", "s3://bucket/kept/blue/"),
        ("s3://bucket?deployment=blue&tenants=true", "s3://bucket/blue/"),
        ("s3://bucket/kept/?deployment=blue&region=eu", "s3://bucket/kept/blue/"),
    ):
        found: Any = recording_at(url, CLOCK)
        assert found.objects._place.uri == prefix
        assert found.recorder._spools == Path(".voicesession/spool/blue")
        assert found.tenant_folders == ("tenants" in url)


@pytest.mark.parametrize("place", ["file:///kept", "s3://bucket"])
@pytest.mark.parametrize(
    "options",
    [
        *("deployment=../other", "deployment=", "deployment=a/b", "tenants=yes", "tenants"),
        *("x=1", "tenants=true&tenants=false"),
    ],
)
def test_an_option_that_means_nothing_is_refused(place: str, options: str) -> None:
    with pytest.raises((InvalidConfig, InvalidValue)):
        recording_at(f"{place}?{options}", CLOCK)


async def test_of_two_deployments_neither_finds_nor_removes_what_is_the_others(
    tmp_path: Path,
) -> None:
    blue, green = (
        recording_at(f"{tmp_path.as_uri()}?deployment={name}", CLOCK) for name in ("blue", "green")
    )
    assert blue.recorder is not None
    assert green.recorder is not None
    blue.recorder.open("s1", AudioFormat()).write(Track.USER, 0, bytes(32_000))
    await blue.recorder.aclose()
    assert await green.recorder.find_left() == []
    assert await green.recorder.recover() == []
    await green.recorder.purge("s1")
    heir = recording_at(f"{tmp_path.as_uri()}?deployment=blue", CLOCK).recorder
    assert heir is not None
    (report,) = await heir.recover()
    assert report.recorded is not None
    assert report.recorded.uri == f"{tmp_path.as_uri()}/blue/sessions/s1/audio.wav"
    for recorder in (heir, green.recorder):
        await recorder.aclose()


async def a_session_of(voice: SessionManager) -> Session:
    session = await voice.create(store_audio=True, store_transcript=True)
    async with voice.attach(session.id) as handle:
        await handle.live()
        handle.audio(Track.USER, bytes(32_000))
        await handle.end()
    return await voice.get(session.id)


def files_in(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    ("options", "folder"), [("", ""), ("?tenants=false", ""), ("?tenants=true", "tenants/acme/")]
)
async def test_each_tenants_results_lie_in_a_folder_of_its_own_and_go_with_its_session(
    tmp_path: Path, options: str, folder: str
) -> None:
    place = tmp_path.as_uri()
    async with voicesession.open(recordings=f"{place}{options}", tenant_id="acme") as voice:
        ended = await a_session_of(voice)
        assert ended.audio_uri == f"{place}/{folder}sessions/{ended.id}/audio.wav"
        assert ended.transcript_uri == f"{place}/{folder}sessions/{ended.id}/transcript.json"
        assert await voice.recordings.of(ended) is not None
        await voice.delete(ended.id)
    assert files_in(tmp_path) == []


@pytest.mark.parametrize("anyio_backend", ["asyncio"])  # as a store that outlives its manager
@pytest.mark.parametrize("options", [("", "?tenants=true"), ("?tenants=true", "")])
async def test_what_was_recorded_before_the_option_was_changed_is_found_and_deleted(
    tmp_path: Path, options: tuple[str, str]
) -> None:
    store, kept = f"sqlite:///{tmp_path}/voice.db", tmp_path / "kept"
    before, after = (f"{kept.as_uri()}{chosen}" for chosen in options)
    async with voicesession.open(store, recordings=before, tenant_id="acme") as voice:
        ended = await a_session_of(voice)
    async with voicesession.open(store, recordings=after, tenant_id="acme") as voice:
        assert await voice.recordings.of(ended) is not None
        await voice.delete(ended.id)
    assert files_in(kept) == []


@pytest.mark.parametrize(
    "place", ["ftp://host/x", "s3://user:secret@bucket", "s3://", "s3://b?x=1"]
)
def test_a_place_that_cannot_be_is_refused_without_its_secrets(place: str) -> None:
    with pytest.raises(InvalidConfig) as refusal:
        voicesession.open(recordings=place)
    assert "secret" not in str(refusal.value)


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(sys.modules):
        if name.startswith("voicesession.recording.s3"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "aiobotocore", None)
    with pytest.raises(InvalidConfig, match=r"voicesession\[s3\]"):
        recording_at("s3://bucket", CLOCK)
