from collections.abc import AsyncGenerator

import pytest

from voicesession.stores.memory import MemoryStorage
from voicesession.testing.contracts.storage import StorageContract


class TestMemoryStorage(StorageContract):
    @pytest.fixture
    async def storage(self) -> AsyncGenerator[MemoryStorage]:
        async with MemoryStorage() as storage:
            yield storage
