"""Two workers, one store: a client is served by the one that it came to last."""

import os
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest
from tests.patience import PATIENCE_S
from tests.servers.postgres_server import PostgresServer

IS_PROOF = os.environ.get("VOICESESSION_PROFILE") == "proof"
LEASE = timedelta(seconds=3)


@pytest.fixture(scope="module")
def postgres() -> Generator[PostgresServer]:
    """A server for this module."""
    with PostgresServer() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"] if IS_PROOF else ["sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where both keep their sessions."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'voice.db'}"
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.fresh_database()


@asynccontextmanager
async def two_houses(open_house: Any, store: str) -> AsyncGenerator[tuple[Any, Any]]:
    here = open_house(store=store, worker_id="here", lease=LEASE)
    there = open_house(store=store, worker_id="there", lease=LEASE)
    async with here as one, there as other:
        yield one, other


async def test_whoever_is_taken_over_elsewhere_is_told_so_though_it_says_nothing(
    open_house: Any, store: str
) -> None:
    async with two_houses(open_house, store) as (one, other), one.talk(store_audio=True) as first:
        begin = first.messages[0]
        async with other.back(begin, first.last_seq) as second:
            assert await first.closed() == 4409
            again = await second.next("session.begin")
            await second.speak("good morning")
            await second.next("transcript.final")
            await second.send("end")
            end = await second.next("session.end")
    terminated = first.all("session.terminated")[0]
    assert (terminated["reason"], terminated["recoverable"]) == ("taken_over", False)
    assert (second.words, end["status"]) == (["good morning"], "completed")
    assert again["state_restored"] is False  # what was in the other one's hands is not known


async def test_a_client_may_go_to_and_fro_and_the_last_one_has_the_session(
    open_house: Any, store: str
) -> None:
    async with two_houses(open_house, store) as houses, houses[0].talk() as first:
        begin, last_seq = first.messages[0], first.last_seq
        for house in (houses[1], houses[0], houses[1]):
            async with house.back(begin, last_seq) as back:
                await back.next("session.begin")
                await back.send("text", text="still there")
                await back.next("transcript.final")
                last_seq = back.last_seq
        async with houses[0].back(begin, last_seq) as back:
            await back.next("session.begin")
            await back.send("end")
            assert (await back.next("session.end"))["status"] == "completed"


async def test_what_was_handed_over_whole_is_restored_elsewhere(
    open_house: Any, store: str
) -> None:
    async with two_houses(open_house, store) as (one, other):
        async with one.talk(store_transcript=True) as first:
            begin = first.messages[0]
            await first.speak("good morning")
            await first.next("reply.end")
            await first.next("transcript.final")
        with anyio.fail_after(PATIENCE_S):
            while one.voice._worker.owned:
                await anyio.lowlevel.checkpoint()
        async with other.back(begin, 0) as second:
            assert (await second.next("session.begin"))["state_restored"] is True
            await second.next("transcript.final")
    assert second.words == ["good morning"]
