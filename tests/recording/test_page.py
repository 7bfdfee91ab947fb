"""What the page on recording shows is what happens."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "topics" / "recording.md"


def test_the_example_records_a_whole_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    example = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert example is not None
    script = tmp_path / "example.py"
    script.write_text(example[1])
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(script), run_name="__main__")
    uri, is_whole = capsys.readouterr().out.split()
    assert uri == (tmp_path / "recordings/sessions/s1/audio.wav").as_uri()
    assert is_whole == "True"
