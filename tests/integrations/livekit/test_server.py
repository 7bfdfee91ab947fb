"""The settings of LiveKit: wrong ones are told at once, and a secret never."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.servers.livekit_server import KEY, SECRET

from voicesession.core.errors import InvalidConfig
from voicesession.integrations.livekit import LiveKitServer
from voicesession.schemas.settings import load, variables

GOOD = {"url": "wss://livekit.example", "api_key": KEY, "api_secret": SECRET}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    monkeypatch.chdir(tmp_path)
    for variable in variables():
        monkeypatch.delenv(variable.name, raising=False)
    return monkeypatch


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": ""},
        {"url": "livekit.example"},
        {"url": "ftp://livekit.example"},
        {"url": "wss://"},
        {"url": "wss://[::1"},
        {"url": None},
        {"url": "wss://user:hidden@livekit.example"},
        {"api_key": ""},
        {"api_key": None},
        {"api_secret": " "},
        {"api_secret": 7},
        {"token_life": timedelta(seconds=29)},
        {"token_life": timedelta(days=2)},
        {"token_life": 3600},
        {"agent_name": ""},
        {"api_url": "livekit"},
    ],
)
def test_what_cannot_be_is_refused_before_anything_starts(wrong: dict[str, Any]) -> None:
    (name,) = wrong
    with pytest.raises(InvalidConfig, match=name) as caught:
        LiveKitServer(**(GOOD | wrong))
    assert "hidden" not in str(caught.value)


def test_a_secret_is_not_shown() -> None:
    assert SECRET not in repr(LiveKitServer(**GOOD))  # type: ignore[arg-type]  # texts, all of them


def test_the_environment_names_the_server(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("LIVEKIT_URL", "wss://livekit.example")
    environment.setenv("LIVEKIT_API_KEY", KEY)
    environment.setenv("LIVEKIT_API_SECRET", SECRET)
    _, settings = load()
    assert LiveKitServer.of(settings) == LiveKitServer(**GOOD)  # type: ignore[arg-type]  # texts
    environment.setenv("LIVEKIT_TOKEN_TTL_SECONDS", "600")
    environment.setenv("LIVEKIT_AGENT_NAME", "nurse")
    environment.setenv("LIVEKIT_API_URL", "https://livekit.inside")
    _, settings = load()
    server = LiveKitServer.of(settings)
    assert (server.token_life, server.agent_name) == (timedelta(minutes=10), "nurse")
    assert (server.url, server.api_url) == ("wss://livekit.example", "https://livekit.inside")
    environment.setenv("LIVEKIT_API_URL", "livekit")
    _, settings = load()
    with pytest.raises(InvalidConfig, match="api_url"):
        LiveKitServer.of(settings)


def test_an_environment_without_livekit_is_told_what_it_lacks(
    environment: pytest.MonkeyPatch,
) -> None:
    _, settings = load()
    with pytest.raises(InvalidConfig, match=r"LIVEKIT_URL.*LIVEKIT_API_KEY.*LIVEKIT_API_SECRET"):
        LiveKitServer.of(settings)


def test_without_the_extra_it_says_which_one_it_is() -> None:
    program = f"""
import sys
sys.modules["livekit.api"] = None
from voicesession.integrations.livekit import LiveKitRooms, LiveKitServer
server = LiveKitServer(url="wss://x", api_key="k", api_secret={SECRET!r})
try:
    LiveKitRooms(server)
except Exception as error:
    print(type(error).__name__, error)
"""
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert b"InvalidConfig" in said.stdout
    assert b'pip install "voicesession[livekit]"' in said.stdout
