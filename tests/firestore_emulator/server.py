"""
``google.firestore.v1`` over gRPC on loopback, for the real client.

Every project and database that is asked for is there, and empty at first. Run it as a program
with ``python -m tests.firestore_emulator firestore.indexes.json``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import grpc
from attrs import evolve
from google.cloud.firestore_v1 import types
from grpc import StatusCode
from grpc.aio import ServicerContext

from .database import Database
from .faults import Fault, Trouble
from .indexes import Indexes
from .limits import MAX_REQUEST_BYTES, Refusal, check_request
from .service import Message, Service

__all__ = ("Emulator", "emulator")

_SERVICE: Final = "google.firestore.v1.Firestore"
# Larger than what Firestore takes, so that it is refused in its words and not in gRPC's.
_WIRE_LIMIT: Final = ("grpc.max_receive_message_length", 8 * MAX_REQUEST_BYTES)
_CODES: Final = {
    Trouble.UNAVAILABLE: StatusCode.UNAVAILABLE,
    Trouble.DONE_BUT_UNAVAILABLE: StatusCode.UNAVAILABLE,
    Trouble.BROKEN_OFF: StatusCode.UNAVAILABLE,
    Trouble.ABORTED: StatusCode.ABORTED,
    Trouble.RESOURCE_EXHAUSTED: StatusCode.RESOURCE_EXHAUSTED,
    Trouble.PERMISSION_DENIED: StatusCode.PERMISSION_DENIED,
}


class Emulator:
    """A running Firestore.

    Attributes:
        calls: The names of all calls so far, those that went wrong too.
    """

    def __init__(self) -> None:
        self.calls: Final[list[str]] = []
        self._service = Service()
        self._faults: list[Fault] = []
        self._meanwhile: dict[str, Callable[[], object]] = {}
        self._server: grpc.aio.Server | None = None
        self._port = 0
        self._restarting = asyncio.Lock()
        self._cutting: set[asyncio.Task[None]] = set()

    @property
    def host(self) -> str:
        """What ``FIRESTORE_EMULATOR_HOST`` must be."""
        return f"127.0.0.1:{self._port}"

    @property
    def indexes(self) -> Indexes:
        """The composite indexes, of every database."""
        return self._service.indexes

    def database(self, name: str) -> Database:
        """Return the database of this name, ``projects/…/databases/…``."""
        return self._service.database(name)

    def fail(self, fault: Fault) -> None:
        """Let the next calls go wrong, after those that are to go wrong already."""
        self._faults.append(fault)

    def meanwhile(self, rpc: str, act: Callable[[], object]) -> None:
        """Let somebody act just before the next call of *rpc* is looked at."""
        self._meanwhile[rpc] = act

    async def start(self) -> None:
        """Listen; again at the same port if it has listened before."""
        server = grpc.aio.server(options=[_WIRE_LIMIT, ("grpc.max_send_message_length", -1)])
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(_SERVICE, self._handlers()),)
        )
        self._port = server.add_insecure_port(f"127.0.0.1:{self._port}")
        await server.start()
        self._server = server

    async def stop(self) -> None:
        """Break all connections, and listen no more. The documents stay."""
        server, self._server = self._server, None
        if server is not None:
            await server.stop(None)

    async def restart(self) -> None:
        """Break all connections, and listen again."""
        async with self._restarting:
            await self.stop()
            await self.start()

    async def aclose(self) -> None:
        """Stop, for good."""
        if self._cutting:
            await asyncio.wait(self._cutting)
        await self.stop()

    # --- calls -----------------------------------------------------------------------------

    def _handlers(self) -> dict[str, grpc.RpcMethodHandler[Any, Any]]:
        service = self._service
        unary = {
            "Commit": (service.commit, types.CommitRequest),
            "BatchWrite": (service.batch_write, types.BatchWriteRequest),
            "BeginTransaction": (service.begin_transaction, types.BeginTransactionRequest),
            "Rollback": (service.rollback, types.RollbackRequest),
        }
        streamed = {
            "BatchGetDocuments": (service.batch_get, types.BatchGetDocumentsRequest),
            "RunQuery": (service.run_query, types.RunQueryRequest),
            "RunAggregationQuery": (service.run_aggregation, types.RunAggregationQueryRequest),
        }
        return {
            name: self._handler(name, do, request, streams=name in streamed)
            for name, (do, request) in (unary | streamed).items()
        }

    def _handler(
        self, rpc: str, do: Callable[[Message], list[Message]], request: Any, *, streams: bool
    ) -> grpc.RpcMethodHandler[Any, Any]:
        async def answer(message: Message, context: ServicerContext[Any, Any]) -> Message:
            (response,) = [each async for each in self._answers(rpc, do, message, context)]
            return response

        async def stream(
            message: Message, context: ServicerContext[Any, Any]
        ) -> AsyncIterator[Message]:
            async for each in self._answers(rpc, do, message, context):
                yield each

        make = (
            grpc.unary_stream_rpc_method_handler if streams else grpc.unary_unary_rpc_method_handler
        )
        return make(
            stream if streams else answer,
            request_deserializer=type(request.pb(request())).FromString,
            response_serializer=lambda response: response.SerializeToString(),
        )

    async def _answers(
        self,
        rpc: str,
        do: Callable[[Message], list[Message]],
        message: Message,
        context: ServicerContext[Any, Any],
    ) -> AsyncIterator[Message]:
        self.calls.append(rpc)
        self._meanwhile.pop(rpc, lambda: None)()
        trouble = self._trouble(rpc)
        told: Sequence[Message] = ()
        try:
            if trouble is None or trouble.is_done or trouble.is_half_told:
                check_request(message)
                told = do(message)
        except Refusal as refusal:
            await context.abort(refusal.code, refusal.message)
        if trouble is not None:
            told = told[: len(told) // 2] if trouble.is_half_told else ()
        for response in told:
            yield response
        if trouble is not None and trouble is not Trouble.CUT_SHORT:
            await self._go_wrong(trouble, context)

    def _trouble(self, rpc: str) -> Trouble | None:
        for place, fault in enumerate(self._faults):
            if fault.rpc == rpc:
                left = evolve(fault, times=fault.times - 1)
                self._faults[place : place + 1] = [left] if left.times else []
                return fault.trouble
        return None

    async def _go_wrong(self, trouble: Trouble, context: ServicerContext[Any, Any]) -> None:
        if trouble in _CODES:
            await context.abort(_CODES[trouble], f"{trouble}, as the test wants it")
        if trouble in (Trouble.CUT, Trouble.DONE_BUT_CUT):
            # Not here: the server that is stopped waits for this very call to end.
            task = asyncio.get_running_loop().create_task(self.restart())
            self._cutting.add(task)
            task.add_done_callback(self._cutting.discard)
        await asyncio.get_running_loop().create_future()


@asynccontextmanager
async def emulator() -> AsyncGenerator[Emulator]:
    """Run one on a port that the system chooses."""
    running = Emulator()
    await running.start()
    try:
        yield running
    finally:
        await running.aclose()
