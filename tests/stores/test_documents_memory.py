"""The document driver in memory keeps the contract of drivers, on asyncio and on Trio."""

import pytest

from voicesession.stores.documents import MemoryDocumentDriver
from voicesession.testing.contracts.documents import DocumentDriverContract


class TestMemoryDocumentDriver(DocumentDriverContract):
    @pytest.fixture(params=[None, 1_048_576])
    def medium(self, request: pytest.FixtureRequest) -> MemoryDocumentDriver:
        return MemoryDocumentDriver(largest_document_bytes=request.param)
