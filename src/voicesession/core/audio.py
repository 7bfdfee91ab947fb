"""What the bytes of audio mean. The only place that knows how many make a sample."""

from __future__ import annotations

from typing import Any, Final

from attrs import field, frozen

from .errors import InvalidValue
from .fields import Vocabulary, naming_fields

__all__ = ("AudioFormat", "Encoding", "is_channels", "is_rate")

MIN_RATE_HZ: Final = 8_000
MAX_RATE_HZ: Final = 48_000


class Encoding(Vocabulary):
    """How one sample is written; the values are the names on the wire."""

    PCM_S16LE = "pcm_s16le"
    PCM_F32LE = "pcm_f32le"
    MULAW = "mulaw"
    ALAW = "alaw"


_SAMPLE_BYTES: Final = {
    Encoding.PCM_S16LE: 2,
    Encoding.PCM_F32LE: 4,
    Encoding.MULAW: 1,
    Encoding.ALAW: 1,
}
_US_PER_S: Final = 1_000_000


def is_rate(_instance: object, attribute: Any, value: Any) -> None:
    """Attrs validator: sample frames a second, 8 000 to 48 000.

    Raises:
        InvalidValue: It is something else.
    """
    if type(value) is not int or not MIN_RATE_HZ <= value <= MAX_RATE_HZ:
        raise InvalidValue(attribute.name, value, f"{MIN_RATE_HZ} to {MAX_RATE_HZ} Hz")


def is_channels(_instance: object, attribute: Any, value: Any) -> None:
    """Attrs validator: one voice, or two of them interleaved.

    Raises:
        InvalidValue: It is something else.
    """
    if type(value) is not int or value not in (1, 2):
        raise InvalidValue(attribute.name, value, "1 or 2")


@frozen(field_transformer=naming_fields)
class AudioFormat:
    """How a stream of audio is written: bytes to time and back, exactly.

    Attributes:
        sample_rate: Sample frames a second, 8 000 to 48 000.
        channels: 1 or 2, interleaved.

    Raises:
        InvalidValue: There is no such encoding, rate or number of channels.
    """

    encoding: Encoding = field(default=Encoding.PCM_S16LE, converter=Encoding)
    sample_rate: int = field(default=16_000, validator=is_rate)
    channels: int = field(default=1, validator=is_channels)

    @property
    def plain(self) -> AudioFormat:
        """Signed 16-bit samples of one voice, as often: what everything but the way in takes."""
        is_plain = self.encoding is Encoding.PCM_S16LE and self.channels == 1
        return self if is_plain else AudioFormat(sample_rate=self.sample_rate)

    @property
    def frame_bytes(self) -> int:
        """Bytes of one sample frame: one sample of each channel."""
        return _SAMPLE_BYTES[self.encoding] * self.channels

    def frames_in(self, size_bytes: int) -> int:
        """Return the sample frames that *size_bytes* hold, leaving out a broken last one."""
        return size_bytes // self.frame_bytes

    def duration_us(self, size_bytes: int) -> int:
        """Return how long *size_bytes* last, rounded down to whole microseconds."""
        # In one expression, because it is asked for with every piece of audio.
        frames = size_bytes // (_SAMPLE_BYTES[self.encoding] * self.channels)
        return frames * _US_PER_S // self.sample_rate

    def time_of(self, frames: int) -> int:
        """Return how long *frames* last, rounded down to whole microseconds."""
        return frames * _US_PER_S // self.sample_rate

    def frames_at(self, at_us: int) -> int:
        """Return how many whole sample frames lie before *at_us*."""
        return at_us * self.sample_rate // _US_PER_S

    def bytes_at(self, at_us: int) -> int:
        """Return the byte offset of *at_us*, always on a sample frame."""
        return self.frames_at(at_us) * self.frame_bytes

    def nearest_frame(self, at_us: int) -> int:
        """Return the sample frame that begins nearest to *at_us*.

        It undoes the rounding of ``time_of``: ``nearest_frame(time_of(n)) == n``, where
        ``frames_at`` may be one short.
        """
        return (at_us * self.sample_rate + _US_PER_S // 2) // _US_PER_S

    def require_whole_frames(self, size_bytes: int) -> None:
        """Make sure that *size_bytes* end where a sample frame ends.

        Raises:
            InvalidValue: The last frame is broken.
        """
        if size_bytes % self.frame_bytes:
            raise InvalidValue("pcm", f"{size_bytes} bytes", f"frames of {self.frame_bytes} bytes")
