"""Looking at a store from the command line, and removing from it."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest
from tests.cli.stage import Command

import voicesession
from voicesession import Speaker, Track, Utterance
from voicesession.core.utterance import UtteranceId
from voicesession.runtime.clock import SteppedClock

STORE = "sqlite:///voice.db"
START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def store(command: Command) -> Path:
    """Three sessions in the present folder, a minute apart: two are over, one goes on."""
    anyio.run(_fill)
    assert command("sessions", "list", "--store", STORE).code == 0
    return Path("voice.db")


async def _fill() -> None:
    clock = SteppedClock(START)
    async with voicesession.open(STORE, recordings="kept", clock=clock) as voice:
        await voice.create(
            session_id="one", user_id="ada", store_audio=True, store_transcript=True, key_hash="k"
        )
        async with voice.attach("one") as call:
            await call.live()
            call.audio(Track.USER, bytes(32_000))
            await call.final(
                Utterance(
                    id=UtteranceId("utt_1"),
                    speaker=Speaker.USER,
                    text="Grüße von [Ada]",
                    start_us=200_000,
                    end_us=900_000,
                )
            )
            await call.end()
        clock.advance(60_000_000)
        await voice.create(session_id="two", user_id="bob", metadata={"room": 7})
        await voice.end("two", reason="cancelled")
        clock.advance(60_000_000)
        await voice.create(session_id="three", user_id="ada")
        await voice.for_tenant("acme").create(session_id="theirs")


async def _create_active() -> None:
    async with voicesession.open(STORE) as voice:
        await voice.create(session_id="now")


def listed(command: Command, *arguments: object) -> list[str]:
    document = command("sessions", "list", "--store", STORE, "--json", *arguments).document
    return [session["id"] for session in document["sessions"]]


@pytest.mark.usefixtures("store")
def test_a_list_shows_the_newest_first_and_only_the_tenants_own(command: Command) -> None:
    assert listed(command) == ["three", "two", "one"]
    assert listed(command, "--tenant", "acme") == ["theirs"]


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    ("filters", "ids"),
    [
        (("--status", "completed"), ["two", "one"]),
        (("--state", "CONNECTING"), ["three"]),
        (("--user", "ada"), ["three", "one"]),
        (("--user", "ada", "--status", "completed"), ["one"]),
        (("--limit", 2), ["three", "two"]),
    ],
)
def test_filters_must_all_hold(command: Command, filters: Any, ids: list[str]) -> None:
    assert listed(command, *filters) == ids


@pytest.mark.usefixtures("store")
def test_a_cursor_leads_to_the_next_page_and_the_last_page_has_none(command: Command) -> None:
    ask = ("sessions", "list", "--store", STORE, "--limit", 2)
    first = command(*ask, "--json").document["pagination"]
    assert (first["limit"], first["has_more"]) == (2, True)
    assert f"more: --cursor {first['next_cursor']}" in command(*ask).stdout
    second = command(*ask, "--json", "--cursor", first["next_cursor"]).document
    assert [session["id"] for session in second["sessions"]] == ["one"]
    assert second["pagination"] == {"limit": 2, "next_cursor": None, "has_more": False}


@pytest.mark.usefixtures("store")
def test_people_see_a_row_for_each_session(command: Command) -> None:
    rows = command("sessions", "list", "--store", STORE).stdout.splitlines()
    assert [row.split()[0] for row in rows] == ["three", "two", "one"]
    for word in ("ENDED", "completed", "2026-01-01 00:00:00Z", "1.00 s", "3 words", "ada"):
        assert word in rows[-1]
    assert command("sessions", "list", "--store", STORE, "--user", "eve").stdout == "no sessions\n"


@pytest.mark.usefixtures("store")
def test_a_session_is_shown_with_its_words(command: Command) -> None:
    document = command("sessions", "get", "one", "--store", STORE, "--json").document
    session, transcript = document["session"], document["transcript"]
    assert (session["id"], session["status"], session["end_reason"]) == (
        *("one", "completed", "completed"),
    )
    assert session["audio_duration_seconds"] == 1.0
    assert session["pause_reasons"] == []
    assert datetime.fromisoformat(session["created_at"]) - START < timedelta(seconds=1)
    assert [utterance["text"] for utterance in transcript["utterances"]] == ["Grüße von [Ada]"]
    shown = command("sessions", "get", "one", "--store", STORE).stdout
    assert "00:00.20  user  Grüße von [Ada]" in shown
    assert re.search(r"^audio_uri +file://", shown, re.MULTILINE)
    assert re.search(r"^audio_duration_seconds +1 s$", shown, re.MULTILINE)


@pytest.mark.usefixtures("store")
def test_a_record_has_the_hosts_metadata_and_no_secret(command: Command) -> None:
    two = command("sessions", "get", "two", "--store", STORE, "--json").document["session"]
    assert two["metadata"] == {"room": 7}
    one = command("sessions", "get", "one", "--store", STORE, "--json").document["session"]
    assert not {"key_hash", "client_ip", "metadata_json"} & set(one)


@pytest.mark.usefixtures("store")
def test_the_store_may_be_named_in_the_environment(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOICESESSION_STORE", STORE)
    assert command("sessions", "list").code == 0


# --- delete ----------------------------------------------------------------------------------


@pytest.mark.usefixtures("store")
def test_a_deleted_session_is_gone_with_its_files(command: Command, tmp_path: Path) -> None:
    assert list(tmp_path.rglob("audio.wav"))
    ran = command("sessions", "delete", "one", "--store", STORE, "--yes")
    assert (ran.code, ran.stdout) == (0, "deleted one\n")
    assert "one" not in listed(command)
    assert not list(tmp_path.rglob("audio.wav"))
    assert not list(tmp_path.rglob("transcript.json"))


@pytest.mark.usefixtures("store")
def test_a_deletion_is_asked_for_first(command: Command) -> None:
    ask = ("sessions", "delete", "two", "--store", STORE)
    refused = command(*ask, answer="n\n")
    assert refused.code == 1
    assert "Delete two (completed)?" in refused.stderr
    assert "two" in listed(command)
    assert command(*ask, answer="y\n").code == 0
    assert "two" not in listed(command)


def test_an_active_session_is_only_deleted_if_it_may_be_ended(command: Command) -> None:
    anyio.run(_create_active)
    ask = ("sessions", "delete", "now", "--store", STORE, "--yes")
    refused = command(*ask)
    assert (refused.code, refused.stdout) == (1, "")
    assert "end" in refused.complaint
    assert command(*ask, "--end", "--json").document == {"deleted": True, "session_id": "now"}


@pytest.mark.usefixtures("store")
def test_another_tenants_session_is_not_there(command: Command) -> None:
    for verb in (("get",), ("delete", "--yes")):
        ran = command("sessions", verb[0], "theirs", "--store", STORE, *verb[1:])
        assert (ran.code, ran.stdout) == (1, "")
        assert ran.complaint == "voicesession: there is no session theirs"


# --- refused ---------------------------------------------------------------------------------


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--state", "ASLEEP"), "ASLEEP"),
        (("--status", "fine"), "fine"),
        (("--limit", 0), "limit"),
        (("--cursor", "nonsense"), "cursor"),
        (("--tenant", "no tenant"), "tenant_id"),
    ],
)
def test_a_filter_that_cannot_be_is_refused(
    command: Command, arguments: Any, complaint: str
) -> None:
    ran = command("sessions", "list", "--store", STORE, *arguments)
    assert (ran.code, ran.stdout) == (2, "")
    assert complaint in ran.complaint


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("ftp://somewhere/secret", "ftp://…"),
        ("voice.db", "no URL"),
        ("sqlite://", "sqlite:///file.db"),
        ("sqlite:///missing.db", "missing.db: there is no such store"),
    ],
)
def test_a_store_that_there_is_not_is_refused_and_not_made(
    command: Command, tmp_path: Path, url: str, complaint: str
) -> None:
    ran = command("sessions", "list", "--store", url)
    assert (ran.code, ran.stdout) == (2, "")
    assert complaint in ran.complaint
    assert "secret" not in ran.complaint
    assert list(tmp_path.iterdir()) == []


def test_a_store_must_be_named(command: Command) -> None:
    ran = command("sessions", "list")
    assert ran.code == 2
    assert "VOICESESSION_STORE" in ran.stderr


def test_a_file_that_is_no_database_is_refused_and_left_alone(
    command: Command, tmp_path: Path
) -> None:
    (tmp_path / "notes.db").write_text("Dear diary, this is not a database at all. " * 99)
    ran = command("sessions", "list", "--store", "sqlite:///notes.db")
    assert (ran.code, ran.stdout) == (1, "")
    assert ran.complaint.startswith("voicesession: ")
    assert (tmp_path / "notes.db").read_text().startswith("Dear diary")


def test_the_memory_of_another_process_is_empty(command: Command) -> None:
    assert command("sessions", "list", "--store", "memory://").stdout == "no sessions\n"
