"""
What every ``Storage`` does, whatever it is made of.

Subclass `StorageContract`, give it a ``storage`` fixture that yields a fresh and open
storage for each test, and pytest does the rest::

    class TestMyStorage(StorageContract):
        @pytest.fixture
        async def storage(self) -> AsyncGenerator[MyStorage]:
            async with MyStorage() as storage:
                yield storage
"""

from __future__ import annotations

from .admissions import AdmissionContract
from .commits import CommitContract
from .erasure import ErasureContract
from .leases import LeaseContract
from .ledgers import LedgerContract
from .lists import ListContract
from .scopes import ScopeContract
from .sweeping import SweepingContract
from .tasks import TaskContract
from .templates import TemplateContract

__all__ = ("StorageContract",)


class StorageContract(
    CommitContract,
    AdmissionContract,
    ListContract,
    LeaseContract,
    SweepingContract,
    ErasureContract,
    ScopeContract,
    TaskContract,
    TemplateContract,
    LedgerContract,
):
    """Every rule of `voicesession.ports.storage`."""
