"""What is read from Firestore: each call sees the documents as of one instant."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from ....core.errors import StoreUnavailable
from ....ports.documents import DocumentKey, DocumentQuery, Index, StoredDocument
from . import calls, queries
from .connection import Connection
from .filing import Filing
from .library import types
from .server_time import ServerTime

__all__ = ("Reader",)

_CLOCK: Final = DocumentKey("clock", "now")
"""Asked for to learn the time; nobody writes it."""


class Reader:
    """Reads over an open connection, and learns the server's time by the way.

    Every method may raise `StoreUnavailable`, or `StoreError` for a refusal.
    """

    def __init__(self, connection: Connection, filing: Filing) -> None:
        self._connection = connection
        self._filing = filing
        self.time: Final = ServerTime()

    async def messages(self, keys: Sequence[DocumentKey]) -> list[Any]:
        """Return Firestore's own documents under *keys*; None where there is none."""
        if not keys:
            return []
        names = [self._filing.name(key) for key in keys]
        request = types.BatchGetDocumentsRequest(
            database=self._connection.database, documents=list(dict.fromkeys(names))
        )
        # Firestore's word for one instant: what an answer has shown does not change before the
        # read time of a later one.
        answers = await self._answers(self._connection.api.batch_get_documents, request)
        if len(answers) != len(request.documents):
            raise StoreUnavailable("Firestore: the answer is not whole")
        found = {answer.found.name: answer.found for answer in answers if answer.HasField("found")}
        return [found.get(name) for name in names]

    async def documents(self, keys: Sequence[DocumentKey]) -> list[StoredDocument | None]:
        """Return the documents under *keys*, in their order."""
        return [
            None if message is None else self._filing.stored(message, key.collection)
            for key, message in zip(keys, await self.messages(keys), strict=True)
        ]

    async def page(self, query: DocumentQuery) -> list[StoredDocument]:
        """Return what *query* finds."""
        asked = queries.page(query, self._filing)
        if asked is None:
            return []
        request = types.RunQueryRequest(parent=self._filing.root, structured_query=asked)
        return [
            self._filing.stored(answer.document, query.index.collection)
            for answer in await self._answers(self._connection.api.run_query, request)
            if answer.HasField("document")  # an answer without tells that nothing was found
        ]

    async def count(self, index: Index, equal: Mapping[str, Any]) -> int:
        """Return how many documents have these values in *index*."""
        request = types.RunAggregationQueryRequest(
            parent=self._filing.root,
            structured_aggregation_query=queries.counting(index, equal, self._filing),
        )
        (answer,) = await self._answers(self._connection.api.run_aggregation_query, request)
        (counted,) = answer.result.aggregate_fields.values()
        number: int = counted.integer_value
        return number

    async def learn_time(self) -> None:
        """Ask the server what time it has."""
        await self.messages([_CLOCK])

    async def _answers(self, rpc: Callable[..., Awaitable[Any]], request: Any) -> list[Any]:
        answers = await calls.read(lambda: self._connection.answers(rpc, request))
        if answers:
            self.time.note(answers[-1].read_time)
        return answers
