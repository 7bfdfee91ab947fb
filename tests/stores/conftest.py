from collections.abc import Generator
from pathlib import Path

import pytest
from tests.servers.postgres_server import PostgresServer


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "voice.db"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for locks and answers no longer than a test may take."""
    monkeypatch.setattr("voicesession.stores.sql.sqlite.connections._WAITS_FOR_LOCK_S", 0.02)


@pytest.fixture(scope="session")
def postgres() -> Generator[PostgresServer]:
    """A real server, for this process alone."""
    with PostgresServer() as server:
        yield server


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> str:
    """A database of its own, whose tables are there."""
    return postgres.fresh_database()
