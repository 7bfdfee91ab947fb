"""
One transcript of a conversation that went on over several linked sessions.

A session that resumes another one names it as its previous session. The links give the
order; nobody's clock is asked for it. Media time stands still while nobody is connected,
so the sessions follow each other without a gap, unless the caller wants the time between
them to be seen. Either way the gap is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from attrs import evolve, field, frozen

from .errors import InvalidValue
from .instants import as_utc, duration_us
from .transcript import SessionTranscript, Transcript
from .utterance import Utterance, UtteranceId

__all__ = ("MANY_LANGUAGES", "Leg", "MergedTranscript", "Placement", "merge")

MANY_LANGUAGES: Final = "mul"
"""ISO 639-2 for "multiple languages": the sessions do not agree on one."""


@frozen(kw_only=True)
class Leg:
    """One session of a chain.

    Attributes:
        previous_session_id: The session that this one resumes; None, or one that is not
            among the legs, for the first.
        started_at: By the wall clock; with ``ended_at`` only used to tell the gaps.
    """

    record: SessionTranscript
    previous_session_id: str | None
    started_at: datetime = field(converter=as_utc)
    ended_at: datetime = field(converter=as_utc)


@frozen(kw_only=True)
class Placement:
    """Where one session lies in the merged transcript.

    Attributes:
        offset_us: Where its media time begins in that of the whole.
        gap_us: Wall-clock time since the session before it ended; 0 for the first, and
            where the clocks of two workers disagree about which came first.
    """

    session_id: str
    offset_us: int
    gap_us: int


@frozen(kw_only=True)
class MergedTranscript:
    """A chain of sessions read as one.

    Attributes:
        record: Named after the last session. Partial if any of them is.
        placements: One for each session, in order.
    """

    record: SessionTranscript
    placements: tuple[Placement, ...]


def merge(legs: Iterable[Leg], *, keep_gaps: bool = False) -> MergedTranscript:
    """Return the sessions of one chain as one transcript, whatever order they come in.

    Every utterance is there once, moved by the offset of its session and otherwise as it
    was. Utterance ids stay, unless two sessions use the same one: then all of them become
    ``{session_id}/{utterance_id}``.

    Args:
        keep_gaps: Leave the wall-clock time between two sessions as silence.

    Raises:
        InvalidValue: There are no legs, or they are not one unbroken chain.
    """
    chain = _in_order(list(legs))
    placements = _placed(chain, keep_gaps=keep_gaps)
    ids = [utterance.id for leg in chain for utterance in leg.record.transcript.utterances]
    name_apart = len(set(ids)) < len(ids)
    utterances = [
        _moved(utterance, placement, name_apart=name_apart)
        for leg, placement in zip(chain, placements, strict=True)
        for utterance in leg.record.transcript.utterances
    ]
    languages = {leg.record.language for leg in chain}
    last = chain[-1].record
    record = SessionTranscript(
        session_id=last.session_id,
        language=languages.pop() if len(languages) == 1 else MANY_LANGUAGES,
        duration_us=placements[-1].offset_us + _length_us(last),
        transcript=Transcript(utterances=utterances),
        partial=any(leg.record.partial for leg in chain),
    )
    return MergedTranscript(record=record, placements=placements)


def _in_order(legs: Sequence[Leg]) -> list[Leg]:
    ids = {leg.record.session_id for leg in legs}
    by_previous = {
        leg.previous_session_id if leg.previous_session_id in ids else None: leg for leg in legs
    }
    chain: list[Leg] = []
    following = by_previous.pop(None, None)
    while following is not None:
        chain.append(following)
        following = by_previous.pop(following.record.session_id, None)
    # A fork and a second beginning have overwritten their rivals, and a loop has no
    # beginning: each way some leg is missing now.
    if not len(legs) == len(ids) == len(chain) > 0:
        found = [leg.record.session_id for leg in legs]
        raise InvalidValue("legs", found, "sessions of which each but the first resumes another")
    return chain


def _placed(chain: Sequence[Leg], *, keep_gaps: bool) -> tuple[Placement, ...]:
    placements: list[Placement] = []
    offset_us = 0
    for index, leg in enumerate(chain):
        gap_us = max(0, duration_us(leg.started_at - chain[index - 1].ended_at)) if index else 0
        if keep_gaps:
            offset_us += gap_us
        placements.append(
            Placement(session_id=leg.record.session_id, offset_us=offset_us, gap_us=gap_us)
        )
        offset_us += _length_us(leg.record)
    return tuple(placements)


def _length_us(record: SessionTranscript) -> int:
    # After a crash the audio may end before the words do.
    return max(record.duration_us, record.transcript.end_us)


def _moved(utterance: Utterance, placement: Placement, *, name_apart: bool) -> Utterance:
    offset_us = placement.offset_us
    name = f"{placement.session_id}/{utterance.id}" if name_apart else utterance.id
    return evolve(
        utterance,
        id=UtteranceId(name),
        start_us=utterance.start_us + offset_us,
        end_us=utterance.end_us + offset_us,
        words=tuple(
            evolve(word, start_us=word.start_us + offset_us, end_us=word.end_us + offset_us)
            for word in utterance.words
        ),
    )
