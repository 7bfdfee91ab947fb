import pytest

from voicesession.stores.memory import MemoryStorage
from voicesession.testing.contracts.storage import StorageContract


class TestMemoryStorage(StorageContract):
    @pytest.fixture
    def storage(self) -> MemoryStorage:
        return MemoryStorage()
