"""
The indexes that Firestore must have, as a file that people deploy.

``firestore.indexes.json`` beside this module is that file for the stores of this library, with
the prefix that drivers have by themselves (``firebase deploy --only firestore:indexes``; the
how-to says more). https://firebase.google.com/docs/reference/firestore/indexes

A composite index serves one direction, so there are two for each of ours, but for what
Firestore answers without: documents with some values sorted by name, and documents sorted by
one field alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final

from ....ports.documents import Index
from .filing import BOOKKEEPING_FIELDS
from .queries import NAME

__all__ = ("DEFAULT_PREFIX", "index_definitions")

DEFAULT_PREFIX: Final = "voice_"
"""What stands before the name of each collection unless a host wishes for another."""

_DIRECTIONS: Final = ("ASCENDING", "DESCENDING")


def index_definitions(indexes: Iterable[Index], *, prefix: str = DEFAULT_PREFIX) -> str:
    """Return the text of ``firestore.indexes.json`` for what is read by *indexes*.

    It also turns off what Firestore would index by itself and nobody asks for.

    Args:
        prefix: The driver's.
    """
    declared = tuple(indexes)
    collections = sorted({index.collection for index in declared})
    definitions: dict[str, list[dict[str, Any]]] = {
        "indexes": [
            {
                "collectionGroup": f"{prefix}{index.collection}",
                "queryScope": "COLLECTION",
                "fields": fields,
            }
            for index in declared
            for fields in _composites(index)
        ],
        "fieldOverrides": [
            {"collectionGroup": f"{prefix}{collection}", "fieldPath": name, "indexes": []}
            for collection in collections
            for name in BOOKKEEPING_FIELDS
        ],
    }
    return json.dumps(definitions, indent=2) + "\n"


def _composites(index: Index) -> Iterator[list[dict[str, Any]]]:
    for direction in _DIRECTIONS:
        if index.order:
            # Names follow in the direction of the last field.
            fields = [_field(name, direction) for name in index.order]
            if not index.equal and len(fields) == 1:
                continue
        elif direction == "DESCENDING":
            fields = [_field(NAME, direction)]
        else:
            continue
        yield [*(_field(name, "ASCENDING") for name in index.equal), *fields]


def _field(name: str, direction: str) -> dict[str, Any]:
    return {"fieldPath": name, "order": direction}
