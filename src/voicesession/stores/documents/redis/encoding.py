"""How documents and places in indexes are written in Redis; bytes sort as values do."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from ....ports.documents import Body, DocumentKey, DocumentQuery, Index
from ..places import is_indexed

__all__ = (
    "body_of",
    "body_text",
    "document_key",
    "forgetting_key",
    "index_key",
    "lex_range",
    "places_text",
)

_LEAST: Final = 2**63
_END: Final = "\0"


def document_key(prefix: str, collection: str, document_id: str) -> str:
    """Return the key of a document."""
    return f"{prefix}d:{collection}/{document_id}"


def index_key(prefix: str, index: Index, equal: Mapping[str, Any]) -> str:
    """Return the key of an index with the values that it is fixed to."""
    values = [equal[name] for name in index.equal]
    return f"{prefix}i:{_json([index.collection, index.equal, index.order, values])}"


def forgetting_key(prefix: str) -> str:
    """Return the key of the queue of documents that the server will forget."""
    return f"{prefix}f"


def body_text(body: Body) -> str:
    """Return *body* as text."""
    return _json(dict(body))


def body_of(text: bytes | str) -> Body:
    """Return the body that was written as *text*."""
    body: Body = json.loads(text)
    return body


def places_text(prefix: str, indexes: Iterable[Index], key: DocumentKey, body: Body) -> str:
    """Return where a document stands: a list of key, member, key, member."""
    places: list[str] = []
    for index in indexes:
        if is_indexed(index, key, body):
            values = [body[name] for name in index.order]
            places += [index_key(prefix, index, body), _encoded(values) + key.id]
    return _json(places)


def lex_range(query: DocumentQuery) -> tuple[bytes, bytes]:
    """Return the low and the high end of *query* as ``ZRANGEBYLEX`` takes them."""
    low = b"-" if query.start is None else b"[" + _encoded(query.start).encode()
    high = b"+" if query.end is None else b"(" + _encoded(query.end).encode()
    if query.after is not None:
        values, document_id = query.after
        beside = (_encoded(values) + document_id).encode()
        if query.descending:
            high = b"(" + beside if query.end is None else min(high, b"(" + beside)
        elif query.start is None or beside >= low[1:]:
            low = b"(" + beside
    return low, high


def _encoded(values: Sequence[Any]) -> str:
    # Text ends where no text can go on; whole numbers are as long as each other.
    return "".join(
        f"{value + _LEAST:016x}{_END}" if isinstance(value, int) else f"{value}{_END}"
        for value in values
    )


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
