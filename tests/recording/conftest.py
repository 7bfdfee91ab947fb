"""
What the tests of S3 ask for: a server, a client of it, and a place that is empty.

A module says that it runs on asyncio, and by a fixture ``s3_server`` which server it wants, where
that is not moto.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from itertools import count
from typing import Any

import pytest
from tests.servers.proxy import FaultyProxy, running_proxy
from tests.servers.s3 import CREDENTIALS, S3Server, running_moto, running_swift

_numbers = count()


@pytest.fixture(scope="session")
def moto() -> Generator[S3Server]:
    with running_moto() as server:
        yield server


@pytest.fixture(scope="session")
def swift(tmp_path_factory: pytest.TempPathFactory) -> Generator[S3Server]:
    with running_swift(tmp_path_factory.mktemp("swift") / "server") as server:
        yield server


@pytest.fixture(scope="module")
def s3_server(moto: S3Server) -> S3Server:
    return moto


@pytest.fixture(scope="module")
async def client(anyio_backend: str, s3_server: S3Server) -> AsyncGenerator[Any]:
    async with s3_server.client() as client:
        yield client


@pytest.fixture(scope="module")
async def bucket(client: Any) -> str:
    name = f"recordings-{next(_numbers)}"
    await client.create_bucket(Bucket=name)
    return name


@pytest.fixture
def place() -> str:
    """A prefix under which nobody has kept anything yet."""
    return f"tests/{next(_numbers)}"


@pytest.fixture(scope="module")
def s3_environment() -> Generator[pytest.MonkeyPatch]:
    """Let a store that opens its own client find the servers' credentials, and no others."""
    with pytest.MonkeyPatch.context() as environment:
        for name, value in CREDENTIALS.items():
            environment.setenv(name, value)
        environment.setenv("AWS_EC2_METADATA_DISABLED", "true")
        environment.setenv("AWS_CONFIG_FILE", "/dev/null")
        environment.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        yield environment


@pytest.fixture(scope="module")
async def proxy(anyio_backend: str, s3_server: S3Server) -> AsyncGenerator[FaultyProxy]:
    async with running_proxy(s3_server.port) as proxy:
        yield proxy


@pytest.fixture(scope="module")
async def client_by_proxy(s3_server: S3Server, proxy: FaultyProxy) -> AsyncGenerator[Any]:
    async with s3_server.client(proxy.url) as client:
        yield client
