from __future__ import annotations

import pytest

from voicesession.core.audio import AudioFormat, Encoding
from voicesession.providers.pass_through import PassThroughNoiseSuppressor
from voicesession.testing.contracts.speech import NoiseSuppressorContract


class TestPassThroughNoiseSuppressor(NoiseSuppressorContract):
    @pytest.fixture
    def suppressor(self) -> PassThroughNoiseSuppressor:
        return PassThroughNoiseSuppressor()


def test_what_goes_in_comes_out_in_whole_sample_frames() -> None:
    stream = PassThroughNoiseSuppressor().open(AudioFormat(Encoding.PCM_S16LE, 16_000, 2))
    assert [stream.push(piece) for piece in (b"abcde", b"fg", b"hijk")] == [b"abcd", b"", b"efgh"]
    assert stream.finish() == b""
    assert stream.push(b"mnop") == b"mnop"
