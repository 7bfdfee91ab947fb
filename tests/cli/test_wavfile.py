"""Reading a caller from a WAV file."""

from array import array
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings, strategies as st
from tests.cli.stage import write_wav

from voicesession.cli.failures import WrongUse
from voicesession.cli.wavfile import open_wav

PIECE_US = 20_000


def read(path: Path) -> tuple[int, list[bytes]]:
    with open_wav(path) as wav:
        return wav.audio_format.sample_rate, list(wav.pieces(PIECE_US))


@pytest.mark.parametrize("rate", [8_000, 16_000])
def test_at_a_rate_that_engines_take_every_sample_arrives_as_it_is(
    tmp_path: Path, rate: int
) -> None:
    samples = Random(1).randbytes(2 * 1_234)
    got, pieces = read(write_wav(tmp_path / "a.wav", samples, rate=rate))
    assert (got, b"".join(pieces)) == (rate, samples)


@settings(deadline=None, max_examples=30)
@given(
    rate=st.sampled_from([8_000, 11_025, 22_050, 32_000, 44_100, 48_000]),
    channels=st.sampled_from([1, 2]),
    width=st.sampled_from([1, 2, 3]),
    frames=st.integers(1, 3_000),
)
def test_any_other_file_lasts_as_long_as_before(
    tmp_path_factory: pytest.TempPathFactory, rate: int, channels: int, width: int, frames: int
) -> None:
    path = tmp_path_factory.mktemp("wav") / "a.wav"
    samples = Random(2).randbytes(frames * channels * width)
    got, pieces = read(write_wav(path, samples, rate=rate, channels=channels, width=width))
    assert len(b"".join(pieces)) == 2 * -(-frames * got // rate)


def test_pieces_are_as_long_as_asked_for_on_average(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "a.wav", bytes(2 * 11_025), rate=11_025)
    _, pieces = read(path)
    # 11 025 Hz gives no whole number of samples in 20 ms.
    whole = [len(piece) for piece in pieces[1:-2]]
    assert all(abs(one - other) <= 4 for one, other in pairwise(whole))
    assert abs(sum(whole) / len(whole) - 640) < 2


def test_both_channels_are_mixed(tmp_path: Path) -> None:
    stereo = array("h", [1_000, 3_000] * 320).tobytes()
    _, pieces = read(write_wav(tmp_path / "a.wav", stereo, channels=2))
    assert b"".join(pieces) == array("h", [2_000] * 320).tobytes()


def test_a_folder_is_no_wav(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="Is a directory"), open_wav(tmp_path):
        pass


def test_what_cannot_be_mapped_is_refused() -> None:
    with pytest.raises(WrongUse, match="/dev/zero"), open_wav(Path("/dev/zero")):
        pass
