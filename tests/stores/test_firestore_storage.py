"""A whole storage in Firestore keeps the contract of storages."""

from collections.abc import AsyncGenerator
from importlib.resources import files

import pytest
from tests.firestore_emulator.server import emulator

from voicesession.stores.documents import firestore
from voicesession.stores.documents.firestore import FirestoreDocumentDriver
from voicesession.stores.documents.storage import DocumentStorage
from voicesession.testing.contracts.storage import StorageContract

DEPLOYED = files(firestore).joinpath("firestore.indexes.json").read_text()


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class TestFirestoreStorage(StorageContract):
    @pytest.fixture
    async def storage(self, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[DocumentStorage]:
        async with emulator() as running:
            running.indexes.deploy(DEPLOYED)
            monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", running.host)
            async with DocumentStorage(FirestoreDocumentDriver("test")) as storage:
                yield storage
