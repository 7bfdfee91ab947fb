"""Where recordings go, by what the host says."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import voicesession
from voicesession.core.errors import InvalidConfig
from voicesession.recording.file import FileObjectStore
from voicesession.recording.s3 import S3ObjectStore
from voicesession.runtime.clock import SteppedClock
from voicesession.wiring.recordings import recording_at

CLOCK = SteppedClock(datetime(2026, 1, 1, tzinfo=UTC))


def test_no_place_keeps_nothing() -> None:
    assert recording_at(None, CLOCK) == (None, None)


@pytest.mark.parametrize("place", ["kept", Path("kept"), "file:///kept"])
def test_a_folder_is_a_path_or_a_url(
    place: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    _, objects = recording_at(place, CLOCK)
    assert isinstance(objects, FileObjectStore)
    assert not list(tmp_path.iterdir())


def test_a_bucket_has_its_spool_on_a_local_disk(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    recorder: Any
    for url, spool in (
        ("s3://bucket/prefix", Path(".voicesession/spool")),
        ("s3://bucket?region=eu&spool=/var/spool/voice", Path("/var/spool/voice")),
    ):
        recorder, objects = recording_at(url, CLOCK)
        assert isinstance(objects, S3ObjectStore)
        assert recorder._spools == spool
    assert not list(tmp_path.iterdir())


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
