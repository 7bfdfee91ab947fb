"""
Which index a query needs, and whether somebody has deployed it.

Kept in the form of the file that people deploy, ``firestore.indexes.json``:
https://firebase.google.com/docs/reference/firestore/indexes

Without a deployed index are answered: equalities alone, sorted by name (the automatic indexes
are merged), and one field, sorted by itself with the names in the same direction. Everything
else needs a composite index with exactly its fields; an index is not read backwards. Where a
single field's index is turned off (``fieldOverrides``), only a composite one is left.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from attrs import frozen
from grpc import StatusCode

from .limits import Refusal
from .queries import Order, Query
from .values import NAME

__all__ = ("Indexes",)


@frozen
class _Composite:
    collection: str
    fields: tuple[Order, ...]

    def serves(self, query: Query) -> bool:
        equal = query.equalities
        if self.collection != query.collection:
            return False
        head, tail = self.fields[: len(equal)], self.fields[len(equal) :]
        return {each.path for each in head} == equal and list(tail) == _sorted_by(query)


class Indexes:
    """The composite indexes of a database."""

    def __init__(self) -> None:
        self._composites: set[_Composite] = set()
        self._turned_off: set[tuple[str, str]] = set()

    def deploy(self, definitions: str) -> None:
        """Put the indexes of such a file in place of those that are there."""
        file = json.loads(definitions)
        self._composites = {_composite(each) for each in file["indexes"]}
        self._turned_off = {
            (each["collectionGroup"], each["fieldPath"])
            for each in file.get("fieldOverrides", ())
            if not each["indexes"]
        }

    def check(self, query: Query) -> None:
        """Do nothing if *query* can be answered.

        Raises:
            Refusal: It needs an index that is not there.
        """
        if not self._is_automatic(query) and not any(
            each.serves(query) for each in self._composites
        ):
            fields = ", ".join(
                [*sorted(query.equalities)]
                + [
                    f"{each.path} {'desc' if each.descending else 'asc'}"
                    for each in _sorted_by(query)
                ]
            )
            raise Refusal(
                StatusCode.FAILED_PRECONDITION,
                f"The query requires an index: {query.collection} ({fields}).",
            )

    def _is_automatic(self, query: Query) -> bool:
        fields = {*query.equalities, *(order.path for order in _sorted_by(query))} - {NAME}
        if any((query.collection, name) in self._turned_off for name in fields):
            return False
        match _sorted_by(query):
            case [Order(path, descending)]:
                return path == NAME and not descending
            case [Order(), Order(path, descending)] if path == NAME and not query.equalities:
                return _sorted_by(query)[0].descending == descending
        return False


def _sorted_by(query: Query) -> Sequence[Order]:
    return [order for order in query.orders if order.path not in query.equalities]


def _composite(written: dict[str, object]) -> _Composite:
    assert written["queryScope"] == "COLLECTION"
    fields = written["fields"]
    assert isinstance(fields, list)
    orders = [Order(each["fieldPath"], each["order"] == "DESCENDING") for each in fields]
    if orders[-1].path != NAME:
        orders.append(Order(NAME, orders[-1].descending))
    return _Composite(str(written["collectionGroup"]), tuple(orders))
