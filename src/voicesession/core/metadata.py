"""The host's own JSON object beside a session: bounded, canonical, and kept as text."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final, cast

from .errors import InvalidValue
from .fields import is_text

__all__ = ("MAX_METADATA_BYTES", "MAX_METADATA_DEPTH", "is_metadata_json", "metadata_json")

MAX_METADATA_BYTES: Final = 16 * 1024
MAX_METADATA_DEPTH: Final = 32
"""So that whoever reads it back has stack enough, wherever they stand."""

_canonical: Final = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=True
).encode


def metadata_json(metadata: Mapping[str, Any]) -> str:
    """Return *metadata* as canonical JSON.

    Raises:
        InvalidValue: It is no JSON object, more than 16 KiB of it, nested more than 32
            deep, or holds a NUL character.
    """
    try:
        text = _canonical(dict(metadata))
        size = len(text.encode())
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidValue(
            "metadata", type(metadata).__name__, f"a JSON object ({error})"
        ) from None
    if size > MAX_METADATA_BYTES:
        raise InvalidValue(
            "metadata", f"{size} bytes", f"at most {MAX_METADATA_BYTES} bytes of JSON"
        )
    opened = text.count("{") + text.count("[")
    if opened > MAX_METADATA_DEPTH and _is_deeper(dict(metadata), MAX_METADATA_DEPTH):
        raise InvalidValue("metadata", "nested deeper", f"at most {MAX_METADATA_DEPTH} levels")
    if r"\u0000" in text.replace(r"\\", ""):  # a backslash that is meant is no escape
        raise InvalidValue("metadata", "text with a NUL character", "text without NUL")
    return text


def _is_deeper(value: Any, levels: int) -> bool:
    if not isinstance(value, dict | list | tuple):
        return False
    parts = cast("Iterable[Any]", value.values() if isinstance(value, dict) else value)
    return levels == 0 or any(_is_deeper(part, levels - 1) for part in parts)


def is_metadata_json(session: object, attribute: Any, value: Any) -> None:
    # Its shape was checked when `metadata_json` wrote it; to parse it at every step would
    # cost more than the step.
    is_text(session, attribute, value)
    if len(value.encode()) > MAX_METADATA_BYTES or not value.startswith("{"):
        raise InvalidValue(attribute.name, value, "what `metadata_json` returns")
