"""``voicesession sessions --server``: a server's sessions from the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeAlias

import anyio
import pytest
from tests.client.stage import House
from typer.testing import CliRunner, Result

from voicesession.cli.app import app

Command: TypeAlias = Callable[..., Result]


def run(url: str, *arguments: str, token: str | None = "ada") -> Result:  # noqa: S107
    environment = {"VOICESESSION_TOKEN": token, "VOICESESSION_STORE": None}
    return CliRunner().invoke(app, ["sessions", *arguments, "--server", url], env=environment)


async def at(house: House, *arguments: str, token: str | None = "ada") -> Result:  # noqa: S107
    """Run a command in a thread: it has an event loop of its own."""
    return await anyio.to_thread.run_sync(partial(run, house.url, *arguments, token=token))


async def test_sessions_of_a_server_are_listed_page_by_page(house: House) -> None:
    made = [await house.finished_session() for _ in range(3)]
    first = await at(house, "list", "--limit", "2")
    assert [line.split()[0] for line in first.stdout.splitlines()[:2]] == made[:0:-1]
    assert "ada" in first.stdout
    cursor = first.stdout.split("--cursor ")[1].strip()
    rest = json.loads((await at(house, "list", "--json", "--cursor", cursor)).stdout)
    assert [session["id"] for session in rest["sessions"]] == made[:1]
    none = await at(house, "list", "--state", "LIVE")
    assert (none.exit_code, none.stdout) == (0, "no sessions\n")


async def test_a_session_of_a_server_is_shown_with_its_words_and_deleted(house: House) -> None:
    session_id = await house.finished_session()
    shown = await at(house, "get", session_id)
    assert "00:00.00  user  the treasure lies under the oak" in shown.stdout
    document = json.loads((await at(house, "get", session_id, "--json")).stdout)
    assert document["session"]["id"] == document["transcript"]["session_id"] == session_id
    wordless = await house.finished_session(store_transcript=False)
    assert json.loads((await at(house, "get", wordless, "--json")).stdout)["transcript"] is None
    deleted = await at(house, "delete", session_id, "--yes")
    assert deleted.stdout == f"deleted {session_id}\n"
    gone = await at(house, "get", session_id)
    assert (gone.exit_code, gone.stderr) == (1, f"voicesession: there is no session {session_id}\n")


async def test_a_session_of_a_server_is_taken_along_and_gone_through_again(
    house: House, tmp_path: Path
) -> None:
    session_id, folder = await house.finished_session(), tmp_path / "taken"
    ran = await at(house, "export", session_id, "--out", str(folder))
    assert ran.exit_code == 0, ran.stderr
    assert sorted(file.name for file in folder.iterdir()) == [
        *("audio.wav", "events.jsonl", "session.json", "transcript.json")
    ]
    record = json.loads((folder / "session.json").read_text())
    seqs = [json.loads(line)["seq"] for line in (folder / "events.jsonl").read_text().splitlines()]
    assert (record["id"], seqs) == (session_id, [*range(1, record["seq"] + 1)])
    again = await at(house, "replay", session_id, "--json")
    assert [step["seq"] for step in json.loads(again.stdout)["steps"]] == seqs
    gone = await at(house, "export", "sess_x", "--out", str(tmp_path / "nothing"))
    assert (gone.exit_code, (tmp_path / "nothing").exists()) == (1, False)


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        (("list", "--state", "ASLEEP"), 2, "state"),
        (("list", "--limit", "0"), 2, "limit"),
        (("list", "--tenant", "evil"), 1, "nothing of that tenant"),
        (("get", "no id"), 2, "session_id"),
    ],
)
async def test_what_cannot_be_is_refused(
    house: House, arguments: tuple[str, ...], code: int, complaint: str
) -> None:
    ran = await at(house, *arguments)
    assert (ran.exit_code, ran.stdout) == (code, "")
    assert complaint in ran.stderr


async def test_a_token_is_never_shown(house: House) -> None:
    ran = await at(house, "list", token="a-hush-token")  # noqa: S106
    assert ran.exit_code == 1
    debug = await at(house, "list", "--debug", token="a-hush-token")  # noqa: S106
    told = await at(house, "list", "--help", token="a-hush-token")  # noqa: S106
    for one in (ran, debug, told):
        assert "hush" not in one.output
    assert "VOICESESSION_TOKEN" in told.stdout


def test_a_server_that_is_none_is_refused() -> None:
    ran = run("voice.example", "list")
    assert (ran.exit_code, ran.stdout) == (2, "")
    assert "url" in ran.stderr
