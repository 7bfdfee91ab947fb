"""
What every ``DocumentDriver`` does.

Subclass `DocumentDriverContract` and give it a ``medium`` fixture: a driver that has not been
opened, on an empty medium. A driver whose medium makes its indexes elsewhere makes those in
``INDEXES`` there first::

    class TestMyDriver(DocumentDriverContract):
        @pytest.fixture
        def medium(self) -> MyDriver:
            return MyDriver()
"""

from __future__ import annotations

from .batches import BatchContract
from .bodies import BodyContract
from .examples import INDEXES
from .indexes import IndexContract
from .limits import LimitContract

__all__ = ("INDEXES", "DocumentDriverContract")


class DocumentDriverContract(BodyContract, BatchContract, IndexContract, LimitContract):
    """Every rule of `voicesession.ports.documents`."""
