"""A session that is taken along as a folder: whole, or not at all."""

import json
import wave
from pathlib import Path
from typing import Any

import anyio
import pytest
from tests.cli.stage import Command

import voicesession
from voicesession import Speaker, Track, Utterance
from voicesession.cli.exports import whole_folder
from voicesession.cli.failures import WrongUse
from voicesession.core.utterance import UtteranceId

STORE = "sqlite:///voice.db"
EXPORT = ("sessions", "export", "--store", STORE)


@pytest.fixture(autouse=True)
def _store(command: Command) -> None:
    """One session with everything, and one without words or audio, in the present folder."""
    anyio.run(_fill)


async def _fill() -> None:
    async with voicesession.open(STORE, recordings="kept") as voice:
        await voice.create(session_id="one", store_audio=True, store_transcript=True, key_hash="k")
        async with voice.attach("one") as call:
            await call.live()
            call.audio(Track.USER, bytes(32_000))
            for number in range(120):  # more than a page of the journal
                await call.final(_said(number))
            await call.end()
        await voice.create(session_id="two")


def _said(number: int) -> Utterance:
    return Utterance(
        id=UtteranceId(f"utt_{number}"),
        speaker=Speaker.USER,
        text="Grüße",
        start_us=number,
        end_us=number + 1,
    )


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def test_everything_that_is_kept_of_a_session_is_in_its_folder(command: Command) -> None:
    folder = Path("taken")
    ran = command(*EXPORT, "one", "--out", folder)
    names = ["audio.wav", "events.jsonl", "session.json", "transcript.json"]
    assert ran.stdout.splitlines() == [str(folder / name) for name in names]
    assert (record := read(folder / "session.json"))["id"] == "one"
    assert "key_hash" not in record
    words = read(folder / "transcript.json")
    assert (words["session_id"], len(words["utterances"])) == ("one", 120)
    lines = (folder / "events.jsonl").read_text().splitlines()
    assert [json.loads(line)["seq"] for line in lines] == [*range(1, record["seq"] + 1)]
    with wave.open(str(folder / "audio.wav")) as audio:
        assert audio.getnframes() == 16_000


def test_what_is_not_kept_is_no_file(command: Command) -> None:
    told = command(*EXPORT, "two", "--json").document
    names = ["events.jsonl", "session.json"]
    assert told == {
        "session_id": "two",
        "folder": "two",
        "files": [str(Path("two") / name) for name in names],
    }


def test_what_is_there_already_is_left_alone(command: Command, tmp_path: Path) -> None:
    (tmp_path / "one").write_text("mine")
    ran = command(*EXPORT, "one")
    assert (ran.code, ran.stdout) == (2, "")
    assert ran.complaint == "voicesession: one: this is there already"
    assert (tmp_path / "one").read_text() == "mine"


@pytest.mark.parametrize("session_id", ["three", "../one", ""])
def test_of_a_session_that_is_not_there_no_folder_is_left(
    command: Command, tmp_path: Path, session_id: str
) -> None:
    before = sorted(tmp_path.rglob("*"))
    ran = command(*EXPORT, session_id)
    assert ran.code in {1, 2}
    assert sorted(tmp_path.rglob("*")) == before


def test_a_folder_is_whole_or_not_there(tmp_path: Path) -> None:
    path = tmp_path / "folder"

    def broken_off() -> None:
        with whole_folder(path) as folder:
            (folder / "half").write_text("of it")
            assert not path.exists()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken_off()
    assert [file for file in tmp_path.iterdir() if "folder" in file.name] == []
    (path.parent / ".folder.part").mkdir()  # of one that was killed
    (path.parent / ".folder.part" / "old").write_text("leftover")
    with whole_folder(path) as folder:
        (folder / "all").write_text("of it")
    assert [file.name for file in path.iterdir()] == ["all"]
    for place in (path, tmp_path / "nowhere" / "folder"):
        with pytest.raises(WrongUse), whole_folder(place):
            pass
