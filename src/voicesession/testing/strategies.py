"""Hypothesis strategies for words, utterances, transcripts and budgets."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Final
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from ..core.accounts import Account, Limit, Scope, windows_of
from ..core.meters import Meter
from ..core.transcript import SessionTranscript, Transcript
from ..core.utterance import Speaker, Utterance, UtteranceId, Word

__all__ = (
    "BUDGET_START",
    "accounts",
    "instants",
    "limits",
    "session_transcripts",
    "spoken_texts",
    "transcripts",
    "utterances",
    "zones",
)

_LONGEST_US = 3_600_000_000
_WORDS = (
    "hello",
    "a",
    "Grüße,",
    "你好吗",
    "e\u0301te\u0301",
    "<b>",
    "-->",
    "&amp;",
    "{\\an8}",
    "42",
)


_LETTERS = "aZ9ßé\u0301你好ไม้😀<>&-{}\\.,'\u2060"
_SINGLE_WORDS = st.sampled_from(_WORDS) | st.text(_LETTERS, min_size=1, max_size=12)
_GAPS = st.sampled_from((" ", " ", " ", "\n", "\t", "  ", "\u2028", "\n\n"))
_UTTERANCE_IDS = st.uuids().map(lambda made: f"utt_{made.hex}")
_CONFIDENCES = st.none() | st.sampled_from((0.0, 0.5, 0.93, 1.0))


def spoken_texts(*, max_words: int = 6) -> st.SearchStrategy[str]:
    """Texts as recognisers and agents write them: some odd words, some odd white space."""
    return st.lists(_SINGLE_WORDS, max_size=max_words).flatmap(_spaced)


def _spaced(words: list[str]) -> st.SearchStrategy[str]:
    return _GAPS.map(lambda gap: gap.join(words))


@st.composite
def _timed_words(draw: st.DrawFn, text: str, start_us: int, end_us: int) -> tuple[Word, ...]:
    """The words of *text*, one after another between the two times."""
    words = text.split()
    times = st.integers(start_us, end_us)
    marks = sorted(draw(st.lists(times, min_size=2 * len(words), max_size=2 * len(words))))
    confidence = draw(_CONFIDENCES)
    return tuple(
        Word(text=word, start_us=start, end_us=end, confidence=confidence)
        for word, start, end in zip(words, marks[::2], marks[1::2], strict=True)
    )


@st.composite
def utterances(
    draw: st.DrawFn, *, ids: st.SearchStrategy[str] = _UTTERANCE_IDS, max_us: int = _LONGEST_US
) -> Utterance:
    """One final utterance of either speaker, with or without word times.

    The agent has what it generated and, as the text, the part of it that was heard.
    """
    speaker = draw(st.sampled_from(Speaker))
    start_us = draw(st.integers(0, max_us))
    end_us = draw(st.integers(start_us, min(start_us + 30_000_000, max_us)))
    whole = draw(spoken_texts())
    heard = whole[: draw(st.integers(0, len(whole)))] if speaker is Speaker.AGENT else whole
    return Utterance(
        id=UtteranceId(draw(ids)),
        speaker=speaker,
        start_us=start_us,
        end_us=end_us,
        text=heard,
        confidence=draw(_CONFIDENCES),
        words=draw(_timed_words(heard, start_us, end_us)) if draw(st.booleans()) else (),
        generated_text=whole if speaker is Speaker.AGENT else None,
        spoken_text=heard if speaker is Speaker.AGENT else None,
        interrupted=heard != whole,
    )


def transcripts(*, max_utterances: int = 4) -> st.SearchStrategy[Transcript]:
    """Final utterances in any order, also at the same time; no interims."""
    some = st.lists(utterances(), max_size=max_utterances, unique_by=lambda made: made.id)
    return some.map(lambda finals: Transcript(utterances=finals))


def session_transcripts() -> st.SearchStrategy[SessionTranscript]:
    """What is stored of a session, whole or partial; its words may outlast its audio."""
    return st.builds(
        SessionTranscript,
        session_id=st.uuids().map(lambda made: f"sess_{made.hex}"),
        language=st.sampled_from(("auto", "en", "de-CH")),
        duration_us=st.integers(0, _LONGEST_US),
        transcript=transcripts(),
        partial=st.booleans(),
    )


BUDGET_START: Final = datetime(2026, 3, 27, 12, tzinfo=UTC)
"""A little before the clocks change in Europe and before a month ends."""

_ZONES = ("UTC", "Europe/Berlin", "America/Havana", "Pacific/Apia", "Asia/Kathmandu")


def zones() -> st.SearchStrategy[ZoneInfo]:
    """Time zones on both sides of the date line, with and without summer time."""
    return st.sampled_from(_ZONES).map(ZoneInfo)


def instants() -> st.SearchStrategy[datetime]:
    """Instants within ten days of `BUDGET_START`: two months, and clocks that change."""
    return st.timedeltas(timedelta(), timedelta(days=10)).map(lambda later: BUDGET_START + later)


def accounts() -> st.SearchStrategy[Account]:
    """A few accounts of every scope, some of them with the same id."""
    return st.builds(Account, scope=st.sampled_from(Scope), id=st.sampled_from(("ada", "bob")))


@st.composite
def limits(draw: st.DrawFn, *, most: int = 1_000) -> Limit:
    """A limit that its account may have, from 0 up to *most*."""
    account, meter = draw(accounts()), draw(st.sampled_from(Meter))
    return Limit(
        account=account,
        meter=meter,
        window=draw(st.sampled_from(windows_of(account, meter))),
        amount=draw(st.integers(0, most)),
        warn_at=draw(st.sampled_from((Fraction(4, 5), Fraction(1, 3), Fraction(1)))),
    )
