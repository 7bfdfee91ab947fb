"""Which bytes of a file are wanted: RFC 9110, section 14."""

from __future__ import annotations

import re
from typing import Final

from ..schemas.refusals import RangeNotSatisfiable

__all__ = ("wanted_bytes",)

_ONE_RANGE: Final = re.compile(r"bytes=\s*(\d{0,19})\s*-\s*(\d{0,19})\s*", re.IGNORECASE)


def wanted_bytes(header: str | None, size_bytes: int) -> range | None:
    """Return the bytes that a ``Range`` header asks for; None for the whole file.

    What is not understood, and several ranges at once, is answered with the whole file, as
    the standard allows.

    Raises:
        RangeNotSatisfiable: The range lies outside of the file.
    """
    match = _ONE_RANGE.fullmatch(header or "")
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:
        wanted = range(max(0, size_bytes - int(last)), size_bytes)
    elif last and int(last) < int(first):
        return None
    else:
        wanted = range(int(first), min(int(last) + 1, size_bytes) if last else size_bytes)
    if not wanted:
        raise RangeNotSatisfiable(size_bytes)
    return wanted
