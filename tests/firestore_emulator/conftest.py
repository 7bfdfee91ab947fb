from collections.abc import AsyncGenerator

import pytest
from google.cloud.firestore import AsyncClient
from tests.firestore_emulator.server import Emulator, emulator


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def running() -> AsyncGenerator[Emulator]:
    async with emulator() as running:
        yield running


@pytest.fixture
async def client(running: Emulator, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[AsyncClient]:
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", running.host)
    client = AsyncClient(project="test")
    yield client
    await client._firestore_api.transport.close()
