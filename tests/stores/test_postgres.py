"""PostgreSQL keeps the contract."""

from collections.abc import AsyncGenerator

import pytest
from tests.servers.postgres_server import PostgresServer

from voicesession.stores.sql import PostgresStorage
from voicesession.testing.contracts.storage import StorageContract


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class TestPostgresStorage(StorageContract):
    @pytest.fixture
    def url(self, postgres: PostgresServer) -> str:
        return postgres.emptied_database()

    @pytest.fixture
    async def storage(self, url: str) -> AsyncGenerator[PostgresStorage]:
        async with PostgresStorage(url) as storage:
            yield storage
