"""
Transcripts as files that people and players read: plain text, SubRip and WebVTT.

No word is lost, doubled or moved to another place, whatever the layout. Cues follow each
other: they never overlap and never run backwards, also where two people speak at once.
Then a cue gives way to the next one, but not before it has been shown for half a second
(or for all its time, if that is shorter).

WebVTT is https://www.w3.org/TR/webvtt1/. SubRip has no standard: times with a comma,
blocks apart by an empty line, and no way to escape anything.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import Any, Final

from attrs import field, frozen

from .errors import InvalidValue
from .transcript import Transcript
from .utterance import Speaker, Utterance

__all__ = ("CaptionLayout", "Cue", "cues", "to_srt", "to_txt", "to_vtt")

_US_PER_MS: Final = 1_000
_SHOWN_AT_LEAST_MS: Final = 500

# Invisible and without width. Players take tags and override blocks out of SubRip text,
# and some find timing lines by their arrow; cut apart by this, they are just characters.
_WORD_JOINER: Final = "\u2060"
_SRT_MARKUP: Final = re.compile(r"<|--(?=>)|\{(?=\\)")
_VTT_ESCAPES: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def _is_positive(_instance: object, attribute: Any, value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise InvalidValue(attribute.name, value, "a whole number from 1")


@frozen(kw_only=True)
class CaptionLayout:
    """How much text is shown at once.

    Attributes:
        line_length: Characters of a line, at most. A word that is longer (in Chinese, a
            whole sentence) goes on in the next line.
        lines_per_cue: Lines shown together, at most.
        speakers: Say who speaks.
    """

    line_length: int = field(default=42, validator=_is_positive)
    lines_per_cue: int = field(default=2, validator=_is_positive)
    speakers: bool = True


@frozen(kw_only=True)
class Cue:
    """Lines that are shown together, from ``start_ms`` up to ``end_ms``, which lies later."""

    start_ms: int
    end_ms: int
    speaker: Speaker
    lines: tuple[str, ...]


_USUAL_LAYOUT: Final = CaptionLayout()


def cues(transcript: Transcript, layout: CaptionLayout = _USUAL_LAYOUT) -> tuple[Cue, ...]:
    """Return the final words as cues, in milliseconds of media time.

    Times come from the words where there is one for each word of the text, else the time
    of the utterance is shared out by length. The lines hold words only; ``speakers`` is for
    the files.
    """
    return _cues(transcript, layout, labelled=False)


def to_txt(transcript: Transcript, *, speakers: bool = True) -> str:
    """Return one line for each utterance, with its speaker in front: ``User: Hello``."""
    return "".join(
        " ".join(_words(utterance, labelled=speakers)) + "\n"
        for utterance in transcript.utterances
        if utterance.text.strip()
    )


def to_srt(transcript: Transcript, layout: CaptionLayout = _USUAL_LAYOUT) -> str:
    """Return *transcript* as SubRip. The speaker stands in front of the first words."""
    return "\n".join(
        f"{number}\n"
        f"{_clock(cue.start_ms, ',')} --> {_clock(cue.end_ms, ',')}\n"
        f"{_SRT_MARKUP.sub(_disarmed, _text_of(cue))}\n"
        for number, cue in enumerate(_cues(transcript, layout, labelled=layout.speakers), 1)
    )


def to_vtt(transcript: Transcript, layout: CaptionLayout = _USUAL_LAYOUT) -> str:
    """Return *transcript* as WebVTT. The speaker is each cue's voice: ``<v User>``."""
    blocks = ["WEBVTT\n"]
    for cue in cues(transcript, layout):
        voice = f"<v {_label(cue.speaker)}>" if layout.speakers else ""
        blocks.append(
            f"{_clock(cue.start_ms, '.')} --> {_clock(cue.end_ms, '.')}\n"
            f"{voice}{_text_of(cue).translate(_VTT_ESCAPES)}\n"
        )
    return "\n".join(blocks)


@frozen
class _Piece:
    """A word, or what fits into a line of one that is too long."""

    text: str
    start_us: int
    end_us: int
    continues: bool


def _cues(transcript: Transcript, layout: CaptionLayout, *, labelled: bool) -> tuple[Cue, ...]:
    wanted = [
        cue
        for utterance in transcript.utterances
        if utterance.text.strip()
        for cue in _cues_of(utterance, layout, labelled=labelled)
    ]
    wanted.sort(key=lambda cue: cue.start_ms)
    return tuple(_one_after_another(wanted))


def _cues_of(utterance: Utterance, layout: CaptionLayout, *, labelled: bool) -> Iterator[Cue]:
    lines = _lines(_pieces(utterance, layout.line_length, labelled=labelled), layout.line_length)
    for first in range(0, len(lines), layout.lines_per_cue):
        shown = lines[first : first + layout.lines_per_cue]
        yield Cue(
            start_ms=shown[0][0].start_us // _US_PER_MS,
            end_ms=max(piece.end_us for line in shown for piece in line) // _US_PER_MS,
            speaker=utterance.speaker,
            lines=tuple(" ".join(piece.text for piece in line) for line in shown),
        )


def _one_after_another(wanted: Iterable[Cue]) -> Iterator[Cue]:
    showing: Cue | None = None
    for cue in wanted:
        start_ms = cue.start_ms
        if showing is not None:
            own_ms = showing.end_ms - showing.start_ms
            start_ms = max(start_ms, showing.start_ms + min(own_ms, _SHOWN_AT_LEAST_MS))
            yield _timed(showing, showing.start_ms, min(showing.end_ms, start_ms))
        # Pushed back behind its own end, it still gets its time; and always a millisecond.
        least_ms = max(1, min(cue.end_ms - cue.start_ms, _SHOWN_AT_LEAST_MS))
        showing = _timed(cue, start_ms, max(cue.end_ms, start_ms + least_ms))
    if showing is not None:
        yield showing


def _timed(cue: Cue, start_ms: int, end_ms: int) -> Cue:
    return Cue(start_ms=start_ms, end_ms=end_ms, speaker=cue.speaker, lines=cue.lines)


def _lines(pieces: Iterable[_Piece], line_length: int) -> list[list[_Piece]]:
    lines: list[list[_Piece]] = []
    room = -1
    for piece in pieces:
        length = len(piece.text)
        if piece.continues or length > room:
            lines.append([])
            room = line_length
        lines[-1].append(piece)
        room -= length + 1
    return lines


def _pieces(utterance: Utterance, line_length: int, *, labelled: bool) -> Iterator[_Piece]:
    words = _words(utterance, labelled=labelled)
    for word, (start_us, end_us) in zip(words, _times(utterance, labelled=labelled), strict=True):
        offset = 0
        for text in _cut(word, line_length):
            until = offset + len(text)
            yield _Piece(
                text,
                start_us + (end_us - start_us) * offset // len(word),
                start_us + (end_us - start_us) * until // len(word),
                continues=offset > 0,
            )
            offset = until


def _times(utterance: Utterance, *, labelled: bool) -> Iterator[tuple[int, int]]:
    spoken = _words(utterance, labelled=False)
    if len(spoken) == len(utterance.words):
        # A recogniser that steps back in time must not reorder the words.
        starts = list(accumulate((word.start_us for word in utterance.words), max))
        ends = [max(start, w.end_us) for start, w in zip(starts, utterance.words, strict=True)]
    else:
        span_us = utterance.end_us - utterance.start_us
        lengths = list(accumulate(map(len, spoken), initial=0))
        marks = [utterance.start_us + span_us * length // lengths[-1] for length in lengths]
        starts, ends = marks[:-1], marks[1:]
    if labelled:
        yield starts[0], starts[0]
    yield from zip(starts, ends, strict=True)


def _cut(word: str, length: int) -> Iterator[str]:
    start = 0
    while len(word) - start > length:
        end = start + length
        # A mark belongs to the letter before it.
        while end > start + 1 and unicodedata.category(word[end]).startswith("M"):
            end -= 1
        yield word[start:end]
        start = end
    yield word[start:]


def _words(utterance: Utterance, *, labelled: bool) -> list[str]:
    words = utterance.text.split()
    return [f"{_label(utterance.speaker)}:", *words] if labelled else words


def _label(speaker: Speaker) -> str:
    return speaker.value.capitalize()


def _text_of(cue: Cue) -> str:
    return "\n".join(cue.lines)


def _disarmed(markup: re.Match[str]) -> str:
    return markup[0] + _WORD_JOINER


def _clock(at_ms: int, point: str) -> str:
    seconds, ms = divmod(at_ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{point}{ms:03}"
