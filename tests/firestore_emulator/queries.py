"""
Structured queries: which documents, in which order, between which cursors.

https://firebase.google.com/docs/firestore/query-data/queries
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Sequence
from functools import cmp_to_key
from typing import Any, Final, TypeAlias

from attrs import frozen
from google.cloud.firestore_v1 import types
from grpc import StatusCode

from .database import Kept, Snapshot
from .limits import Refusal, invalid
from .values import NAME, Value, sort_key

__all__ = ("Filter", "Order", "Query", "parsed")

QueryPb: TypeAlias = Any
"""A protobuf ``google.firestore.v1.StructuredQuery``."""

_FieldOperator: Final = types.StructuredQuery.FieldFilter.Operator
_UnaryOperator: Final = types.StructuredQuery.UnaryFilter.Operator
_NULL: Final = types.Value.pb(types.Value(null_value=0))


@frozen
class Filter:
    """What a field must be: it must have the value's type, and stand so to the value."""

    path: str
    holds: Callable[[Any, Any], bool]
    value: Value

    @property
    def is_equality(self) -> bool:
        """Whether it fixes the field to one value."""
        return self.holds is operator.eq

    def lets_through(self, name: str, kept: Kept) -> bool:
        """Return whether a document passes."""
        value = _value_at(self.path, name, kept)
        if value is None:
            return False
        own, other = sort_key(value), sort_key(self.value)
        return own[0] == other[0] and self.holds(own, other)


@frozen
class Order:
    """One step of a sort order."""

    path: str
    descending: bool


@frozen
class _Cursor:
    values: Sequence[Value]
    before: bool


@frozen(kw_only=True)
class Query:
    """A query, with the order that Firestore adds to it."""

    collection: str
    prefix: str
    filters: Sequence[Filter]
    orders: Sequence[Order]
    start: _Cursor | None
    end: _Cursor | None
    offset: int
    limit: int | None

    @property
    def equalities(self) -> set[str]:
        """Paths that are fixed to one value each."""
        return {each.path for each in self.filters if each.is_equality}

    def check_cursors(self) -> None:
        """Do nothing if the start lies before the end.

        Raises:
            Refusal: It does not.
        """
        if self.start is None or self.end is None:
            return
        if self._compare(self.start.values, self.end.values) > 0:
            raise invalid("The start cursor lies behind the end cursor.")

    def run(self, documents: Snapshot) -> list[tuple[str, Kept]]:
        """Return what is found in *documents*, in order."""
        found = [each for each in documents.items() if self._is_found(*each)]
        found.sort(key=cmp_to_key(self._comes_first))
        between = [each for each in found if self._is_between_cursors(self._place(*each))]
        stop = None if self.limit is None else self.offset + self.limit
        return between[self.offset : stop]

    def _is_found(self, name: str, kept: Kept) -> bool:
        return (
            name.startswith(self.prefix)
            and "/" not in name[len(self.prefix) :]
            and all(_value_at(order.path, name, kept) is not None for order in self.orders)
            and all(each.lets_through(name, kept) for each in self.filters)
        )

    def _place(self, name: str, kept: Kept) -> list[Value]:
        return [_value_at(order.path, name, kept) for order in self.orders]

    def _comes_first(self, one: tuple[str, Kept], other: tuple[str, Kept]) -> int:
        return self._compare(self._place(*one), self._place(*other))

    def _compare(self, one: Sequence[Value], other: Sequence[Value]) -> int:
        """Say which comes first, by as many values as both have."""
        for order, left, right in zip(self.orders, one, other, strict=False):
            first, second = sort_key(left), sort_key(right)
            if first != second:
                return -1 if (first < second) != order.descending else 1
        return 0

    def _is_between_cursors(self, place: Sequence[Value]) -> bool:
        if self.start is not None:
            side = self._compare(place, self.start.values)
            if side < 0 or (side == 0 and not self.start.before):
                return False
        if self.end is not None:
            side = self._compare(place, self.end.values)
            if side > 0 or (side == 0 and self.end.before):
                return False
        return True


def parsed(query: QueryPb, parent: str) -> Query:
    """Return *query* as it will be run below *parent*.

    Raises:
        Refusal: It makes no sense, or this emulator does not speak of such things.
    """
    selectors = query.from_
    if len(selectors) != 1 or selectors[0].all_descendants or query.HasField("select"):
        raise Refusal(
            StatusCode.UNIMPLEMENTED, "Queries here read whole documents of a collection."
        )
    collection = selectors[0].collection_id
    filters = list(_filters(query.where)) if query.HasField("where") else []
    orders = list(_orders(query, filters))
    asked = Query(
        collection=collection,
        prefix=f"{parent}/{collection}/",
        filters=filters,
        orders=orders,
        start=_cursor(query, "start_at", orders),
        end=_cursor(query, "end_at", orders),
        offset=query.offset,
        limit=query.limit.value if query.HasField("limit") else None,
    )
    asked.check_cursors()
    return asked


def _filters(where: Any) -> Iterator[Filter]:
    match where.WhichOneof("filter_type"):
        case "composite_filter":
            if where.composite_filter.op != types.StructuredQuery.CompositeFilter.Operator.AND:
                raise Refusal(StatusCode.UNIMPLEMENTED, "Filters here are joined by AND.")
            for each in where.composite_filter.filters:
                yield from _filters(each)
        case "field_filter":
            yield _field_filter(where.field_filter)
        case "unary_filter":
            if where.unary_filter.op != _UnaryOperator.IS_NULL:
                raise Refusal(StatusCode.UNIMPLEMENTED, "Unary filters here ask for null.")
            yield Filter(_path(where.unary_filter.field), operator.eq, _NULL)


_OPERATORS: Final = {
    _FieldOperator.EQUAL: operator.eq,
    _FieldOperator.LESS_THAN: operator.lt,
    _FieldOperator.LESS_THAN_OR_EQUAL: operator.le,
    _FieldOperator.GREATER_THAN: operator.gt,
    _FieldOperator.GREATER_THAN_OR_EQUAL: operator.ge,
}


def _field_filter(written: Any) -> Filter:
    if written.op not in _OPERATORS:
        raise Refusal(StatusCode.UNIMPLEMENTED, "Filters here are equalities and ranges.")
    if written.value.WhichOneof("value_type") == "null_value":
        raise invalid("Only the unary filters can ask for null.")
    return Filter(_path(written.field), _OPERATORS[written.op], written.value)


def _orders(query: QueryPb, filters: Sequence[Filter]) -> Iterator[Order]:
    descending = types.StructuredQuery.Direction.DESCENDING
    written = [Order(_path(each.field), each.direction == descending) for each in query.order_by]
    yield from written
    last = written[-1].descending if written else False
    there = {each.path for each in written}
    ranges = {each.path for each in filters if not each.is_equality} - {NAME}
    for path in sorted(ranges - there):
        yield Order(path, last)
    if NAME not in there:
        yield Order(NAME, last)


def _cursor(query: QueryPb, which: str, orders: Sequence[Order]) -> _Cursor | None:
    if not query.HasField(which):
        return None
    written = getattr(query, which)
    if len(written.values) > len(query.order_by):
        raise invalid("Cursor has too many values.")
    for order, value in zip(orders, written.values, strict=False):
        if order.path == NAME and value.WhichOneof("value_type") != "reference_value":
            raise invalid("A cursor's place for __name__ must be the name of a document.")
    return _Cursor(tuple(written.values), written.before)


def _path(field: Any) -> str:
    path: str = field.field_path
    if path != NAME and not path.replace("_", "a").isalnum():
        raise Refusal(StatusCode.UNIMPLEMENTED, "Paths here are simple names.")
    return path


def _value_at(path: str, name: str, kept: Kept) -> Value | None:
    if path == NAME:
        return types.Value.pb(types.Value(reference_value=name))
    return kept.fields.get(path)
