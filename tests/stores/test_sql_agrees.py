"""A relational database and memory cannot be told apart, whatever is done to them."""

import asyncio
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test
from tests.servers.postgres_server import PostgresServer
from tests.stores.test_documents_agree import DocumentsAgree

from voicesession.ports.storage import Storage
from voicesession.stores.memory import MemoryStorage
from voicesession.stores.sql import PostgresStorage, SqliteStorage
from voicesession.stores.sql.sqlite import connections
from voicesession.testing.effort import examples

SETTINGS = settings(max_examples=examples(6), stateful_step_count=30, deadline=None)


class SqlAgrees(DocumentsAgree):
    def __init__(self) -> None:
        RuleBasedStateMachine.__init__(self)
        self.runner = asyncio.Runner()
        self.stores = (MemoryStorage(), self.storage())
        for store in self.stores:
            self.runner.run(store.__aenter__())

    def storage(self) -> Storage:
        raise AssertionError("each database says which")


def test_memory_and_sqlite_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "_WRITER_SETTINGS", ("synchronous = OFF", "foreign_keys = ON"))

    class SqliteAgrees(SqlAgrees):
        def storage(self) -> Storage:
            self.folder = tempfile.TemporaryDirectory()
            return SqliteStorage(Path(self.folder.name) / "voice.db")

        def teardown(self) -> None:
            super().teardown()
            self.folder.cleanup()

    run_state_machine_as_test(SqliteAgrees, settings=SETTINGS)


def test_memory_and_postgres_agree(postgres: PostgresServer) -> None:
    class PostgresAgrees(SqlAgrees):
        def storage(self) -> Storage:
            return PostgresStorage(postgres.emptied_database(), pool_size=1)

    run_state_machine_as_test(PostgresAgrees, settings=SETTINGS)
