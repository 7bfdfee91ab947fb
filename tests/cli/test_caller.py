"""When the callers of the demo speak, and when they give up."""

from itertools import cycle
from pathlib import Path

import pytest
from tests.cli.stage import write_wav

from voicesession.cli.caller import Cue, FileCaller, ScriptedCaller
from voicesession.cli.line import STEP_US
from voicesession.cli.wavfile import open_wav
from voicesession.core.audio import AudioFormat
from voicesession.core.states import TurnState

FORMAT = AudioFormat()
STEP_BYTES = FORMAT.bytes_at(STEP_US)
SILENCE = bytes(STEP_BYTES)
LISTENING, PROCESSING, SPEAKING = TurnState.LISTENING, TurnState.PROCESSING, TurnState.SPEAKING


def a_voice(loudness: int, steps: float) -> bytes:
    return loudness.to_bytes(2, "little") * int(steps * STEP_BYTES / 2)


def a_caller(*script: tuple[Cue, bytes]) -> ScriptedCaller:
    return ScriptedCaller(script, FORMAT, cycle([SILENCE]))


def spoken(caller: ScriptedCaller | FileCaller, turn: TurnState, seconds: float) -> bytes | None:
    """What is heard of *caller* in that time; None where they hang up."""
    heard: list[bytes] = []
    for _ in range(round(seconds * 1_000_000 / STEP_US)):
        piece = caller.speak(turn)
        if piece is None:
            return None
        heard.append(piece)
    return b"".join(heard)


def test_the_next_line_waits_for_an_answer_and_a_breath() -> None:
    caller = a_caller((Cue.ANSWER, a_voice(1, 5)), (Cue.ANSWER, a_voice(2, 5)))
    assert (spoken(caller, LISTENING, 2) or b"").count(b"\1\0") == 5 * STEP_BYTES // 2
    assert spoken(caller, PROCESSING, 20) == SILENCE * 1_000
    assert spoken(caller, SPEAKING, 2) == SILENCE * 100
    assert spoken(caller, LISTENING, 0.7) == SILENCE * 35
    assert b"\2\0" in (spoken(caller, LISTENING, 0.2) or b"")


def test_an_interruption_comes_while_the_agent_speaks() -> None:
    caller = a_caller((Cue.ANSWER, a_voice(1, 5)), (Cue.LISTENED_ENOUGH, a_voice(2, 5)))
    spoken(caller, LISTENING, 2)
    assert spoken(caller, SPEAKING, 3.9) == SILENCE * 195
    assert b"\2\0" in (spoken(caller, SPEAKING, 0.2) or b"")


def test_without_an_answer_the_caller_goes_on_after_a_while() -> None:
    caller = a_caller((Cue.ANSWER, a_voice(1, 5)), (Cue.ANSWER, a_voice(2, 5)))
    spoken(caller, LISTENING, 2)
    assert b"\2\0" in (spoken(caller, LISTENING, 8) or b"")


def test_a_caller_at_the_end_of_the_script_hangs_up_if_nobody_else_does() -> None:
    caller = a_caller((Cue.ANSWER, a_voice(1, 5)))
    assert spoken(caller, LISTENING, 8) is not None
    assert spoken(caller, PROCESSING, 60) is not None
    assert spoken(caller, LISTENING, 8.1) is None


def test_a_caller_without_a_script_hangs_up() -> None:
    assert spoken(a_caller(), LISTENING, 8.1) is None


def test_the_room_is_heard_under_the_voice_and_after_it_and_nothing_is_too_loud() -> None:
    noise = (100).to_bytes(2, "little") * (STEP_BYTES // 2)
    caller = ScriptedCaller([(Cue.ANSWER, a_voice(32_700, 1.5))], FORMAT, cycle([noise]))
    heard = spoken(caller, LISTENING, 1) or b""
    levels = {int.from_bytes(heard[at : at + 2], "little") for at in range(0, len(heard), 2)}
    assert levels == {100, 32_767}


def test_a_file_is_played_and_then_the_agent_is_heard_out(tmp_path: Path) -> None:
    audio = a_voice(7, 10.5)
    with open_wav(write_wav(tmp_path / "a.wav", audio)) as wav:
        caller = FileCaller(wav)
        # Whatever the agent does meanwhile: a recording does not wait.
        heard = spoken(caller, SPEAKING, 11 * STEP_US / 1_000_000)
        assert heard is not None
        assert heard.startswith(audio)
        assert spoken(caller, LISTENING, 2.9) is not None
        assert spoken(caller, SPEAKING, 60) is not None
        assert spoken(caller, LISTENING, 2.9) is not None
        assert spoken(caller, LISTENING, 0.2) is None


@pytest.mark.parametrize("seconds", [0.01, 0.5])
def test_a_file_of_any_length_ends(tmp_path: Path, seconds: float) -> None:
    path = write_wav(tmp_path / "a.wav", bytes(2 * int(seconds * 16_000)))
    with open_wav(path) as wav:
        assert spoken(FileCaller(wav), LISTENING, seconds + 3.1) is None
