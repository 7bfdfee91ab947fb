"""From frames to what a client wants. Sans-I/O; time is an argument."""

from __future__ import annotations

from typing import Final

from pydantic import ValidationError

from ...schemas.messages import CLIENT_MESSAGE, ClientMessage
from ...schemas.refusals import BadRequest, TooLarge
from ..parsing import refusal_of
from .options import SocketOptions

__all__ = ("Intake",)

_US_PER_S: Final = 1_000_000


class Intake:
    """Reads the frames of one connection, within their bounds.

    Its rate is a bucket of tokens, counted in the time that it takes to fill: it makes its
    caller wait, where a `RateLimiter` refuses.

    Args:
        now_us: On a clock that never runs backwards.
    """

    __slots__ = (
        "_empty_at_us",
        "_full_us",
        "_most_audio_bytes",
        "_most_text_bytes",
        "_us_per_frame",
    )

    def __init__(self, options: SocketOptions, now_us: int) -> None:
        self._most_audio_bytes = options.max_audio_bytes
        self._most_text_bytes = options.max_text_bytes
        self._us_per_frame = _US_PER_S // options.rate.per_second
        self._full_us = self._us_per_frame * options.rate.burst
        self._empty_at_us = now_us - self._full_us

    def read(self, frame: str | bytes) -> bytes | ClientMessage:
        """Return what came: audio as it is, or a message.

        Raises:
            TooLarge: It has more bytes than it may.
            BadRequest: It is no message, or none that a client may send.
        """
        if isinstance(frame, bytes):
            if len(frame) > self._most_audio_bytes:
                raise TooLarge(f"a piece of audio has at most {self._most_audio_bytes} bytes")
            return frame
        # A character is a byte at least; the exact count is only taken where it matters.
        most = self._most_text_bytes
        if len(frame) > most or len(frame.encode(errors="surrogatepass")) > most:
            raise TooLarge(f"a message has at most {most} bytes")
        return _message(frame)

    def wait_until_us(self, now_us: int) -> int | None:
        """Count one frame; return when to read the next one, if not at once."""
        empty_at_us = self._empty_at_us
        if now_us - empty_at_us > self._full_us:
            empty_at_us = now_us - self._full_us
        self._empty_at_us = empty_at_us = empty_at_us + self._us_per_frame
        return empty_at_us if empty_at_us > now_us else None


def _message(text: str) -> ClientMessage:
    try:
        return CLIENT_MESSAGE.validate_json(text)
    except UnicodeEncodeError:
        raise BadRequest("message", "text in UTF-8") from None
    except ValidationError as error:
        raise refusal_of(error, whole="message") from None
