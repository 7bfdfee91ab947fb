"""The document stores keep the contract of storages, on asyncio and on Trio."""

from collections.abc import AsyncGenerator

import pytest

from voicesession.stores.documents import DocumentStorage, MemoryDocumentDriver
from voicesession.testing.contracts.storage import StorageContract


class TestDocumentStorage(StorageContract):
    @pytest.fixture
    async def storage(self) -> AsyncGenerator[DocumentStorage]:
        async with DocumentStorage(MemoryDocumentDriver()) as storage:
            yield storage
