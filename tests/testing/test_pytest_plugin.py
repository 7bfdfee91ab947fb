"""What the guide shows is what happens to a host that has nothing but the package."""

import re
import subprocess
import sys
from pathlib import Path

from voicesession.testing import pytest_plugin

GUIDE = (Path(__file__).parents[2] / "docs" / "how-to" / "testing.md").read_text()


def ran(folder: Path, *settings: str) -> str:
    """What pytest says of the tests in *folder*."""
    (folder / "pytest.ini").write_text(
        "\n".join(["[pytest]", "pythonpath = .", "filterwarnings = error", *settings])
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False).stdout


def test_the_app_of_the_guide_passes_its_tests(tmp_path: Path) -> None:
    for block in re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL):
        (tmp_path / block.split()[1]).write_text(block)
    said = ran(tmp_path, "anyio_mode = auto")
    assert "8 passed" in said, said  # four, on asyncio and on Trio


def test_the_guide_names_every_fixture() -> None:
    named = re.findall(r"^\| `(\w+)` \|", GUIDE, re.MULTILINE)
    assert sorted(named) == sorted(pytest_plugin.__all__)


def test_a_host_may_have_a_fixture_of_the_same_name(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(
        "import pytest\n\n@pytest.fixture\ndef voice(): return 'soprano'\n"
    )
    (tmp_path / "test_it.py").write_text("def test_it(voice): assert voice == 'soprano'\n")
    assert "1 passed" in ran(tmp_path)


def test_marked_tests_get_the_fixtures_too(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "import pytest\n\n@pytest.mark.anyio\nasync def test_it(voice):\n"
        "    assert (await voice.create(user_id='ada')).user_id == 'ada'\n"
    )
    assert "2 passed" in ran(tmp_path)
