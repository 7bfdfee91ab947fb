"""PostgreSQL keeps the contract."""

from collections.abc import AsyncGenerator

import pytest

from voicesession.stores.sql import PostgresStorage
from voicesession.testing.contracts.storage import StorageContract


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class TestPostgresStorage(StorageContract):
    @pytest.fixture
    async def storage(self, postgres_url: str) -> AsyncGenerator[PostgresStorage]:
        async with PostgresStorage(postgres_url) as storage:
            yield storage
