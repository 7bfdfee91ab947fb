"""
What Deepgram's live endpoint says, read into values.

Times are seconds of the track as it was sent, in decimals; here they become sample frames,
which is what the track is counted in.
"""

from __future__ import annotations

import json
from typing import Any, Final, TypeAlias

from attrs import frozen

__all__ = ("CLOSE_STREAM", "FINALIZE", "KEEP_ALIVE", "Result", "SpokenWord", "UtteranceEnd", "read")

FINALIZE: Final = '{"type":"Finalize"}'
KEEP_ALIVE: Final = '{"type":"KeepAlive"}'
CLOSE_STREAM: Final = '{"type":"CloseStream"}'


@frozen(kw_only=True)
class SpokenWord:
    """One word; places are sample frames of the track."""

    text: str
    start: int
    end: int
    confidence: float


@frozen(kw_only=True)
class Result:
    """What a stretch of the track sounds like.

    Attributes:
        end: The sample frame up to which the engine has listened.
        is_final: These words will not change.
        is_endpoint: The engine heard a pause behind them.
        is_answer: It answers a Finalize.
    """

    text: str
    start: int
    end: int
    confidence: float
    words: tuple[SpokenWord, ...]
    is_final: bool
    is_endpoint: bool
    is_answer: bool


@frozen
class UtteranceEnd:
    """No word has followed the one that ends at this sample frame for a while."""

    last_word_end: int


Message: TypeAlias = Result | UtteranceEnd


def read(message: str | bytes, rate_hz: int) -> Message | None:
    """Return what *message* says, or None where it is nothing to us.

    Raises:
        ValueError: It is not what Deepgram sends.
    """
    try:
        told: Any = json.loads(message)
        match told["type"]:
            case "Results":
                return _result(told, rate_hz)
            case "UtteranceEnd":
                return UtteranceEnd(_frames(told["last_word_end"], rate_hz))
            case "Error":
                raise ValueError("an error in place of a result")
            case _:
                return None
    except (LookupError, TypeError, AttributeError) as error:
        raise ValueError("not a message of Deepgram") from error


def _result(told: Any, rate_hz: int) -> Result:
    best = told["channel"]["alternatives"][0]
    words = tuple(
        SpokenWord(
            text=str(word.get("punctuated_word") or word["word"]),
            start=_frames(word["start"], rate_hz),
            end=_frames(word["end"], rate_hz),
            confidence=_share(word.get("confidence")),
        )
        for word in best.get("words") or ()
    )
    return Result(
        text=str(best["transcript"]).strip(),
        start=_frames(told["start"], rate_hz),
        end=_frames(told["start"] + told["duration"], rate_hz),
        confidence=_share(best.get("confidence")),
        words=words,
        is_final=bool(told.get("is_final")),
        is_endpoint=bool(told.get("speech_final")),
        is_answer=bool(told.get("from_finalize")),
    )


def _frames(seconds: float, rate_hz: int) -> int:
    return max(0, round(seconds * rate_hz))


def _share(confidence: float | None) -> float:
    return min(1.0, max(0.0, confidence or 0.0))
