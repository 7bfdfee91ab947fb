"""What the how-to shows is what happens."""

import re
import subprocess
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from tests.firestore_emulator.server import Emulator, emulator

from voicesession.testing.contracts.storage.examples import HOME, live

ROOT = Path(__file__).parents[2]
HOW_TO = (ROOT / "docs" / "how-to" / "firestore.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```", HOW_TO, re.DOTALL)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def running(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Emulator]:
    async with emulator() as running:
        monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", running.host)
        yield running


def printed_indexes() -> str:
    script = re.search(r"<<'PYTHON'\n(.*?)PYTHON\n", HOW_TO, re.DOTALL)
    assert script is not None
    return subprocess.run(
        [sys.executable, "-c", script[1]], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout


def test_both_ways_to_open_it_are_shown() -> None:
    assert len(EXAMPLES) == 2


async def test_what_is_shown_opens_and_keeps_sessions(running: Emulator) -> None:
    running.indexes.deploy(printed_indexes())
    shown: dict[str, Any] = {}
    for example in EXAMPLES:
        exec(example, shown)  # noqa: S102  # our own page
        async with shown["storage"] as storage:
            session = await live(storage)
            assert await storage.sessions.load(session.id, HOME) == session
    await shown["client"]._firestore_api.transport.close()
