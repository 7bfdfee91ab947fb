"""Every example runs as it stands, and shows what it is about."""

import runpy
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"

SHOWN = {
    "own_pipeline.py": [
        "while paused, audio is dropped",
        "ENDED completed 2.0 s",
        "recording: file:///",
        "  1 connect_requested",
    ],
    "voice_agent.py": [
        "user: two coffees please",
        "agent: Two coffees, they are on their way.",
        "user: thank you goodbye",
        "agent: Goodbye!",
    ],
}

OF_A_SERVER = {"fastapi_websocket.py", "session_start.py"}
"""These call one; tests/web tries them."""

OF_A_FRAMEWORK = {"livekit_agent.py", "openai_realtime.py", "pipecat_bot.py"}
"""These run under one; tests/integrations tries them."""


def test_every_example_is_tried() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == set(
        SHOWN
    ) | OF_A_SERVER | OF_A_FRAMEWORK


@pytest.mark.parametrize("name", SHOWN)
def test_an_example_shows_what_it_is_about(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(EXAMPLES / name), run_name="__main__")
    lines = capsys.readouterr().out.splitlines()
    places = [next(i for i, line in enumerate(lines) if line.startswith(s)) for s in SHOWN[name]]
    assert places == sorted(places)
