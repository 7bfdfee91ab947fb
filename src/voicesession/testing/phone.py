"""A caller on the phone, in time that is turned by hand: the test speaks, and listens."""

from __future__ import annotations

from typing import Final

from ..runtime.clock import SteppedClock
from ..runtime.live import VoiceSession
from ..runtime.playout import AgentAudio
from .scripted import Lexicon

__all__ = ("Phone",)

STEP_US: Final = 20_000


class Phone:
    """Both ends of the audio of one call, 20 ms at a time.

    Each step gives the session 20 ms of the caller, lets every engine answer, plays what
    is due, and moves the clock on: so a test takes milliseconds and always comes out
    the same.

    Attributes:
        heard: What was played to the caller so far, in order.
    """

    def __init__(self, call: VoiceSession, clock: SteppedClock, lexicon: Lexicon) -> None:
        self._call = call
        self._clock = clock
        self._lexicon = lexicon
        self.heard: list[AgentAudio] = []

    @property
    def heard_words(self) -> list[str]:
        """The words that reached the caller's ear, as far as a whole piece of each did."""
        words: list[str] = []
        for piece in self.heard:
            word = self._lexicon.word(int.from_bytes(piece.pcm[:2], "little", signed=True))
            begins = piece.start_us % self._lexicon.word_us == 0
            if word is not None and begins:
                words.append(word)
        return words

    async def say(self, text: str) -> None:
        """Speak *text*."""
        await self.send(self._lexicon.speech(text))

    async def wait(self, duration_us: int) -> None:
        """Be silent, and listen."""
        await self.send(self._lexicon.silence(duration_us))

    async def send(self, pcm: bytes) -> None:
        """Send any audio. It stops where the call does."""
        size = self._lexicon.format.bytes_at(STEP_US)
        for start in range(0, len(pcm), size):
            if self._call.is_over:
                return
            await self._call.process_audio(pcm[start : start + size])
            await self._call.settled()
            for piece in self._call.take_audio():
                self.heard.append(piece)
                self._call.played(piece)
            await self._call.settled()
            self._clock.advance(STEP_US)
