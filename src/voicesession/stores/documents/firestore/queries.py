"""
How a page of an index is asked for in Firestore.

The order is the index's, and then the documents' names, all in one direction; where a page
begins and ends is said by cursors, so that the server reads no more than the page.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ....ports.documents import DocumentKey, DocumentQuery, Index
from .filing import Filing, value_pb
from .library import Int32ValuePb, ValuePb, types

__all__ = ("NAME", "counting", "page")

NAME: Final = "__name__"
"""How a query calls the name of a document."""

_Query: Final = types.StructuredQuery
_COUNT: Final = "count"


def page(query: DocumentQuery, filing: Filing) -> types.StructuredQuery | None:
    """Return what finds the documents of *query*; None if its range is empty."""
    if _is_empty(query):
        return None
    first, last = _borders(query)
    asked = _in_order(query.index, query.equal, filing, descending=query.descending)
    asked.limit = Int32ValuePb(value=query.limit)
    if query.after is not None and (not first or _has_reached(query, first)):
        asked.start_at = _behind(query, filing)
    elif first:
        asked.start_at = _cursor(first, before=not query.descending)
    if last:
        asked.end_at = _cursor(last, before=not query.descending)
    return asked


def counting(index: Index, equal: Mapping[str, Any], filing: Filing) -> Any:
    """Return what counts the documents with these values in *index*."""
    aggregation = types.StructuredAggregationQuery.Aggregation
    return types.StructuredAggregationQuery(
        structured_query=_in_order(index, equal, filing, descending=False),
        aggregations=[aggregation(count=aggregation.Count(), alias=_COUNT)],
    )


def _in_order(
    index: Index, equal: Mapping[str, Any], filing: Filing, *, descending: bool
) -> types.StructuredQuery:
    direction = _Query.Direction.DESCENDING if descending else _Query.Direction.ASCENDING
    asked = _Query(
        from_=[_Query.CollectionSelector(collection_id=filing.collection(index.collection))],
        order_by=[
            _Query.Order(field=_field(name), direction=direction) for name in (*index.order, NAME)
        ],
    )
    filters = [_is(name, equal[name]) for name in index.equal]
    if filters:
        both = _Query.CompositeFilter.Operator.AND
        asked.where = _Query.Filter(
            composite_filter=_Query.CompositeFilter(op=both, filters=filters)
        )
    return asked


def _is(name: str, value: Any) -> types.StructuredQuery.Filter:
    if value is None:
        null = _Query.UnaryFilter(field=_field(name), op=_Query.UnaryFilter.Operator.IS_NULL)
        return _Query.Filter(unary_filter=null)
    equals = _Query.FieldFilter.Operator.EQUAL
    return _Query.Filter(
        field_filter=_Query.FieldFilter(field=_field(name), op=equals, value=value_pb(value))
    )


def _field(path: str) -> types.StructuredQuery.FieldReference:
    return _Query.FieldReference(field_path=path)


def _borders(query: DocumentQuery) -> tuple[tuple[Any, ...] | None, tuple[Any, ...] | None]:
    """Return where reading begins, and where it ends."""
    return (query.end, query.start) if query.descending else (query.start, query.end)


def _is_empty(query: DocumentQuery) -> bool:
    if query.start and query.end and query.start[: len(query.end)] >= query.end:
        return True
    _, last = _borders(query)
    return bool(query.after is not None and last and _has_reached(query, last))


def _has_reached(query: DocumentQuery, border: tuple[Any, ...]) -> bool:
    """Return whether who has read as far as ``query.after`` has come to *border*."""
    values, _ = query.after or ((), "")
    if query.descending:
        return values[: len(border)] < border
    return values[: len(border)] >= border


def _cursor(values: tuple[Any, ...], *, before: bool) -> types.Cursor:
    return types.Cursor(values=[value_pb(value) for value in values], before=before)


def _behind(query: DocumentQuery, filing: Filing) -> types.Cursor:
    values, document_id = query.after or ((), "")
    name = filing.name(DocumentKey(query.index.collection, document_id))
    return types.Cursor(
        values=[*map(value_pb, values), ValuePb(reference_value=name)], before=False
    )
