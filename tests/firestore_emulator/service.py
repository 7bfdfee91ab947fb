"""What each call of ``google.firestore.v1`` does: a request in, its responses out, no network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from attrs import frozen
from google.cloud.firestore_v1 import types
from google.protobuf.empty_pb2 import Empty
from google.rpc.status_pb2 import Status
from grpc import StatusCode

from .database import Database, Kept, Snapshot, timestamp
from .indexes import Indexes
from .limits import Refusal, check_name
from .queries import Query, parsed

__all__ = ("Message", "Service")

Message: TypeAlias = Any
"""A protobuf message: those of the client's package are untyped underneath."""


@frozen
class _Read:
    """An answer, as of when it holds, and the transaction that was begun for it."""

    answer: Any
    at_us: int
    transaction: bytes


class Service:
    """The databases and their indexes. What it cannot do, it raises a `Refusal` for.

    Attributes:
        indexes: The composite indexes, of every database.
    """

    def __init__(self) -> None:
        self.indexes: Final = Indexes()
        self._databases: dict[str, Database] = {}

    def database(self, name: str) -> Database:
        """Return the database of this name, ``projects/…/databases/…``."""
        return self._databases.setdefault(name, Database(name))

    # --- writes ----------------------------------------------------------------------------

    def commit(self, request: Message) -> list[Message]:
        database = self.database(request.database)
        at_us, updated = database.commit(request.writes, request.transaction)
        response = _pb(types.CommitResponse)
        response.commit_time.CopyFrom(timestamp(at_us))
        for updated_us in updated:
            response.write_results.add().update_time.CopyFrom(timestamp(updated_us))
        return [response]

    def batch_write(self, request: Message) -> list[Message]:
        response = _pb(types.BatchWriteResponse)
        for outcome in self.database(request.database).write_each(request.writes):
            result = response.write_results.add()
            if isinstance(outcome, Refusal):
                (number, _word) = outcome.code.value
                response.status.append(Status(code=number, message=outcome.message))
            else:
                result.update_time.CopyFrom(timestamp(outcome))
                response.status.append(Status())
        return [response]

    def begin_transaction(self, request: Message) -> list[Message]:
        transaction = self.database(request.database).begin(request.options)
        return [_pb(types.BeginTransactionResponse, transaction=transaction.id)]

    def rollback(self, request: Message) -> list[Message]:
        self.database(request.database).roll_back(request.transaction)
        return [Empty()]

    # --- reads -----------------------------------------------------------------------------

    def batch_get(self, request: Message) -> list[Message]:
        database = self.database(request.database)
        names = list(dict.fromkeys(request.documents))
        for name in names:
            check_name(name, database.name)
        read = _read(database, request, lambda documents: [documents.get(name) for name in names])
        responses = [_response(types.BatchGetDocumentsResponse, read) for _ in names]
        for response, name, kept in zip(responses, names, read.answer, strict=True):
            if kept is None:
                response.missing = name
            else:
                response.found.CopyFrom(_document(name, kept))
        return _begun(responses, read)

    def run_query(self, request: Message) -> list[Message]:
        read = self._find(request, request.structured_query)
        responses = [_response(types.RunQueryResponse, read) for _ in read.answer]
        for response, (name, kept) in zip(responses, read.answer, strict=True):
            response.document.CopyFrom(_document(name, kept))
        return _begun(responses or [_response(types.RunQueryResponse, read)], read)

    def run_aggregation(self, request: Message) -> list[Message]:
        asked = request.structured_aggregation_query
        read = self._find(request, asked.structured_query)
        response = _response(types.RunAggregationQueryResponse, read)
        for aggregation in asked.aggregations:
            if aggregation.WhichOneof("operator") != "count":
                raise Refusal(StatusCode.UNIMPLEMENTED, "What is found is counted here, no more.")
            fields = response.result.aggregate_fields
            fields[aggregation.alias].integer_value = len(read.answer)
        return _begun([response], read)

    def _find(self, request: Message, written: Message) -> _Read:
        name, _, below = request.parent.partition("/documents")
        if below:
            raise Refusal(StatusCode.UNIMPLEMENTED, "Collections here are at the root.")
        query: Query = parsed(written, request.parent)
        self.indexes.check(query)
        return _read(self.database(name), request, query.run)


def _read(database: Database, request: Message, ask: Callable[[Snapshot], Any]) -> _Read:
    match request.WhichOneof("consistency_selector"):
        case None:
            return _Read(ask(database.documents), database.read_time(), b"")
        case "transaction":
            begun, transaction = b"", database.transaction(request.transaction)
        case "new_transaction":
            transaction = database.begin(request.new_transaction)
            begun = transaction.id
        case _:
            raise Refusal(StatusCode.UNIMPLEMENTED, "The past is not kept here.")
    return _Read(transaction.read(ask), transaction.began_us, begun)


def _begun(responses: list[Message], read: _Read) -> list[Message]:
    """Return *responses*, after one that names the transaction that was begun for them."""
    if not read.transaction:
        return responses
    return [type(responses[0])(transaction=read.transaction), *responses]


def _response(kind: Any, read: _Read) -> Message:
    response = _pb(kind)
    response.read_time.CopyFrom(timestamp(read.at_us))
    return response


def _document(name: str, kept: Kept) -> Message:
    document = _pb(types.Document, name=name)
    for field, value in kept.fields.items():
        document.fields[field].CopyFrom(value)
    document.create_time.CopyFrom(timestamp(kept.created_us))
    document.update_time.CopyFrom(timestamp(kept.updated_us))
    return document


def _pb(kind: Any, **fields: Any) -> Message:
    return kind.pb(kind(**fields))
