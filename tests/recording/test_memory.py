from __future__ import annotations

import pytest

from voicesession.recording.memory import MemoryObjectStore
from voicesession.testing.contracts.objects import ObjectStoreContract


class TestMemoryObjectStore(ObjectStoreContract):
    @pytest.fixture
    def store(self) -> MemoryObjectStore:
        return MemoryObjectStore()
