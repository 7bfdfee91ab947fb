"""Where a store lies, as a URL says it: ``s3://bucket/prefix?region=eu-central-1``."""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import SplitResult, parse_qsl, urlsplit

from attrs import field, frozen

from ...core.errors import InvalidConfig
from ..keys import is_key
from .settings import Checksums, Encryption, S3Options

__all__ = ("MAX_PREFIX_LENGTH", "Location", "parsed")

MAX_PREFIX_LENGTH: Final = 123
"""In characters; with a key and a slash it is the 1 024 that S3 takes."""

_BUCKET: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}")
_OPTIONS: Final = (
    "checksums",
    "encryption",
    "endpoint_url",
    "kms_key_id",
    "region",
    "storage_class",
)


def _is_a_bucket(_instance: object, _attribute: Any, bucket: str) -> None:
    if not _BUCKET.fullmatch(bucket):
        raise InvalidConfig("bucket", bucket, "a bucket's name: letters, digits, . _ -")


def _is_a_prefix(_instance: object, _attribute: Any, prefix: str) -> None:
    if prefix and (len(prefix) > MAX_PREFIX_LENGTH or not is_key(prefix)):
        allowed = f"at most {MAX_PREFIX_LENGTH} characters, as of a key of an object"
        raise InvalidConfig("prefix", prefix, allowed)


def _without_slash(prefix: str) -> str:
    return prefix.removesuffix("/")


def _is_an_endpoint(_instance: object, _attribute: Any, url: str | None) -> None:
    if url is None:
        return
    parts = _split(url, "endpoint_url")
    _refuse_credentials(parts, "endpoint_url")
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query:
        raise InvalidConfig("endpoint_url", url, "http://host:port, or https://host:port")


@frozen(kw_only=True)
class Location:
    """A bucket, the prefix in it that no key leaves, and who serves it.

    Attributes:
        prefix: Without a slash at its end; "" is the whole bucket.
        endpoint_url: None is AWS, or what its environment names.
        region: None is what the environment names.

    Raises:
        InvalidConfig: One of them is not such a thing.
    """

    bucket: str = field(validator=_is_a_bucket)
    prefix: str = field(default="", converter=_without_slash, validator=_is_a_prefix)
    endpoint_url: str | None = field(default=None, validator=_is_an_endpoint)
    region: str | None = None

    @property
    def uri(self) -> str:
        """What keys are appended to, to have URIs."""
        return f"s3://{self.bucket}/{self.root}"

    @property
    def root(self) -> str:
        """What keys are appended to, to have those in the bucket."""
        return f"{self.prefix}/" if self.prefix else ""


def parsed(url: str) -> tuple[Location, S3Options]:
    """Return what ``s3://bucket/prefix?endpoint_url=…&region=…`` means.

    The options are ``endpoint_url``, ``region``, ``encryption``, ``kms_key_id``,
    ``storage_class`` and ``checksums``.

    Raises:
        InvalidConfig: It means nothing; or it holds credentials, which no error repeats.
    """
    parts = _split(url, "url")
    _refuse_credentials(parts, "url")
    if parts.scheme != "s3" or parts.fragment:
        raise InvalidConfig("url", f"{parts.scheme}://…", "s3://bucket/prefix")
    options = parse_qsl(parts.query, keep_blank_values=True)
    chosen = dict(options)
    if len(chosen) < len(options) or not chosen.keys() <= set(_OPTIONS):
        # The names alone: a value may be a secret.
        names = ", ".join(name for name, _ in options)
        raise InvalidConfig("url", f"one with {names}", f"each once: {', '.join(_OPTIONS)}")
    encryption = chosen.get("encryption")
    location = Location(
        bucket=parts.netloc,
        prefix=parts.path.removeprefix("/"),
        endpoint_url=chosen.get("endpoint_url"),
        region=chosen.get("region"),
    )
    return location, S3Options(
        encryption=None if encryption is None else Encryption(encryption),
        kms_key_id=chosen.get("kms_key_id"),
        storage_class=chosen.get("storage_class"),
        checksums=Checksums(chosen.get("checksums", Checksums.WHEN_REQUIRED)),
    )


def _split(url: str, name: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:
        raise InvalidConfig(name, "no URL", "a URL") from None


def _refuse_credentials(parts: SplitResult, name: str) -> None:
    if "@" in parts.netloc:
        allowed = "none: they come from the environment, a profile or the machine's role"
        raise InvalidConfig(name, "one with credentials", allowed)
