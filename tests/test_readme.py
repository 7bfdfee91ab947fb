"""What the README shows is what happens."""

import re
import runpy
from pathlib import Path

import pytest

README = (Path(__file__).parent.parent / "README.md").read_text()


def test_the_example_on_the_first_screen_runs_and_prints_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    example = re.search(r"```python\n(.*?)```", README, re.DOTALL)
    assert example is not None
    script = tmp_path / "example.py"
    script.write_text(example[1])
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(script), run_name="__main__")
    status, uri, words = capsys.readouterr().out.split()
    assert (status, words) == ("completed", "Hello.")
    assert uri.startswith("file:///")
    assert uri.endswith("/audio.wav")


def test_the_example_is_short_enough_to_be_read() -> None:
    example = re.search(r"```python\n(.*?)```", README, re.DOTALL)
    assert example is not None
    lines = [line for line in example[1].splitlines() if line.strip()]
    assert len(lines) <= 17


DOCS = Path(__file__).parent.parent / "docs"
PAGES = [DOCS.parent / "README.md", *sorted(DOCS.rglob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_page_that_is_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", text):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_page_about_budgets_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    example = re.search(
        r"```python\n(.*?)```", (DOCS / "topics" / "budgets.md").read_text(), re.DOTALL
    )
    assert example is not None
    script = tmp_path / "example.py"
    script.write_text(example[1])
    runpy.run_path(str(script), run_name="__main__")
    assert "'used': 5.5" in capsys.readouterr().out
