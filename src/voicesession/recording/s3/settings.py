"""How objects are kept in S3, and how much time and memory that may take."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlencode

from attrs import field, frozen

from ...core.backoff import Backoff
from ...core.errors import InvalidConfig
from ...core.fields import Vocabulary
from ...core.segments import MIN_PART_BYTES

__all__ = ("Checksums", "Encryption", "S3Limits", "S3Options")

_MAX_TAGS: Final = 10
_NONE: Final[Mapping[str, str]] = MappingProxyType({})
_BACKOFF: Final = Backoff(retries=3, first_us=200_000, longest_us=5_000_000)


class Encryption(Vocabulary):
    """Who holds the key of what the server encrypts."""

    S3 = "AES256"
    KMS = "aws:kms"


class Checksums(Vocabulary):
    """When a CRC goes along with what is sent.

    Without one, the hash in the request's signature tells the server what arrived damaged;
    over TLS an MD5 does, which is signed as well, and is faster. A CRC is kept with the object,
    and compared when it is read as a whole; it costs a fifth more CPU, and some stores that
    speak S3 refuse it.
    """

    WHEN_REQUIRED = "when_required"
    WHEN_SUPPORTED = "when_supported"


def _is_a_positive_count(_instance: object, attribute: Any, value: Any) -> None:
    if type(value) is not int or value < 1:
        raise InvalidConfig(attribute.name, value, "a whole number, 1 or more")


def _may_be_a_part(_instance: object, attribute: Any, value: Any) -> None:
    if type(value) is not int or value < MIN_PART_BYTES:
        raise InvalidConfig(attribute.name, value, f"{MIN_PART_BYTES} or more")


def _are_few(_instance: object, attribute: Any, tags: Mapping[str, str]) -> None:
    if len(tags) > _MAX_TAGS:
        raise InvalidConfig(attribute.name, f"{len(tags)} tags", f"at most {_MAX_TAGS}")


def _needs_kms(instance: S3Options, attribute: Any, key_id: str | None) -> None:
    if key_id is not None and instance.encryption is not Encryption.KMS:
        raise InvalidConfig(attribute.name, key_id, f"only with encryption {Encryption.KMS}")


def _frozen(tags: Mapping[str, str]) -> Mapping[str, str]:
    return MappingProxyType(dict(tags))


@frozen(kw_only=True)
class S3Options:
    """What is asked of the server for each object; None leaves it to the bucket.

    Attributes:
        encryption: On the server. What it encrypts is not hidden from the server.
        kms_key_id: The key's id or ARN, with `Encryption.KMS`; None is the account's own.
        storage_class: As S3 names them: ``STANDARD_IA``, ``GLACIER_IR``, …
        tags: At most 10.
        checksums: When a CRC goes along. A host's own client has its own setting.

    Raises:
        InvalidConfig: A key without KMS, or too many tags.
    """

    encryption: Encryption | None = None
    kms_key_id: str | None = field(default=None, validator=_needs_kms)
    storage_class: str | None = None
    tags: Mapping[str, str] = field(default=_NONE, converter=_frozen, validator=_are_few)
    checksums: Checksums = Checksums.WHEN_REQUIRED

    def of_request(self) -> dict[str, Any]:
        """Return what a request that begins an object says of it."""
        said = {
            "ServerSideEncryption": self.encryption,
            "SSEKMSKeyId": self.kms_key_id,
            "StorageClass": self.storage_class,
            "Tagging": urlencode(self.tags),
        }
        return {name: str(value) for name, value in said.items() if value}


@frozen(kw_only=True)
class S3Limits:
    """How long a request may take, how often it is tried, and what may be in memory.

    So a call takes at most ``1 + backoff.retries`` times ``request_us``, and the waits
    between; one of ``put_pieces`` as much for each part.

    Attributes:
        request_us: Microseconds for one try of one request: a part must get through, or what
            is read at once.
        connect_us: Microseconds for a connection.
        backoff: The tries after the first, where S3 is away, slow or busy.
        part_bytes: What is longer is sent in parts of this size. 5 MiB or more; an object
            has at most 10 000 parts.
        uploads_at_once: Parts of ``put_pieces`` in memory, of all objects together.
        connections: Open to S3 at once; what is asked beyond that waits.

    Raises:
        InvalidConfig: A number is out of its range.
    """

    request_us: int = field(default=30_000_000, validator=_is_a_positive_count)
    connect_us: int = field(default=5_000_000, validator=_is_a_positive_count)
    backoff: Backoff = _BACKOFF
    part_bytes: int = field(default=MIN_PART_BYTES, validator=_may_be_a_part)
    uploads_at_once: int = field(default=4, validator=_is_a_positive_count)
    connections: int = field(default=16, validator=_is_a_positive_count)
