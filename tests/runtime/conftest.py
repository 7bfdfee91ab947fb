"""Servers for the tests of the runtime."""

from collections.abc import Generator

import pytest
from tests.servers.postgres_server import PostgresServer


@pytest.fixture(scope="session")
def postgres() -> Generator[PostgresServer]:
    """A real server, for this process alone."""
    with PostgresServer() as server:
        yield server


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> str:
    """A database of its own, whose tables are there."""
    return postgres.fresh_database()
