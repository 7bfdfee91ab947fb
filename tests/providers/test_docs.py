"""What the guides show is what happens."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from voicesession.providers import names

GUIDES = Path(__file__).parents[2] / "docs" / "how-to"


def blocks(guide: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (GUIDES / guide).read_text(), re.DOTALL)


@pytest.mark.parametrize("number", range(len(blocks("providers.md"))))
def test_what_the_guide_to_the_providers_shows_runs(
    number: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for vendor in ("DEEPGRAM", "ELEVENLABS", "OPENAI"):
        monkeypatch.setenv(f"{vendor}_API_KEY", "k")
    block = blocks("providers.md")[number]
    exec(compile(block, "providers.md", "exec"), {})  # noqa: S102 - our own guide
    assert capsys.readouterr().out.splitlines() == re.findall(r"^# (.*)$", block, re.MULTILINE)


def test_the_guide_lists_every_name() -> None:
    listed = set(re.findall(r"`([a-z]+)[`:\[]", (GUIDES / "providers.md").read_text()))
    tables = (
        names._RECOGNISERS,
        names._SPEAKERS,
        names._DETECTORS,
        names._TURN_DETECTORS,
        names._SUPPRESSORS,
        names._AGENTS,
    )
    assert {name for table in tables for name in table} <= listed


def test_the_provider_of_the_guide_passes_its_contract(tmp_path: Path) -> None:
    for block in blocks("your-own-provider.md"):
        (tmp_path / block.split()[1]).write_text(block)
    (tmp_path / "pytest.ini").write_text("[pytest]\nanyio_mode = auto\npythonpath = .\n")
    command = [sys.executable, "-m", "pytest", "-q", "-pno:cacheprovider", "-pno:schemathesis"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout
    assert re.search(r"\d\d passed", ran.stdout)
