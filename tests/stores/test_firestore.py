"""Firestore keeps the contract of drivers, through Google's client and a strict emulator."""

from collections.abc import AsyncGenerator

import pytest
from tests.firestore_emulator.server import Emulator, emulator

from voicesession.stores.documents.firestore import FirestoreDocumentDriver, index_definitions
from voicesession.testing.contracts.documents import INDEXES, DocumentDriverContract


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def firestore(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Emulator]:
    async with emulator() as running:
        monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", running.host)
        running.indexes.deploy(index_definitions(INDEXES))
        yield running


class TestFirestoreDocumentDriver(DocumentDriverContract):
    @pytest.fixture
    def medium(self, firestore: Emulator) -> FirestoreDocumentDriver:
        return FirestoreDocumentDriver("test")
