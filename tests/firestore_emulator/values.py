"""
Values as Firestore orders, compares and weighs them.

https://firebase.google.com/docs/firestore/manage-data/data-types
https://firebase.google.com/docs/firestore/storage-size
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from attrs import frozen

__all__ = ("NAME", "Value", "field_bytes", "name_bytes", "sort_key", "value_bytes")

Value: TypeAlias = Any
"""A protobuf ``google.firestore.v1.Value``."""

NAME: Final = "__name__"
"""The path by which a query speaks of a document's name."""


def name_bytes(name: str) -> int:
    """Return what the name of a document weighs: its path below ``documents``."""
    path = name.split("/documents/", 1)[1]
    return sum(len(part.encode()) + 1 for part in path.split("/")) + 16


@frozen
class _Kind:
    """What holds for all values of a type.

    Attributes:
        rank: Values of a lower rank come first, whatever they are.
        key: From what is held to what sorts like it.
        weight: From what is held to its bytes.
    """

    rank: int
    key: Callable[[Any], Any]
    weight: Callable[[Any], int]


def _itself(held: Any) -> Any:
    return held


def _number_key(held: float) -> Any:
    return (0, 0) if math.isnan(held) else (1, held)


def _weighs(size: int) -> Callable[[Any], int]:
    return lambda _held: size


_KINDS: Final[Mapping[str, _Kind]] = {
    "null_value": _Kind(0, _itself, _weighs(1)),
    "boolean_value": _Kind(1, _itself, _weighs(1)),
    "integer_value": _Kind(2, _number_key, _weighs(8)),
    "double_value": _Kind(2, _number_key, _weighs(8)),
    "timestamp_value": _Kind(3, lambda held: held.ToNanoseconds(), _weighs(8)),
    "string_value": _Kind(4, str.encode, lambda held: len(held.encode()) + 1),
    "bytes_value": _Kind(5, _itself, len),
    "reference_value": _Kind(
        6, lambda held: [part.encode() for part in held.split("/")], name_bytes
    ),
    "geo_point_value": _Kind(7, lambda held: (held.latitude, held.longitude), _weighs(16)),
    "array_value": _Kind(
        8,
        lambda held: [sort_key(item) for item in held.values],
        lambda held: sum(value_bytes(item) for item in held.values),
    ),
    "map_value": _Kind(
        9,
        lambda held: [(name.encode(), sort_key(held.fields[name])) for name in sorted(held.fields)],
        lambda held: field_bytes(held.fields),
    ),
}


def sort_key(value: Value) -> tuple[Any, ...]:
    """Return what sorts like *value*; its first item is the same for all values of a type."""
    name = value.WhichOneof("value_type")
    return (_KINDS[name].rank, _KINDS[name].key(getattr(value, name)))


def value_bytes(value: Value) -> int:
    """Return what *value* weighs in a document."""
    name = value.WhichOneof("value_type")
    return _KINDS[name].weight(getattr(value, name))


def field_bytes(fields: Mapping[str, Value]) -> int:
    """Return what *fields* weigh, names included."""
    return sum(len(name.encode()) + 1 + value_bytes(value) for name, value in fields.items())
