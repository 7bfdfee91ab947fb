"""A whole conversation with real engines, and what is left of it."""

import json
import re
import sqlite3
import wave
from pathlib import Path
from typing import Any

import pytest
from tests.cli.stage import Command, Performed

from voicesession.cli.agent import STORY
from voicesession.cli.caller import SCRIPT
from voicesession.core.journal import decode, encode, replay
from voicesession.core.transcript import parse_transcript
from voicesession.ports.storage import EVERYTHING, SessionQuery
from voicesession.stores.sql import SqliteStorage

pytestmark = pytest.mark.offline


@pytest.fixture
def outcome(performed: Performed) -> dict[str, Any]:
    assert performed.ran.code == 0, performed.ran.stderr
    return performed.ran.document


def test_the_outcome_is_one_line_and_has_every_field(
    performed: Performed, outcome: dict[str, Any]
) -> None:
    assert len(performed.ran.stdout.splitlines()) == 1
    assert set(outcome) == {
        *("session_id", "state", "status", "end_reason", "turns"),
        *("recording", "transcript", "duration_s", "cost"),
    }
    for turn in outcome["turns"]:
        assert set(turn) == {"heard", "generated", "spoken", "interrupted", "latency_ms"}


def test_what_runs_on_this_machine_costs_nothing_by_the_table(
    performed: Performed, outcome: dict[str, Any]
) -> None:
    cost = outcome["cost"]
    assert (cost["amount"], cost["currency"], cost["unpriced"]) == ("0.000000", "USD", 0)
    assert cost["used"]["audio_us"] == pytest.approx(outcome["duration_s"] * 1e6, abs=20_000)
    assert cost["used"]["tts_characters"] > 100
    assert "0.0000 USD for" in performed.ran.stderr


def test_every_sentence_is_heard_as_it_was_said(outcome: dict[str, Any]) -> None:
    assert [turn["heard"] for turn in outcome["turns"]] == [line.text for line in SCRIPT]


def test_every_sentence_is_answered(outcome: dict[str, Any]) -> None:
    hello, time, duration, story, stop, goodbye = outcome["turns"]
    assert hello["spoken"].startswith("Hello.")
    assert re.fullmatch(r"It is \d\d:\d\d\.", time["spoken"])
    assert re.fullmatch(r"We have been talking for \d+ seconds\.", duration["spoken"])
    assert story["generated"].startswith(STORY[0])
    assert stop["spoken"] == "All right, I will stop here."
    assert goodbye["spoken"].startswith("Goodbye.")


def test_the_story_alone_is_interrupted_and_only_its_beginning_was_heard(
    outcome: dict[str, Any],
) -> None:
    assert [turn["interrupted"] for turn in outcome["turns"]] == [False] * 3 + [True] + [False] * 2
    story = outcome["turns"][3]
    assert story["generated"].startswith(story["spoken"])
    assert 20 < len(story["spoken"]) < len(story["generated"]) - 20
    # Whole words: the next character is where the next one begins.
    assert story["generated"][len(story["spoken"])] == " "


def test_every_answer_tells_how_long_the_caller_waited_for_it(outcome: dict[str, Any]) -> None:
    # At least as long as it takes to know that the turn is over.
    assert all(turn["latency_ms"] >= 500 for turn in outcome["turns"])


def test_the_goodbye_completes_the_session(outcome: dict[str, Any]) -> None:
    ended = (outcome["state"], outcome["status"], outcome["end_reason"])
    assert ended == ("ENDED", "completed", "completed")


def test_the_recording_is_a_wav_as_long_as_the_call_with_both_voices_in_it(
    performed: Performed, outcome: dict[str, Any]
) -> None:
    recording = Path(outcome["recording"])
    assert performed.out in recording.parents
    with wave.open(str(recording)) as file:
        duration_s = file.getnframes() / file.getframerate()
        assert file.getframerate() == 16_000
        assert file.getsampwidth() == 2
        audio = file.readframes(file.getnframes())
    assert duration_s == pytest.approx(outcome["duration_s"], abs=0.02)
    assert any(audio)


def test_the_transcript_has_the_words_of_both_as_they_were_heard(
    performed: Performed, outcome: dict[str, Any]
) -> None:
    path = Path(outcome["transcript"])
    assert performed.out in path.parents
    document = json.loads(path.read_text())
    assert {"session_id", "language", "duration", "text", "partial", "utterances"} <= set(document)
    assert document["session_id"] == outcome["session_id"]
    assert document["duration"] == pytest.approx(outcome["duration_s"], abs=0.02)
    transcript = parse_transcript(document).transcript
    by_speaker = {
        speaker: [u.text for u in transcript.utterances if u.speaker == speaker]
        for speaker in ("user", "agent")
    }
    assert by_speaker["user"] == [turn["heard"] for turn in outcome["turns"]]
    assert by_speaker["agent"] == [turn["spoken"] for turn in outcome["turns"]]
    ends = [u["end"] for u in document["utterances"]]
    assert max(ends) <= document["duration"]


def test_the_store_lists_the_session_as_completed(
    performed: Performed, outcome: dict[str, Any], command: Command
) -> None:
    ran = command("sessions", "list", "--store", performed.store_url)
    assert ran.code == 0
    (row,) = ran.stdout.splitlines()
    assert outcome["session_id"] in row
    assert " completed " in row


def test_nothing_but_the_results_lies_in_the_folder(
    performed: Performed, outcome: dict[str, Any]
) -> None:
    files = {
        path.relative_to(performed.out).as_posix()
        for path in performed.out.rglob("*")
        if path.is_file()
    }
    session = f"recordings/sessions/{outcome['session_id']}"
    assert files == {"voice.db", f"{session}/audio.wav", f"{session}/transcript.json"}
    with sqlite3.connect(performed.out / "voice.db") as database:
        assert database.execute("pragma integrity_check").fetchone() == ("ok",)


def test_the_timeline_tells_who_had_the_floor_and_what_was_said(performed: Performed) -> None:
    timeline = performed.ran.stderr
    for what in (
        *("LIVE", "ENDED, completed", "the agent has the floor", "the caller has the floor"),
        *("what time …", "barge-in", "not heard:", "falls silent to listen"),
        *(line.text for line in SCRIPT),
    ):
        assert what in timeline


async def test_its_journal_replays_to_the_session_that_was_stored(performed: Performed) -> None:
    store = SqliteStorage(performed.out / "voice.db")
    async with store:
        (session,) = (await store.sessions.find(SessionQuery(), EVERYTHING)).sessions
        journal = await store.sessions.journal(session.id, EVERYTHING)
    *_, replayed = replay(
        [decode(json.loads(json.dumps(encode(entry)))) for entry in journal],
        created_at=session.created_at,
    )
    for name in (
        "state",
        "status",
        "seq",
        "pauses",
        "end_reason",
        "started_at",
        "live_at",
        "ended_at",
        "state_since",
        "active_us",
        "utterance_count",
        "word_count",
        "message_count",
    ):
        assert getattr(replayed, name) == getattr(session, name), name
