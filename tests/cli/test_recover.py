"""``voicesession recover``: after a crash, as people call it."""

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from io import FileIO
from pathlib import Path

import pytest
from tests.cli.stage import Command, process

WORKER = Path(__file__).parents[1] / "runtime" / "doomed_worker.py"
OPTIONS = ("--store", "sqlite:///voice.db", "--recordings", "kept", "--grace", "0")


@pytest.fixture
def orphan(command: Command) -> Iterator[str]:
    """A session in the present folder whose worker was killed, and whose lease has lapsed."""
    arguments = [sys.executable, str(WORKER), "sqlite:///voice.db", "kept", "1", "3.0"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None
        session_id = worker.stdout.readline().strip()
        assert worker.stdout.readline().strip() == "ready"
        worker.send_signal(signal.SIGKILL)
        worker.wait()
        yield session_id


def contents() -> dict[Path, bytes]:
    """Of every recording in the present folder, half made or whole."""
    return {path: path.read_bytes() for path in Path("kept").rglob("*") if path.is_file()}


def test_a_killed_workers_session_is_whole_after_one_call(command: Command, orphan: str) -> None:
    planned: dict[str, object] = {"sessions": []}
    before = contents()
    while not planned["sessions"]:  # until its lease has lapsed
        planned = command("recover", *OPTIONS, "--dry-run", "--json").document
    assert contents() == before
    done = command("recover", *OPTIONS, "--json").document
    assert (planned.pop("dry_run"), done.pop("dry_run")) == (True, False)
    (finished,) = done["recordings"]
    assert finished.pop("detail").endswith(f"/sessions/{orphan}/audio.wav")
    assert planned["recordings"] == [finished | {"detail": None}]
    assert (finished["session_id"], finished["fate"]) == (orphan, "finished")
    assert planned["sessions"] == done["sessions"] == [{"session_id": orphan, "fate": "ended"}]
    assert planned["swept"] == done["swept"] == []

    shown = command("sessions", "get", orphan, "--store", OPTIONS[1], "--json").document
    assert shown["session"]["status"] == "interrupted"
    assert shown["session"]["audio_uri"].endswith(f"/sessions/{orphan}/audio.wav")
    assert (Path("kept") / "sessions" / orphan / "transcript.json").is_file()

    again = command("recover", *OPTIONS)
    assert (again.code, again.stdout) == (0, "sessions: none; recordings: none; swept: none\n")


def test_what_would_be_done_is_told_line_by_line(command: Command, orphan: str) -> None:
    session, *_ = lines = [""]
    while not session.startswith("session "):  # until its lease has lapsed
        session, *_ = lines = command("recover", *OPTIONS, "--dry-run").stdout.splitlines()
    _, recording, last = lines
    assert session.split() == ["session", orphan, "ended"]
    assert recording.split()[:3] == ["recording", orphan, "finished"]
    told = "sessions: 1 ended; recordings: 1 finished; swept: none (nothing was done)"
    assert last == told


def test_on_a_terminal_a_bar_shows_how_far_it_is_and_goes(orphan: str) -> None:
    terminal, its_end = pty.openpty()
    with (
        os.fdopen(terminal, "rb", buffering=0) as screen,
        subprocess.Popen(
            process("recover", *OPTIONS),
            stdout=subprocess.PIPE,
            stderr=its_end,
            env=os.environ | {"TERM": "xterm", "COLUMNS": "80"},
        ) as recover,
    ):
        os.close(its_end)
        shown = all_of(screen)
        assert recover.stdout is not None
        told = recover.stdout.read().decode()
    assert recover.returncode == 0
    assert "recordings" in shown
    assert "100%" in shown
    assert shown.endswith("\x1b[2K")
    assert told.endswith("swept: none\n")


def test_where_nobody_watches_there_is_no_bar(command: Command, orphan: str) -> None:
    assert command("recover", *OPTIONS).stderr == ""


def all_of(screen: FileIO) -> str:
    """What a terminal was shown until its last writer has closed it."""
    shown = b""
    with suppress(OSError):  # Linux says so where others say that this is the end
        while more := screen.read(4_096):
            shown += more
    return shown.decode()


def test_a_store_that_is_not_there_is_not_made(command: Command) -> None:
    ran = command("recover", "--store", "sqlite:///nowhere.db")
    assert (ran.code, ran.complaint) == (2, "voicesession: nowhere.db: there is no such store")
    assert not Path("nowhere.db").exists()
