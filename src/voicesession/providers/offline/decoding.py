"""PocketSphinx decoders for one grammar: small ones, lent out and taken back."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator
from operator import add
from pathlib import Path
from random import Random
from struct import pack, unpack
from typing import Any, Final, Protocol, TypeAlias, cast

from attrs import frozen

from ...core.errors import InvalidConfig
from .jsgf import Grammar

__all__ = ("RATE_HZ", "SLICE_BYTES", "Decoder", "Decoders", "Heard", "HeardWord", "VoiceGate")

RATE_HZ: Final = 16_000
SLICE_BYTES: Final = RATE_HZ // 10 * 2
"""A tenth of a second: PocketSphinx holds the interpreter for as long as it decodes one call."""
MOST_IDLE: Final = 4
_FRAME_BYTES: Final = RATE_HZ // 100 * 2
_NOISE_RMS: Final = 30.0
"""Of 32 768: 20 to 50 serve clean speech and quiet callers alike."""
_SEARCH: Final = "grammar"
_BEAMS: Final = {"beam": 1e-80, "pbeam": 1e-80, "wbeam": 1e-60}
"""Wider than PocketSphinx's own, which are for large vocabularies: those lost the right
path in 3 of 270 sentences. A third more work, and wrong sentences score lower too."""

_Mean: TypeAlias = tuple[float, ...]
"""Of the cepstrum, which is what a microphone and a room do to every sound."""

_ORDINARY_MEAN: Final[_Mean] = (40.0, 3.0, -1.0, *[0.0] * 10)
"""What the model's authors start from."""
_WEIGHT_OF_PRIOR: Final = 500
"""Frames that PocketSphinx counts a given mean for (CMN_WIN in its cmn.h)."""


@frozen
class HeardWord:
    """A word and its place: samples from the beginning of the utterance."""

    text: str
    start: int
    end: int


@frozen
class Heard:
    """What an utterance was taken for.

    Attributes:
        score: How well it sounds like that, 0 to 1, for sentences of any length.
    """

    text: str
    score: float
    words: tuple[HeardWord, ...]


class _Engine(Protocol):
    """What we rely on of ``pocketsphinx.Decoder``."""

    def reinit_feat(self) -> None: ...
    def start_utt(self) -> None: ...
    def process_raw(self, pcm: bytes, /) -> None: ...
    def end_utt(self) -> None: ...
    def hyp(self) -> Any: ...
    def seg(self) -> Iterable[Any]: ...
    def get_cmn(self, update: bool, /) -> str: ...
    def set_cmn(self, mean: str, /) -> None: ...


class VoiceGate(Protocol):
    """PocketSphinx's own voice detector: 3 µs for a frame of ``frame_bytes``."""

    @property
    def frame_bytes(self) -> int: ...
    def is_speech(self, frame: bytes, /) -> bool: ...


class Decoders:
    """Makes and keeps the decoders of one grammar; at most `MOST_IDLE` wait unused.

    With the words of the grammar alone a decoder takes 5 MiB and 13 ms to make; with the
    whole dictionary it would be 27 MiB and 130 ms.
    """

    def __init__(self, grammar: Grammar) -> None:
        """Make the first decoder, so that a bad grammar is found now.

        Raises:
            InvalidValue: The grammar has a word that the dictionary lacks.
            InvalidConfig: The extra ``offline`` is not installed.
        """
        self._library = _library()
        self._grammar = grammar
        self._pronunciations = _pronunciations(
            Path(self._library.get_model_path("en-us/cmudict-en-us.dict")), grammar
        )
        self._idle: deque[Decoder] = deque([self._make()], maxlen=MOST_IDLE)

    def gate(self) -> VoiceGate:
        """Return a voice detector for one track."""
        return cast("VoiceGate", self._library.Vad(self._library.Vad.LOOSE, RATE_HZ))

    def take(self) -> Decoder:
        """Return a decoder that nobody else uses."""
        try:
            return self._idle.pop()
        except IndexError:
            return self._make()

    def give(self, decoder: Decoder) -> None:
        """Take *decoder* back, whatever it was in the middle of."""
        decoder.reset()
        self._idle.append(decoder)

    def clear(self) -> None:
        """Let go of the unused decoders."""
        self._idle.clear()

    def _make(self) -> Decoder:
        # No dither: the noise of `_with_noise` does its work and is the same every time.
        engine = self._library.Decoder(
            samprate=RATE_HZ, lm=None, dict=None, dither=False, loglevel="FATAL", **_BEAMS
        )
        last = self._pronunciations[-1]
        for entry in self._pronunciations:
            # With the last word the decoder takes in all of them.
            engine.add_word(*entry, entry is last)
        sentences = engine.parse_jsgf(self._grammar.text, toprule=self._grammar.top_rule)
        engine.add_fsg(_SEARCH, sentences)
        engine.activate_search(_SEARCH)
        return Decoder(engine, sentences)


class Decoder:
    """Decodes one utterance at a time, in two passes over it.

    The cepstral mean of the utterance, which the engine subtracts, makes the difference
    between 97 and 99 of 100 sentences, but is known only at its end. PocketSphinx would
    have us wait and hand over all audio in one call, during which no other thread runs.
    So a first pass in slices follows the voice, tells interim words and measures the mean,
    and a second one, in slices again, decodes with that mean.
    """

    def __init__(self, engine: _Engine, sentences: Any) -> None:
        self._engine = engine
        self._sentences = sentences
        self._is_open = False
        self._measured: list[float] = []
        self._prior = _ORDINARY_MEAN
        self._slices = 0

    def begin(self) -> None:
        """Begin the first pass of an utterance."""
        self._measured = [0.0] * len(_ORDINARY_MEAN)
        self._start(_ORDINARY_MEAN)

    def hear(self, pcm: bytes) -> None:
        """Go on with *pcm*, `SLICE_BYTES` of it, and measure it."""
        self._engine.process_raw(self._with_noise(pcm))
        mean = _parsed(self._engine.get_cmn(True))
        frames = len(pcm) // _FRAME_BYTES
        self._measured = [
            total + now * (_WEIGHT_OF_PRIOR + frames) - before * _WEIGHT_OF_PRIOR
            for total, now, before in zip(self._measured, mean, self._prior, strict=True)
        ]
        self._set_mean(mean)

    @property
    def text(self) -> str:
        """What the utterance sounds like so far; it may be the beginning of a sentence."""
        best = self._engine.hyp()
        return best.hypstr if best else ""

    def decide(self, utterance: bytes) -> Heard | None:
        """Return the sentence of the grammar that *utterance* is; None if it is none.

        *utterance* is what was heard since `begin`, and what was too short for a slice.
        """
        frames = self._slices * (SLICE_BYTES // _FRAME_BYTES)
        self.reset()
        self._start(tuple(total / frames for total in self._measured) if frames else _ORDINARY_MEAN)
        for at in range(0, len(utterance), SLICE_BYTES):
            self._engine.process_raw(self._with_noise(utterance[at : at + SLICE_BYTES]))
        self.reset()
        best = self._engine.hyp()
        if not best or not best.hypstr or not self._sentences.accept(best.hypstr):
            return None
        words = tuple(_words(self._engine.seg()))
        return Heard(best.hypstr, _fair_score(best.best_score, words), words)

    def reset(self) -> None:
        """End the utterance, if there is one; its result can be read until the next begins."""
        if self._is_open:
            self._engine.end_utt()
            self._is_open = False

    def _start(self, mean: _Mean) -> None:
        # The front end remembers the noise of utterances before; 40 µs make it forget, so
        # that the same audio gives the same words, whoever has used the decoder.
        self._engine.reinit_feat()
        self._set_mean(mean)
        self._engine.start_utt()
        self._is_open = True
        self._slices = 0

    def _set_mean(self, mean: _Mean) -> None:
        self._prior = mean
        self._engine.set_cmn(",".join(f"{part:.5f}" for part in mean))

    def _with_noise(self, pcm: bytes) -> bytes:
        # Digital silence between synthetic words ruins the features; a room never is silent.
        layout = f"<{len(pcm) // 2}h"
        noise = _NOISE[self._slices % len(_NOISE)]
        self._slices += 1
        noisy = map(add, unpack(layout, pcm), noise)
        return pack(layout, *[max(-32_768, min(32_767, sample)) for sample in noisy])


def _library() -> Any:
    try:
        import pocketsphinx
    except ImportError as error:
        raise InvalidConfig(
            "stt", "pocketsphinx", 'an installed engine: pip install "voicesession[offline]"'
        ) from error
    # Its log goes to stderr, which belongs to the host; what matters comes back as errors.
    library: Any = pocketsphinx
    library.set_loglevel("FATAL")
    return library


def _pronunciations(dictionary: Path, grammar: Grammar) -> list[tuple[str, str]]:
    # Lines are "word phones"; other ways to say it follow at once as "word(2) phones".
    lines = "\n" + dictionary.read_text(encoding="utf-8")
    found: list[tuple[str, str]] = []
    for word, place in grammar.words.items():
        at = lines.find(f"\n{word} ")
        if at < 0:
            raise place.refused("English words of the CMU dictionary, in lower case")
        while lines.startswith((f"\n{word} ", f"\n{word}("), at):
            end = lines.find("\n", at + 1)
            entry, _, phones = lines[at + 1 : end].partition(" ")
            found.append((entry, phones))
            at = end
    return found


def _words(segments: Iterable[Any]) -> Iterable[HeardWord]:
    samples = _FRAME_BYTES // 2
    for segment in segments:
        # <sil>, [NOISE] and (NULL) are no words; "the(2)" is another way to say one.
        if segment.word[0] not in "<[(":
            text = segment.word.partition("(")[0]
            yield HeardWord(text, segment.start_frame * samples, (segment.end_frame + 1) * samples)


def _fair_score(score: float, words: tuple[HeardWord, ...]) -> float:
    # PocketSphinx multiplies over the utterance: long sentences score low however well they
    # are spoken, short ones high. The root of their length lets one threshold serve both.
    voiced = sum(word.end - word.start for word in words)
    return math.pow(score, math.sqrt(RATE_HZ / max(1, voiced)))


def _parsed(mean: str) -> _Mean:
    return tuple(map(float, mean.split(",")))


def _noise_slices(count: int) -> Iterator[tuple[int, ...]]:
    random = Random(1)  # noqa: S311  # noise, the same in every process: no secret
    for _ in range(count):
        yield tuple(round(random.gauss(0, _NOISE_RMS)) for _ in range(SLICE_BYTES // 2))


_NOISE: Final = tuple(_noise_slices(16))
