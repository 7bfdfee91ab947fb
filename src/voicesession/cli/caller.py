"""Who calls in the demo: somebody with a script, or a WAV file."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import aclosing
from enum import StrEnum
from itertools import cycle
from operator import add
from random import Random
from typing import Final

from attrs import frozen

from ..core.audio import AudioFormat
from ..core.resample import Resampler
from ..core.states import TurnState
from ..ports.speech import TextToSpeech
from .line import STEP_US
from .wavfile import WavFile

__all__ = ("SCRIPT", "Cue", "FileCaller", "ScriptLine", "ScriptedCaller", "rehearsed")

_AGENT_HAS_THE_FLOOR: Final = frozenset({TurnState.PROCESSING, TurnState.SPEAKING})
_NOISE_RMS: Final = 40.0
_NOISE_US: Final = 1_000_000


class Cue(StrEnum):
    """What the caller waits for before a line."""

    ANSWER = "the answer to the line before"
    LISTENED_ENOUGH = "hearing the agent for a while"


@frozen(kw_only=True)
class ScriptLine:
    """Something to say, and when."""

    text: str
    cue: Cue = Cue.ANSWER


SCRIPT: Final = (
    ScriptLine(text="hello"),
    ScriptLine(text="what time is it"),
    ScriptLine(text="how long have we been talking"),
    ScriptLine(text="tell me a long story"),
    ScriptLine(text="stop please that is enough", cue=Cue.LISTENED_ENOUGH),
    ScriptLine(text="goodbye"),
)
"""The demo's dialogue, in sentences of ``demo.jsgf``."""


class ScriptedCaller:
    """Says one line after the other, in a room that is never quite silent.

    They wait for an answer before they go on, interrupt where the script says so, and give
    up waiting after a while; at the end of the script they wait for the agent to hang up.
    """

    _PAUSE_US: Final = 800_000
    """Between the end of an answer and the next line."""
    _LISTEN_US: Final = 4_000_000
    """How much of the agent's voice is enough."""
    _PATIENCE_US: Final = 8_000_000
    """How long they wait where nobody speaks."""

    def __init__(
        self,
        script: Sequence[tuple[Cue, bytes]],
        audio_format: AudioFormat,
        noise: Iterable[bytes],
    ) -> None:
        """Prepare.

        Args:
            script: Each line's cue and its voice, in *audio_format*.
            noise: Pieces of 20 ms, without end.
        """
        self.audio_format = audio_format
        self._script = iter(script)
        self._noise = iter(noise)
        self._step_bytes = audio_format.bytes_at(STEP_US)
        self._voice = b""
        self._said = 0
        self._next = next(self._script, None)
        self._agent_us = 0
        # The first line answers the silence of an open line.
        self._is_answered = True
        self._silence_us = 0

    def speak(self, turn: TurnState, /) -> bytes | None:
        self._listen(turn)
        if self._said >= len(self._voice) and self._is_time():
            if self._next is None:
                return None
            self._begin(self._next[1])
        voice = self._voice[self._said : self._said + self._step_bytes]
        self._said += self._step_bytes
        return _mixed(voice, next(self._noise))

    def wait(self) -> None:
        if self._said < len(self._voice):
            self._said = 0

    def _listen(self, turn: TurnState) -> None:
        if turn in _AGENT_HAS_THE_FLOOR:
            self._silence_us = 0
        elif self._said >= len(self._voice):
            self._silence_us += STEP_US
        if turn is TurnState.SPEAKING:
            self._agent_us += STEP_US
            self._is_answered = True

    def _is_time(self) -> bool:
        if self._silence_us >= self._PATIENCE_US:
            return True
        if self._next is None:
            return False
        if self._next[0] is Cue.LISTENED_ENOUGH:
            return self._agent_us >= self._LISTEN_US
        return self._is_answered and self._silence_us >= self._PAUSE_US

    def _begin(self, voice: bytes) -> None:
        self._voice, self._said = voice, 0
        self._next = next(self._script, None)
        self._agent_us = self._silence_us = 0
        self._is_answered = False


class FileCaller:
    """Plays a WAV file into the line, then listens until the agent has nothing more to say."""

    _LISTEN_US: Final = 3_000_000
    """Longer than it takes to see that a turn is over, and to begin an answer."""

    def __init__(self, wav: WavFile) -> None:
        self.audio_format = wav.audio_format
        self._pieces: Iterator[bytes] = wav.pieces(STEP_US)
        self._silence = bytes(wav.audio_format.bytes_at(STEP_US))
        self._silence_us = 0

    def speak(self, turn: TurnState, /) -> bytes | None:
        piece = next(self._pieces, None)
        if piece is not None:
            return piece
        self._silence_us = 0 if turn in _AGENT_HAS_THE_FLOOR else self._silence_us + STEP_US
        return self._silence if self._silence_us <= self._LISTEN_US else None

    def wait(self) -> None:
        """A file stands still by itself."""


async def rehearsed(
    script: Sequence[ScriptLine], voice: TextToSpeech, *, sample_rate: int
) -> ScriptedCaller:
    """Return a caller who speaks *script* with *voice*.

    Raises:
        ProviderError: The synthesiser failed.
    """
    lines = [(line.cue, await _spoken(line.text, voice, sample_rate)) for line in script]
    audio_format = AudioFormat(sample_rate=sample_rate)
    return ScriptedCaller(lines, audio_format, cycle(_room_noise(audio_format)))


async def _spoken(text: str, voice: TextToSpeech, sample_rate: int) -> bytes:
    resampler = Resampler(voice.audio_format.sample_rate, sample_rate)
    pcm = bytearray()
    async with aclosing(voice.speak(text, language="en")) as pieces:
        async for piece in pieces:
            pcm += resampler.push(piece.pcm)
    return bytes(pcm + resampler.finish())


def _room_noise(audio_format: AudioFormat) -> list[bytes]:
    # Synthetic speech in digital silence is like nothing a recogniser has ever heard.
    random = Random(20)  # noqa: S311 - the same room every time
    frames = audio_format.frames_at(STEP_US)
    return [
        array("h", (round(random.gauss(0, _NOISE_RMS)) for _ in range(frames))).tobytes()
        for _ in range(_NOISE_US // STEP_US)
    ]


def _mixed(voice: bytes, noise: bytes) -> bytes:
    if not voice:
        return noise
    behind = array("h", noise)
    loudest = 32_767
    front = array("h", voice) + array("h", bytes(len(noise) - len(voice)))
    return array("h", (max(-loudest, min(loudest, s)) for s in map(add, front, behind))).tobytes()
