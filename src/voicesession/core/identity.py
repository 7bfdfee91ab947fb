"""
Names of sessions, tenants and utterances: how they are made, and which are allowed.

Randomness and time are arguments: the shell draws them.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, Final, NewType

from .errors import InvalidValue
from .fields import is_text
from .instants import to_us

__all__ = (
    "DEFAULT_TENANT",
    "RANDOM_BYTES",
    "SessionId",
    "TenantId",
    "checked_id",
    "is_id",
    "session_id",
    "shortened",
    "utterance_id",
    "uuid7_hex",
)

SessionId = NewType("SessionId", str)
TenantId = NewType("TenantId", str)

DEFAULT_TENANT: Final = TenantId("default")
"""The tenant of a host that has only one."""

RANDOM_BYTES: Final = 10
"""What a new id takes of randomness."""

_ALLOWED: Final = re.compile(r"[A-Za-z0-9_.:-]{1,128}")
_SHORTENED_LENGTH: Final = 8


def uuid7_hex(at: datetime, randomness: bytes) -> str:
    """Return the 32 hex digits of a UUID version 7 (RFC 9562, section 5.7).

    Args:
        randomness: ``RANDOM_BYTES`` bytes; 74 of their bits are used.

    Raises:
        InvalidValue: They are more or fewer.
    """
    if len(randomness) != RANDOM_BYTES:
        raise InvalidValue("randomness", f"{len(randomness)} bytes", f"{RANDOM_BYTES} bytes")
    bits = int.from_bytes(randomness)
    milliseconds = to_us(at) // 1000 & 0xFFFF_FFFF_FFFF
    rand_a = bits >> 62 & 0xFFF
    rand_b = bits & 0x3FFF_FFFF_FFFF_FFFF
    return f"{milliseconds << 80 | 0x7 << 76 | rand_a << 64 | 0b10 << 62 | rand_b:032x}"


def session_id(at: datetime, randomness: bytes) -> SessionId:
    """Return a new session id; ids sort by the millisecond in which they were made."""
    return SessionId(f"sess_{uuid7_hex(at, randomness)}")


def utterance_id(at: datetime, randomness: bytes) -> str:
    """Return a new utterance id."""
    return f"utt_{uuid7_hex(at, randomness)}"


def checked_id(field: str, value: str) -> str:
    """Return *value* if it may name a session, a tenant or a user.

    Such a name becomes part of paths, keys and URLs, so it can hold nothing that means
    something there.

    Raises:
        InvalidValue: It is empty, too long, has other characters, or is only dots.
    """
    if not _ALLOWED.fullmatch(value) or not value.strip("."):
        raise InvalidValue(
            field, value, "1 to 128 characters of A-Z a-z 0-9 _ . : - (not only dots)"
        )
    return value


def is_id(instance: object, attribute: Any, value: Any) -> None:
    """Attrs validator: a name that `checked_id` takes.

    Raises:
        InvalidValue: It is something else.
    """
    is_text(instance, attribute, value)
    checked_id(attribute.name, value)


def shortened(identifier: str) -> str:
    """Return the last 8 characters: the first ones of a UUIDv7 are the same for years."""
    return identifier[-_SHORTENED_LENGTH:]
