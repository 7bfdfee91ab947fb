"""What the guide shows is what happens to a host that has nothing but the package."""

import re
import subprocess
import sys
from pathlib import Path

from voicesession.testing import pytest_plugin

GUIDE = (Path(__file__).parents[2] / "docs" / "how-to" / "testing.md").read_text()

SETTINGS = """
[pytest]
pythonpath = .
filterwarnings = error
anyio_mode = auto
"""
OVERRIDDEN = """
import pytest

@pytest.fixture
def voice():
    return "soprano"

def test_a_fixture_of_the_host_takes_the_place_of_ours(voice):
    assert voice == "soprano"
"""


def test_the_app_of_the_guide_passes_its_tests(tmp_path: Path) -> None:
    for block in re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL):
        (tmp_path / block.split()[1]).write_text(block)
    (tmp_path / "test_overridden.py").write_text(OVERRIDDEN)
    (tmp_path / "pytest.ini").write_text(SETTINGS)
    without = ("-pno:cacheprovider", "-pno:xdist", "-pno:schemathesis")
    command = [sys.executable, "-m", "pytest", "-q", *without]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    # Four of the guide, on asyncio and on Trio, and the one above.
    assert "9 passed" in ran.stdout, ran.stdout


def test_the_guide_names_every_fixture() -> None:
    named = re.findall(r"^\| `(\w+)` \|", GUIDE, re.MULTILINE)
    assert sorted(named) == sorted(pytest_plugin.__all__)
