"""Servers and loops for the tests of the runtime."""

from collections.abc import Generator

import pytest
from hypothesis import settings
from tests.servers.postgres_server import PostgresServer

LOOPS = ["asyncio", "trio"] if settings.get_current_profile_name() == "proof" else ["asyncio"]


@pytest.fixture(params=LOOPS)
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """The loop that the runtime is promised on. Each time, only ``test_listening`` tries Trio."""
    loop: str = request.param
    return loop


@pytest.fixture(scope="session")
def postgres() -> Generator[PostgresServer]:
    """A real server, for this process alone."""
    with PostgresServer() as server:
        yield server


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> str:
    """A database of its own, whose tables are there."""
    return postgres.fresh_database()
