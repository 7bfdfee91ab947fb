"""Indexes, documents and calls for the tests of a document driver."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Mapping
from typing import Any, Final

import pytest

from ....ports.documents import (
    Body,
    DocumentDriver,
    DocumentKey,
    DocumentQuery,
    Index,
    Put,
    StoredDocument,
)

__all__ = (
    "ALL",
    "BY_COLOUR",
    "BY_COLOUR_AND_NAME",
    "ELSEWHERE",
    "EVERY_KIND",
    "INDEXES",
    "MEMBERS",
    "THINGS",
    "OnDriver",
    "a_key",
    "are_there",
    "ids_of",
    "put_all",
    "stored_at",
)

THINGS: Final = "things"
ALL: Final = Index(THINGS, (), ("size",))
BY_COLOUR: Final = Index(THINGS, ("colour",), ("size",))
BY_COLOUR_AND_NAME: Final = Index(THINGS, ("colour", "round"), ("name", "size"))
MEMBERS: Final = Index(THINGS, ("colour", "round"))
ELSEWHERE: Final = Index("elsewhere", ("colour",), ("size",))

INDEXES: Final = (ALL, BY_COLOUR, BY_COLOUR_AND_NAME, MEMBERS, ELSEWHERE)
"""What the contract reads by."""

EVERY_KIND: Final[Body] = {
    "text": "ü \N{MUSICAL SYMBOL G CLEF} 'quoted' \"twice\" \\ \n { } :",
    "empty": "",
    "no_number": "1",
    "whole": 2**63 - 1,
    "least": -(2**63),
    "zero": 0,
    "broken": 0.1,
    "large": 1e300,
    "small": 5e-324,
    "even": 2.0,
    "yes": True,
    "no": False,
    "nothing": None,
}


class OnDriver(ABC):
    """A suite in which each test gets a driver of its own, open and on an empty medium."""

    @pytest.fixture
    @abstractmethod
    def medium(self) -> DocumentDriver: ...

    @pytest.fixture
    async def driver(self, medium: DocumentDriver) -> AsyncGenerator[DocumentDriver]:
        medium.declare(INDEXES)
        async with medium:
            yield medium


def a_key(document_id: str = "one", collection: str = THINGS) -> DocumentKey:
    """Name a document."""
    return DocumentKey(collection, document_id)


async def stored_at(driver: DocumentDriver, key: DocumentKey) -> StoredDocument:
    """Return the document under *key*, which must be there."""
    (document,) = await driver.get([key])
    assert document is not None
    return document


async def are_there(driver: DocumentDriver, *ids: str) -> list[bool]:
    """Return which of the documents with these ids are there."""
    return [document is not None for document in await driver.get([a_key(name) for name in ids])]


async def put_all(driver: DocumentDriver, bodies: Mapping[str, Body]) -> None:
    """Write documents in one batch, by their ids."""
    await driver.write([Put(a_key(name), body) for name, body in bodies.items()])


async def ids_of(driver: DocumentDriver, index: Index, **query: Any) -> list[str]:
    """Return the ids of what is found, in its order."""
    query.setdefault("equal", {})
    return [document.key.id for document in await driver.find(DocumentQuery(index=index, **query))]
