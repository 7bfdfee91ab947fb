"""A server of one's own, by one command: a real process, spoken to over real sockets."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

import anyio
import httpx2
import pytest
from attrs import frozen
from tests.cli.stage import Command
from websockets.exceptions import ConnectionClosedError
from websockets.sync.client import connect

import voicesession
from voicesession.schemas.settings import variables

pytestmark = pytest.mark.offline

SECRET = "a secret that is long enough for HS256"  # noqa: S105  # of this test
SILENCE = bytes(640)


@frozen
class Served:
    url: str
    process: subprocess.Popen[str]

    @property
    def ws(self) -> str:
        return self.url.replace("http", "ws", 1)


@contextmanager
def served(folder: Path, **settings: str) -> Generator[Served]:
    """Run ``voicesession serve`` in *folder* until the end of the block, then ask it to stop."""
    process = subprocess.Popen(
        [sys.executable, "-m", "voicesession.cli", "serve", "--port", "0", "--drain", "0"],
        cwd=folder,
        env=_environment(settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line.startswith("listening on http://127.0.0.1:"), process.communicate()
        yield Served(line.split()[2], process)
    finally:
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 0, errors
    assert "Traceback" not in errors


def _environment(settings: Mapping[str, str]) -> dict[str, str]:
    named = {variable.name for variable in variables()}
    kept = {name: value for name, value in os.environ.items() if name not in named}
    return kept | {f"VOICESESSION_{name}": value for name, value in settings.items()}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Generator[Served]:
    with served(tmp_path_factory.mktemp("served")) as running:
        yield running


@pytest.mark.parametrize(
    "prefix", ["/v1/sessions", "/v1/realtime/sessions", "/live-sessions", "/api/v1/sessions"]
)
def test_sessions_are_at_every_address_that_people_know(server: Served, prefix: str) -> None:
    created = httpx2.post(f"{server.url}{prefix}", json={"user_id": prefix.replace("/", "-")})
    assert created.status_code == 201
    session = created.json()["session"]
    assert session["state"] == "CONNECTING"
    found = httpx2.get(f"{server.url}{prefix}/{session['id']}")
    assert found.json()["session"]["id"] == session["id"]
    ended = httpx2.post(f"{server.url}{prefix}/{session['id']}/end")
    assert ended.json()["session"]["status"] == "completed"


def test_audio_sent_to_the_stream_is_kept_and_can_be_fetched(server: Served) -> None:
    path = "/v1/audio/transcriptions/stream?store_audio=true&store_transcript=true&user_id=grace"
    with connect(f"{server.ws}{path}") as stream:
        begin = json.loads(stream.recv(timeout=20))
        assert begin["type"] == "session.begin"
        for _ in range(50):
            stream.send(SILENCE)
        stream.send(json.dumps({"type": "end"}))
        messages = [json.loads(message) for message in stream if isinstance(message, str)]
    assert messages[-1]["type"] == "session.end"
    assert messages[-1]["status"] == "completed"
    session = f"{server.url}/v1/realtime/sessions/{begin['session_id']}"
    audio = httpx2.get(f"{session}/audio").content
    assert audio[:4] == b"RIFF"
    assert len(audio) == 44 + 50 * len(SILENCE)
    assert httpx2.get(f"{session}/transcript").json()["duration"] == 1.0


def test_a_caller_with_a_token_comes_in_and_nobody_else(tmp_path: Path, command: Command) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VOICESESSION_JWT_SECRET", SECRET)
        made = command("token", "--user", "ada", "--json")
    token = json.loads(made.stdout)["token"]
    with served(tmp_path, AUTH="jwt", JWT_SECRET=SECRET) as server:
        assert httpx2.get(f"{server.url}/v1/sessions").status_code == 401
        headers = {"authorization": f"Bearer {token}"}
        assert httpx2.get(f"{server.url}/v1/sessions", headers=headers).status_code == 200


def test_a_key_is_known_by_the_lines_that_were_printed_with_it(
    tmp_path: Path, command: Command
) -> None:
    made = json.loads(command("token", "--api-key", "--scope", "read", "--json").stdout)
    (tmp_path / "keys.toml").write_text(made["entry"])
    with served(tmp_path, AUTH="api_keys", API_KEYS="keys.toml") as server:
        headers = {"x-api-key": made["key"]}
        assert httpx2.get(f"{server.url}/v1/sessions", headers=headers).status_code == 200
        refused = httpx2.post(f"{server.url}/v1/sessions", headers=headers, json={})
        assert refused.status_code == 403
        wrong = {"x-api-key": made["key"][:-1] + "?"}
        assert httpx2.get(f"{server.url}/v1/sessions", headers=wrong).status_code == 401


def test_sessions_of_callers_who_are_there_at_a_shutdown_are_paused_for_another_worker(
    tmp_path: Path,
) -> None:
    with (
        served(tmp_path) as server,
        connect(f"{server.ws}/v1/audio/transcriptions/stream?user_id=ada") as stream,
    ):
        session_id = json.loads(stream.recv(timeout=20))["session_id"]
        stream.send(SILENCE)
        server.process.send_signal(signal.SIGTERM)
        with pytest.raises(ConnectionClosedError) as closed:
            for _ in stream:
                pass
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1012
    assert anyio.run(_pause_reasons, f"sqlite:///{tmp_path}/voicesession.db", session_id) == {
        "shutdown"
    }


async def _pause_reasons(store: str, session_id: str) -> set[str]:
    async with voicesession.open(store) as voice:
        return {str(reason) for reason in (await voice.get(session_id)).pause_reasons}


def test_without_accounts_nobody_but_this_machine_is_served(command: Command) -> None:
    ran = command("serve", "--host", "0.0.0.0")  # noqa: S104  # it is refused
    assert ran.code == 2
    assert "VOICESESSION_AUTH" in ran.stderr


def test_a_port_that_is_taken_is_one_line(command: Command) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ran = command("serve", "--port", port)
    assert ran.code == 2
    assert ran.stderr.strip().endswith(f"127.0.0.1:{port}: Address already in use")


def test_a_setting_that_may_not_be_is_told_before_anything_listens(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIVEKIT_URL", "wss://rooms.example")
    ran = command("serve", "--port", 0)
    assert ran.code == 2
    assert "LIVEKIT_API_KEY" in ran.stderr
    assert not list(Path().iterdir())
