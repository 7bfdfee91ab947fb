"""A caller on the phone, in time that is turned by hand: the test speaks, and listens."""

from __future__ import annotations

from typing import Final

from anyio.lowlevel import checkpoint

from ..runtime.clock import SteppedClock
from ..runtime.live import VoiceSession
from ..runtime.playout import AgentAudio
from .scripted import Lexicon

__all__ = ("Phone",)

STEP_US: Final = 20_000


class Phone:
    """Both ends of the audio of one call, 20 ms at a time.

    Each step gives the session so much of the caller, lets every engine answer, plays what
    is due, and moves the clock on: so a test takes milliseconds and always comes out
    the same.

    Attributes:
        heard: What was played to the caller so far, in order.

    Args:
        turns: How many turns of the event loop the engines get in each step. None waits
            until all have answered, which one that itself waits for the clock never does.
    """

    def __init__(
        self,
        call: VoiceSession,
        clock: SteppedClock,
        lexicon: Lexicon,
        *,
        turns: int | None = None,
    ) -> None:
        self._call = call
        self._clock = clock
        self._lexicon = lexicon
        self._turns = turns
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

    async def wait(self, duration_us: int, *, step_us: int = STEP_US) -> None:
        """Be silent, and listen; nothing is heard where the steps are large."""
        await self.send(self._lexicon.silence(duration_us), step_us=step_us)

    async def send(self, pcm: bytes, *, step_us: int = STEP_US) -> None:
        """Send any audio. It stops where the call does."""
        size = self._lexicon.format.bytes_at(step_us)
        for start in range(0, len(pcm), size):
            if self._call.is_over:
                return
            await self._call.process_audio(pcm[start : start + size])
            await self._let_engines_work()
            for piece in self._call.take_audio():
                self.heard.append(piece)
                self._call.played(piece)
            await self._let_engines_work()
            self._clock.advance(step_us)

    async def _let_engines_work(self) -> None:
        if self._turns is None:
            await self._call.settled()
            return
        for _ in range(self._turns):
            await checkpoint()
