"""The code of docs/how-to/your-own-store.md runs, and keeps the contracts that it shows."""

import re
from pathlib import Path

import pytest

HOW_TO = (Path(__file__).parents[2] / "docs/how-to/your-own-store.md").read_text()
DRIVER, PROOF = re.findall(r"```python\n(.*?)```", HOW_TO, re.DOTALL)

# What is defined there is defined here, so pytest finds the test classes of the page.
exec(compile(DRIVER, "your-own-store.md", "exec"))  # noqa: S102  # our own page
exec(compile(PROOF, "your-own-store.md", "exec"))  # noqa: S102


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """To wait for the disk would take most of the time."""
    monkeypatch.setattr("os.fsync", lambda _: None)


def test_the_driver_is_short_enough_to_be_read() -> None:
    assert len([line for line in DRIVER.splitlines() if line.strip()]) < 100
