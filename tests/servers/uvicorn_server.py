"""A real uvicorn in the test's own loop."""

from __future__ import annotations

import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio
import uvicorn
from tests.patience import PATIENCE_S

__all__ = ("running_uvicorn",)


@asynccontextmanager
async def running_uvicorn(
    server: uvicorn.Server, *, buffered: int | None = None, waits: bool = True
) -> AsyncGenerator[int]:
    """Run *server* on a port of the system's choice, which comes back.

    Args:
        buffered: How many bytes the system keeps for a client that does not read.
        waits: For those who are connected still, at the end.
    """
    with socket.socket() as listener:
        if buffered is not None:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffered)
        listener.bind(("127.0.0.1", 0))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.serve, [listener])
            with anyio.fail_after(PATIENCE_S):
                while not server.started:
                    await anyio.lowlevel.checkpoint()
            try:
                yield listener.getsockname()[1]
            finally:
                server.should_exit, server.force_exit = True, not waits
