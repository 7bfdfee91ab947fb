from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st

from voicesession.core.errors import InvalidConfig, InvalidValue
from voicesession.recording.keys import MAX_KEY_LENGTH
from voicesession.recording.s3 import Checksums, Encryption, S3Limits, S3ObjectStore, S3Options
from voicesession.recording.s3.location import MAX_PREFIX_LENGTH, Location, parsed


def test_a_url_names_a_bucket_and_a_prefix() -> None:
    for url, bucket, prefix in (
        ("s3://recordings", "recordings", ""),
        ("s3://recordings/", "recordings", ""),
        ("s3://rec.or-dings/acme", "rec.or-dings", "acme"),
        ("s3://recordings/acme/eu/", "recordings", "acme/eu"),
    ):
        assert parsed(url) == (Location(bucket=bucket, prefix=prefix), S3Options())


def test_the_options_of_a_url_say_where_and_how() -> None:
    location, options = parsed(
        "s3://recordings/acme?endpoint_url=http://127.0.0.1:9000&region=eu-central-1"
        "&encryption=aws:kms&kms_key_id=alias/voice&storage_class=STANDARD_IA"
        "&checksums=when_supported"
    )
    assert location == Location(
        bucket="recordings",
        prefix="acme",
        endpoint_url="http://127.0.0.1:9000",
        region="eu-central-1",
    )
    assert options == S3Options(
        encryption=Encryption.KMS,
        kms_key_id="alias/voice",
        storage_class="STANDARD_IA",
        checksums=Checksums.WHEN_SUPPORTED,
    )


@pytest.mark.parametrize(
    "url",
    [
        *("", "recordings", "s3:", "s3://", "s3:///prefix", "http://recordings", "s3://b"),
        *("s3://recordings/../other", "s3://recordings//a", "s3://recordings/a b"),
        *(
            "s3://recordings/.hidden",
            "s3://recordings/a#b",
            "s3://recordings:80",
            "s3://[",
            "s3://a_?x",
        ),
        *("s3://recordings?colour=red", "s3://recordings?region=a&region=b"),
        *("s3://recordings?encryption=rot13", "s3://recordings?checksums=maybe"),
        *("s3://recordings?kms_key_id=alias/voice", "s3://recordings?endpoint_url=ftp://host"),
        *("s3://recordings?endpoint_url=", "s3://recordings?endpoint_url=http://"),
        "s3://recordings/" + "x" * (MAX_PREFIX_LENGTH + 1),
    ],
)
def test_a_url_that_names_no_store_is_refused(url: str) -> None:
    with pytest.raises(InvalidValue):
        S3ObjectStore.at(url)


@pytest.mark.parametrize(
    "url",
    [
        "s3://AKIAHIDDEN:sesame@recordings/acme",
        "s3://recordings?endpoint_url=http://AKIAHIDDEN:sesame@host",
        "s3://recordings?secret_access_key=sesame",
        "s3://recordings?region=sesame&access_key=AKIAHIDDEN",
        "s4://AKIAHIDDEN:sesame@recordings",
        "s3://AKIAHIDDEN:sesame@[",
    ],
)
def test_credentials_in_a_url_are_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(InvalidConfig) as refused:
        S3ObjectStore.at(url)
    told = refused.value
    assert "sesame" not in f"{told} {told!r} {told.__cause__!r} {told.__context__!r}"
    assert "AKIAHIDDEN" not in f"{told} {told!r}"


@given(st.text(alphabet="ab/.-", max_size=20), st.text(alphabet="ab/.-", max_size=20))
def test_what_a_location_takes_keeps_keys_under_its_prefix(prefix: str, key: str) -> None:
    try:
        location = Location(bucket="recordings", prefix=prefix)
    except InvalidConfig:
        return
    assert not location.root or location.root.rstrip("/") == prefix.removesuffix("/")
    assert ".." not in location.root.split("/")
    assert location.uri + key == f"s3://recordings/{location.root}{key}"


def test_the_longest_key_under_the_longest_prefix_is_as_long_as_s3_takes() -> None:
    root = Location(bucket="recordings", prefix="x" * MAX_PREFIX_LENGTH).root
    assert len(root) + MAX_KEY_LENGTH == 1_024


def test_a_store_takes_a_client_or_a_place_for_its_own() -> None:
    with pytest.raises(InvalidConfig, match="client"):
        S3ObjectStore("recordings", client=object(), region="eu-central-1")


def test_settings_that_cannot_work_are_refused() -> None:
    with pytest.raises(InvalidConfig, match="kms_key_id"):
        S3Options(encryption=Encryption.S3, kms_key_id="alias/voice")
    with pytest.raises(InvalidConfig, match="11 tags"):
        S3Options(tags={str(n): "" for n in range(11)})
    for name in ("request_us", "connect_us", "uploads_at_once", "connections", "part_bytes"):
        for value in (0, -1, 1.5, True):
            limit: dict[str, Any] = {name: value}
            with pytest.raises(InvalidConfig, match=name):
                S3Limits(**limit)
    with pytest.raises(InvalidConfig, match="5242880 or more"):
        S3Limits(part_bytes=5_242_879)
