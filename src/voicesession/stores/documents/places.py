"""Where documents stand in an index: what is in it, and what comes first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from ...ports.documents import Body, DocumentKey, DocumentQuery, Index, StoredDocument

__all__ = ("Place", "after", "is_between", "is_in", "is_indexed", "place_of")

Place: TypeAlias = tuple[Any, ...]
"""Values of the index's order, and then the document's id. Texts compare as their UTF-8."""


def is_indexed(index: Index, key: DocumentKey, body: Body) -> bool:
    """Return whether a document is in *index* at all."""
    return (
        key.collection == index.collection
        and all(name in body for name in index.equal)
        and all(body.get(name) is not None for name in index.order)
    )


def is_in(index: Index, equal: Mapping[str, Any], document: StoredDocument) -> bool:
    """Return whether *document* has these values for what *index* fixes."""
    body = document.body
    return is_indexed(index, document.key, body) and all(
        # True is not 1 here, as it is in Python.
        (type(body[name]), body[name]) == (type(equal[name]), equal[name])
        for name in index.equal
    )


def place_of(index: Index, document: StoredDocument) -> Place:
    """Return where *document* stands in *index*."""
    return (*(document.body[name] for name in index.order), document.key.id)


def after(index: Index, document: StoredDocument) -> tuple[Place, str]:
    """Return what makes a query of *index* go on behind *document*."""
    *values, document_id = place_of(index, document)
    return tuple(values), document_id


def is_between(query: DocumentQuery, place: Place) -> bool:
    """Return whether *place* is in the range of *query*, and behind where it begins."""
    if query.start is not None and place[: len(query.start)] < query.start:
        return False
    if query.end is not None and place[: len(query.end)] >= query.end:
        return False
    if query.after is None:
        return True
    values, document_id = query.after
    beside = (*values, document_id)
    return place < beside if query.descending else place > beside
