"""A storage in Firestore and one in memory cannot be told apart, whatever is done to them."""

import pytest
from google.cloud.firestore import AsyncClient
from hypothesis import settings
from hypothesis.stateful import rule
from tests.firestore_emulator.server import Emulator
from tests.stores.test_documents_agree import ENTRIES, DocumentsAgree

from voicesession.core.errors import InvalidValue
from voicesession.core.ledger import LedgerEntry
from voicesession.ports.storage import Storage
from voicesession.stores.documents import INDEXES
from voicesession.stores.documents.firestore import FirestoreDocumentDriver, index_definitions
from voicesession.testing.effort import examples


class FirestoreAgrees(DocumentsAgree):
    def driver(self) -> FirestoreDocumentDriver:
        self.emulator = Emulator()
        self.emulator.indexes.deploy(index_definitions(INDEXES))
        self.runner.run(self.emulator.start())
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("FIRESTORE_EMULATOR_HOST", self.emulator.host)
            self.client = AsyncClient(project="test")
        return FirestoreDocumentDriver(client=self.client)

    def teardown(self) -> None:
        for store in self.stores:
            self.runner.run(store.__aexit__(None, None, None))
        self.runner.run(self.client._firestore_api.transport.close())
        self.runner.run(self.emulator.aclose())
        self.runner.close()

    @rule(entry=ENTRIES)
    def post(self, entry: LedgerEntry) -> None:
        async def post(store: Storage) -> object:
            try:
                return await store.ledger.post(entry)
            except InvalidValue as error:
                return error.field  # of several holds that are not held, any may be named

        self.both(post)


TestFirestoreAgrees = FirestoreAgrees.TestCase
TestFirestoreAgrees.settings = settings(
    max_examples=examples(3), stateful_step_count=30, deadline=None
)
