"""``voicesession recover``: after a crash, as people call it."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.stage import Command

WORKER = Path(__file__).parents[1] / "runtime" / "doomed_worker.py"
OPTIONS = ("--store", "sqlite:///voice.db", "--recordings", "kept", "--grace", "0")


@pytest.fixture
def orphan(command: Command) -> Iterator[str]:
    """A session in the present folder whose worker was killed, and whose lease has lapsed."""
    arguments = [sys.executable, str(WORKER), "sqlite:///voice.db", "kept", "1", "1.0"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None
        session_id = worker.stdout.readline().strip()
        assert worker.stdout.readline().strip() == "ready"
        worker.send_signal(signal.SIGKILL)
        worker.wait()
        yield session_id


def test_a_killed_workers_session_is_whole_after_one_call(command: Command, orphan: str) -> None:
    planned = command("recover", *OPTIONS, "--dry-run", "--json").document
    assert [one["fate"] for one in planned["recordings"]] == ["spared"]
    assert (planned["dry_run"], planned["sessions"]) == (True, [])

    done: dict[str, object] = {"sessions": []}
    while not done["sessions"]:  # until its lease has lapsed
        done = command("recover", *OPTIONS, "--json").document
    assert done["sessions"] == [orphan]

    shown = command("sessions", "get", orphan, "--store", OPTIONS[1], "--json").document
    assert shown["session"]["status"] == "interrupted"
    assert shown["session"]["audio_uri"].endswith(f"/sessions/{orphan}/audio.wav")
    assert (Path("kept") / "sessions" / orphan / "transcript.json").is_file()

    again = command("recover", *OPTIONS)
    assert (again.code, again.stdout) == (0, "sessions looked after: 0; recordings: none\n")


def test_what_would_be_done_is_told_line_by_line(command: Command, orphan: str) -> None:
    planned = command("recover", *OPTIONS, "--dry-run")
    first, last = planned.stdout.splitlines()
    assert first.split()[:2] == [orphan, "spared"]
    assert last == "recordings: 1 spared (nothing was done)"


def test_a_store_that_is_not_there_is_not_made(command: Command) -> None:
    ran = command("recover", "--store", "sqlite:///nowhere.db")
    assert (ran.code, ran.complaint) == (2, "voicesession: nowhere.db: there is no such store")
    assert not Path("nowhere.db").exists()
