"""Redis keeps the contract of document drivers, and the document stores on it that of storages."""

from collections.abc import AsyncGenerator, Generator

import pytest
from tests.servers.redis_server import RedisServer

from voicesession.stores.documents import DocumentStorage
from voicesession.stores.documents.redis import RedisDocumentDriver
from voicesession.testing.contracts.documents import DocumentDriverContract
from voicesession.testing.contracts.storage import StorageContract


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Generator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


class TestRedisDocumentDriver(DocumentDriverContract):
    @pytest.fixture
    def medium(self, server: RedisServer) -> RedisDocumentDriver:
        return RedisDocumentDriver(server.url, prefix=server.new_prefix())


class TestDocumentStorageOnRedis(StorageContract):
    @pytest.fixture
    async def storage(self, server: RedisServer) -> AsyncGenerator[DocumentStorage]:
        driver = RedisDocumentDriver(server.url, prefix=server.new_prefix())
        async with DocumentStorage(driver) as storage:
            yield storage
