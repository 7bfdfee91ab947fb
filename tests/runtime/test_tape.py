"""One axis of time for both voices, and a recording that follows it."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from voicesession.core.audio import AudioFormat
from voicesession.core.timeline import Span, Track
from voicesession.core.wav import parse_wav_header
from voicesession.recording.file import FileObjectStore
from voicesession.recording.recorder import SpoolRecorder
from voicesession.runtime.record import Running
from voicesession.runtime.tape import Tape

RATE = 16_000
FORMAT = AudioFormat(sample_rate=RATE)
PIECE = 640


def a_tape(recorder: SpoolRecorder | None = None, *, audio_duration_us: int = 0) -> Tape:
    return Tape("s1", FORMAT, Running(audio_duration_us=audio_duration_us), recorder)


def holds(folder: Path, audio: bytes) -> bool:
    return any(audio in path.read_bytes() for path in folder.rglob("*") if path.is_file())


@pytest.fixture
async def recorder(tmp_path: Path) -> AsyncGenerator[SpoolRecorder]:
    recorder = SpoolRecorder(tmp_path / ".spool", FileObjectStore(tmp_path))
    yield recorder
    await recorder.aclose()


@given(st.lists(st.integers(0, 2_000), max_size=20), st.sampled_from([8_000, 11_025, 44_100]))
def test_time_is_that_of_all_samples_together_however_they_came(
    pieces: list[int], rate: int
) -> None:
    audio_format = AudioFormat(sample_rate=rate)
    tape = Tape("s1", audio_format, Running(), None)
    for frames in pieces:
        tape.user(bytes(2 * frames))
    assert tape.now_us == audio_format.duration_us(2 * sum(pieces))


def test_a_tape_goes_on_where_the_session_stood() -> None:
    tape = a_tape(audio_duration_us=5_000_000)
    tape.user(bytes(32_000))
    assert tape.now_us == 6_000_000


async def test_both_voices_lie_where_they_were_heard(
    recorder: SpoolRecorder, tmp_path: Path
) -> None:
    tape = a_tape(recorder)
    tape.record()
    for number in range(100):
        tape.user(bytes([1, 0]) * (PIECE // 2))
        if 25 <= number < 75:
            tape.agent(bytes([2, 0]) * (PIECE // 2))
    recorded = await tape.finish()
    assert recorded is not None
    assert recorded.tracks == (Track.USER, Track.AGENT)
    content = (tmp_path / "sessions" / "s1" / "audio.wav").read_bytes()
    info = parse_wav_header(content)
    assert info.duration_us == 2_000_000
    agent = content[-info.frames * 4 :][2::4]
    first, last = agent.index(2), agent.rindex(2)
    # A piece is played while the next one of the caller is under way.
    assert abs(first - 26 * 320) <= 320
    assert last - first + 1 == 50 * 320
    assert agent[first : last + 1] == bytes([2]) * (50 * 320)


async def test_what_another_worker_left_behind_is_gone_on_with(recorder: SpoolRecorder) -> None:
    first = a_tape(recorder)
    first.record()
    first.user(bytes([1, 0]) * RATE)
    first.release()
    # It died before it could count in the store: the spool knows better.
    second = a_tape(recorder, audio_duration_us=400_000)
    second.record()
    assert second.now_us == 1_000_000
    second.user(bytes([1, 0]) * RATE)
    recorded = await second.finish()
    assert recorded is not None
    assert recorded.duration_us == 2_000_000
    assert recorded.gaps == ()


async def test_purged_audio_is_nowhere(recorder: SpoolRecorder, tmp_path: Path) -> None:
    tape = a_tape(recorder)
    tape.record()
    tape.user(bytes([7, 0]) * RATE)
    await tape.purge()
    tape.user(bytes([7, 0]) * RATE)
    assert await tape.finish() is None
    await recorder.aclose()
    assert not holds(tmp_path, b"\7\0\7\0")
    assert tape.now_us == 2_000_000


async def test_purging_takes_what_an_owner_before_has_left(
    recorder: SpoolRecorder, tmp_path: Path
) -> None:
    former = a_tape(recorder)
    former.record()
    former.user(bytes([7, 0]) * RATE)
    former.release()
    await a_tape(recorder).purge()
    assert not holds(tmp_path, b"\7\0\7\0")


async def test_a_pause_of_the_recording_is_cut_and_a_mask_is_silent(
    recorder: SpoolRecorder, tmp_path: Path
) -> None:
    tape = a_tape(recorder)
    tape.pause_recording()
    tape.record()
    for number in range(50):
        if number == 10:
            tape.pause_recording()
        if number == 20:
            tape.resume_recording()
        tape.user(bytes([7, 0]) * (PIECE // 2))
    tape.mask(600_000, 700_000)
    assert tape.problems == ()
    recorded = await tape.finish()
    tape.resume_recording()
    tape.mask(0, 1)
    assert (tape.problems, tape.now_us) == ((), 1_000_000)
    assert recorded is not None
    assert recorded.cuts == (Span(200_000, 400_000),)
    content = (tmp_path / "sessions" / "s1" / "audio.wav").read_bytes()[44:]
    audible, silent = bytes([7, 0]) * RATE, bytes(2 * RATE)
    assert content == audible[:12_800] + silent[:3_200] + audible[:9_600]
