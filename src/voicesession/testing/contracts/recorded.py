"""What the contract suites of a ``Recorder`` share: how to make one, and how to hear it."""

from __future__ import annotations

import io
import wave
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable
from struct import pack, unpack
from typing import Final
from urllib.parse import unquote

import pytest
from attrs import frozen

from ...core.audio import AudioFormat
from ...core.errors import RecordingFailed
from ...core.timeline import Track
from ...ports.objects import ObjectStore
from ...ports.recording import Recorded, Recorder, Recording

__all__ = ("FORMAT", "MS", "RATE_HZ", "RecorderSuite", "Wav", "steady")

RATE_HZ: Final = 16_000
FORMAT: Final = AudioFormat(sample_rate=RATE_HZ)
MS: Final = 1_000
"""Microseconds."""


def steady(level: int, milliseconds: int, *, rate_hz: int = RATE_HZ) -> bytes:
    """s16 audio of one level: enough to tell what is where."""
    return pack("<h", level) * (milliseconds * rate_hz // 1000)


@frozen
class Wav:
    """A file, read by Python's own ``wave``: not by our code.

    Attributes:
        left: The samples of the caller.
        right: Those of the agent; None in a file of one channel.
    """

    rate_hz: int
    left: tuple[int, ...]
    right: tuple[int, ...] | None

    @classmethod
    def of(cls, content: bytes) -> Wav:
        """Read a WAV file of 16-bit samples."""
        with wave.open(io.BytesIO(content)) as reader:
            data = reader.readframes(reader.getnframes())
            assert reader.getsampwidth() == 2
            assert len(data) == len(content) - 44
            samples = unpack(f"<{len(data) // 2}h", data)
            if reader.getnchannels() == 1:
                return cls(reader.getframerate(), samples, None)
            return cls(reader.getframerate(), samples[0::2], samples[1::2])

    def levels(self, channel: tuple[int, ...] | None) -> list[tuple[int, int]]:
        """The channel as levels and how many milliseconds each lasts."""
        assert channel is not None
        runs: list[tuple[int, int]] = []
        for sample in channel:
            if runs and runs[-1][0] == sample:
                runs[-1] = (sample, runs[-1][1] + 1)
            else:
                runs.append((sample, 1))
        return [(level, count * 1000 // self.rate_hz) for level, count in runs]


class RecorderSuite(ABC):
    """Subclass each suite, and give it ``objects``, where finished files go, and ``make``."""

    @pytest.fixture
    @abstractmethod
    def objects(self) -> ObjectStore: ...

    @abstractmethod
    def make(self, objects: ObjectStore) -> Recorder:
        """Return another recorder: of the same machine, as after a restart."""

    @pytest.fixture
    async def recorder(self, objects: ObjectStore) -> AsyncGenerator[Recorder]:
        recorder = self.make(objects)
        yield recorder
        await recorder.aclose()

    @staticmethod
    async def file(objects: ObjectStore, recorded: Recorded) -> Wav:
        """Read what was recorded, and see that the report on it is right."""
        (found,) = await objects.find(f"sessions/{recorded.session_id}/audio")
        assert unquote(recorded.uri).endswith(found.key)
        assert recorded.size_bytes == found.size_bytes
        wav = Wav.of(await objects.get(found.key))
        assert recorded.tracks == ((Track.USER,) if wav.right is None else tuple(Track))
        assert abs(len(wav.left) - recorded.duration_us * wav.rate_hz / 1_000_000) <= 1
        return wav

    @staticmethod
    async def is_closed(recording: Recording) -> None:
        """See that a recording takes nothing more."""
        attempts: tuple[Callable[[], None], ...] = (
            lambda: recording.write(Track.USER, 0, b"\0\0"),
            lambda: recording.pause(0),
            lambda: recording.resume(0),
            lambda: recording.mask(0, 1),
        )
        for attempt in attempts:
            with pytest.raises(RecordingFailed, match="closed"):
                attempt()
        with pytest.raises(RecordingFailed, match="closed"):
            await recording.close(0)
        recording.release()
