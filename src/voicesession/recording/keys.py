"""Which names objects may have: see ``ObjectStore``."""

from __future__ import annotations

import re
from typing import Final

from ..core.errors import InvalidValue

__all__ = ("MAX_KEY_LENGTH", "check_key", "check_page", "check_range", "is_key")

MAX_KEY_LENGTH: Final = 900
"""In characters. S3 takes 1 024 bytes: the rest is for the prefix of a store."""

_SEGMENT: Final = re.compile(r"[A-Za-z0-9_.:=@+-]{1,200}")
_ALLOWED: Final = "segments of A-Z a-z 0-9 _ . : = @ + - joined by /"


def is_key(key: str) -> bool:
    """Return whether *key* may name an object."""
    segments = key.split("/")
    return (
        len(key) <= MAX_KEY_LENGTH
        and all(_SEGMENT.fullmatch(part) and part.strip(".") for part in segments)
        and not segments[0].startswith(".")
        and not segments[-1].startswith(".")
    )


def check_key(key: str) -> None:
    """Let *key* pass if it may name an object.

    Raises:
        InvalidValue: It may not.
    """
    if not is_key(key):
        raise InvalidValue("key", key, _ALLOWED)


def check_range(start: int, end: int | None) -> None:
    """Let a range of bytes pass that runs forwards; None is the object's end.

    Raises:
        InvalidValue: It does not.
    """
    if start < 0 or (end is not None and end < start):
        raise InvalidValue("range", f"{start} to {end}", "0 <= start <= end")


def check_page(prefix: str, limit: int) -> None:
    """Let what a listing is asked for pass, if there could be something to list.

    Raises:
        InvalidValue: No key begins with *prefix*, or *limit* is less than 1.
    """
    if limit < 1:
        raise InvalidValue("limit", limit, "1 or more")
    if prefix and not is_key(prefix) and not is_key(prefix + "x"):
        raise InvalidValue("prefix", prefix, f"the beginning of {_ALLOWED}")
