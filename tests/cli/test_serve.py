"""A server of one's own, by one command: a real process, spoken to over real sockets."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import socket
import sqlite3
import subprocess
from collections.abc import Callable, Generator
from contextlib import closing, suppress
from pathlib import Path

import anyio
import httpx2
import pytest
from tests.cli.served import Served, served
from tests.cli.stage import Command
from tests.patience import PATIENCE_S
from websockets.exceptions import ConnectionClosed, ConnectionClosedError
from websockets.sync.client import connect

import voicesession

pytestmark = pytest.mark.offline

SECRET = "a secret that is long enough for HS256"  # noqa: S105  # of this test
SILENCE = bytes(640)
DOCS = Path(__file__).parents[2] / "docs"


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


def shown(page: Path, program: str) -> list[str]:
    """Return the lines of a page that call *program*, as they stand there."""
    return re.findall(rf"^(?:\$ )?({program} .+)$", page.read_text(), re.MULTILINE)


def run(line: str, server: Served, folder: Path, **variables: str) -> str:
    """Return what a line of the docs prints in a shell; only the port is another one."""
    line = line.replace("localhost:8000", f"localhost:{server.port}")
    line = line.replace("curl ", "curl -sSf ", 1)  # to see that it fails, if it does
    done = subprocess.run(  # our own page
        ["/bin/sh", "-c", line],
        cwd=folder,
        env=os.environ | variables,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout


def test_the_command_lines_that_people_know_run_as_they_stand(
    server: Served, tmp_path: Path
) -> None:
    page = DOCS / "reference" / "websocket.md"
    (wscat,) = shown(page, "wscat")
    _, connects, url = shlex.split(wscat)
    assert (connects, url.partition("8000")[0]) == ("-c", "ws://localhost:")
    with connect(url.replace(":8000", f":{server.port}")) as line:
        begin = json.loads(line.recv(timeout=PATIENCE_S))
        assert begin["type"] == "session.begin"
        for _ in range(50):
            line.send(SILENCE)
        line.send('{"type": "end"}')
        messages = [json.loads(message) for message in line if isinstance(message, str)]
    assert messages[-1]["type"] == "session.end"
    assert messages[-1]["status"] == "completed"
    listed, session, audio, transcript = (
        run(one, server, tmp_path, ID=begin["session_id"]) for one in shown(page, "curl")
    )
    assert begin["session_id"] in [one["id"] for one in json.loads(listed)["sessions"]]
    kept = json.loads(session)["session"]
    assert (kept["status"], kept["audio_duration_seconds"]) == ("completed", 1.0)
    assert audio == ""
    wav = tmp_path / "session.wav"
    assert wav.read_bytes()[:4] == b"RIFF"
    assert wav.stat().st_size == 44 + 50 * len(SILENCE)
    assert json.loads(transcript)["duration"] == 1.0


@pytest.mark.parametrize("page", [DOCS.parent / "README.md", DOCS / "how-to" / "fastapi.md"])
def test_a_session_is_created_by_the_line_that_the_pages_show(
    server: Served, tmp_path: Path, page: Path
) -> None:
    (line,) = shown(page, "curl")
    session = json.loads(run(line, server, tmp_path))["session"]
    assert (session["user_id"], session["state"]) == ("ada", "CONNECTING")


# --- what is beside the sessions -----------------------------------------------------------------


def test_a_page_to_talk_from_is_there_where_nobody_is_asked_who_they_are(server: Served) -> None:
    page = httpx2.get(f"{server.url}/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "'unsafe" not in page.headers["content-security-policy"]
    assert page.headers["content-security-policy"].startswith("default-src 'none'; ")
    parts = re.findall(r'(?:src|href)="(/[^"]+)"', page.text)
    assert len(parts) == 2
    for part in parts:
        answer = httpx2.get(f"{server.url}{part}")
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-cache")


def test_an_url_names_the_port_that_is_served_where_a_caller_does_not(server: Served) -> None:
    nameless = b"POST /v1/sessions HTTP/1.0\r\nContent-Length: 0\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_S) as connection:
        connection.sendall(nameless)
        with connection.makefile("rb") as answer:
            _, _, body = answer.read().partition(b"\r\n\r\n")
    url = json.loads(body)["session"]["websocket_url"]
    assert url.startswith(f"ws://localhost:{server.port}/v1/sessions/")


def test_what_is_measured_is_told_to_callers_of_this_machine(server: Served) -> None:
    with connect(f"{server.ws}/v1/audio/transcriptions/stream") as line:
        line.recv(timeout=PATIENCE_S)
        line.send('{"type": "end"}')
        for _ in line:
            pass
    told = httpx2.get(f"{server.url}/metrics")
    assert told.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    (ended,) = re.findall(r"^session_stopped_total\{.*completed.*\} (.+)$", told.text, re.MULTILINE)
    assert float(ended) >= 1


# --- who is let in ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Generator[Served]:
    folder = tmp_path_factory.mktemp("guarded")
    with served(folder, AUTH="jwt", JWT_SECRET=SECRET, METRICS="true") as running:
        yield running


@pytest.fixture
def bearer(command: Command, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, str]]:
    """Makes the header of somebody with a token."""
    monkeypatch.setenv("VOICESESSION_JWT_SECRET", SECRET)

    def header(user: str, *, scope: str) -> dict[str, str]:
        made = command("token", "--user", user, "--scope", scope, "--json").document
        return {"authorization": f"Bearer {made['token']}"}

    return header


def test_a_caller_with_a_token_comes_in_and_nobody_else(
    guarded: Served, bearer: Callable[..., dict[str, str]]
) -> None:
    sessions = f"{guarded.url}/v1/sessions"
    assert httpx2.get(sessions).status_code == 401
    assert httpx2.get(sessions, headers=bearer("ada", scope="read")).status_code == 200


def test_where_there_are_accounts_there_is_the_module_and_no_page(guarded: Served) -> None:
    module = httpx2.get(f"{guarded.url}/voicesession/voicesession.js")
    assert module.headers["content-type"] == "text/javascript; charset=utf-8"
    for of_a_page in ("/", "/voicesession/talk.js", "/voicesession/talk.css"):
        assert httpx2.get(f"{guarded.url}{of_a_page}").status_code == 404


def test_where_there_are_accounts_what_is_measured_is_for_administrators(
    guarded: Served, bearer: Callable[..., dict[str, str]]
) -> None:
    metrics = f"{guarded.url}/metrics"
    assert httpx2.get(metrics).status_code == 401
    assert httpx2.get(metrics, headers=bearer("ada", scope="write")).status_code == 403
    assert httpx2.get(metrics, headers=bearer("root", scope="admin")).status_code == 200


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


# --- what it prints ------------------------------------------------------------------------------


def test_a_full_run_prints_no_secret_no_word_and_no_full_id(
    tmp_path: Path, bearer: Callable[..., dict[str, str]]
) -> None:
    ada = bearer("ada", scope="admin")
    hidden = [SECRET, ada["authorization"].split()[1], "hunter2", "treasure", "guessed"]
    with served(tmp_path, AUTH="jwt", JWT_SECRET=SECRET) as server, httpx2.Client() as client:
        client.headers |= ada
        sessions = f"{server.url}/v1/sessions"
        wish = {"store_transcript": True, "metadata": {"a": "hunter2"}}
        session_id = client.post(sessions, json=wish).json()["session"]["id"]
        session = f"{sessions}/{session_id}"
        ticket = client.post(f"{session}/ticket").json()
        hidden += [session_id, ticket["ticket"], _talk(ticket["websocket_url"])]
        assert "treasure" in client.get(f"{session}/transcript").text
        guess = {"authorization": "Bearer guessed"}
        assert client.get(session, headers=guess).status_code == 401
        with connect(f"{ticket['websocket_url']}guessed") as line, suppress(ConnectionClosed):
            line.send("treasure")
            line.recv(timeout=PATIENCE_S)
        with closing(sqlite3.connect(tmp_path / "voicesession.db")) as database:
            database.execute("ALTER TABLE voice_sessions RENAME TO lost")
        assert client.get(session).status_code >= 500
    assert "get_session failed" in server.printed
    for secret in hidden:
        assert secret not in server.printed


def _talk(url: str) -> str:
    """Say something, have it answered, and end; return the token to come back with."""
    with connect(url) as line:
        token = json.loads(line.recv(timeout=PATIENCE_S))["resume_token"]
        line.send('{"type": "text", "text": "where is the treasure"}')
        kinds = (json.loads(one)["type"] for one in line if isinstance(one, str))
        assert "reply.begin" in kinds
        line.send('{"type": "end"}')
        assert "session.end" in kinds
    return str(token)


# --- how it ends -----------------------------------------------------------------------------------


def test_a_signal_is_obeyed_from_the_moment_it_says_that_it_listens(tmp_path: Path) -> None:
    with served(tmp_path):
        pass


def test_sessions_of_callers_who_are_there_at_a_shutdown_are_paused_for_another_worker(
    tmp_path: Path,
) -> None:
    with (
        served(tmp_path) as server,
        connect(f"{server.ws}/v1/audio/transcriptions/stream?user_id=ada") as stream,
    ):
        session_id = json.loads(stream.recv(timeout=PATIENCE_S))["session_id"]
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


# --- what it refuses -------------------------------------------------------------------------------


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
