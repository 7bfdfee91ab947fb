"""
Values as flat documents and back: one place, so that every medium stores the same thing.

Keys are the names of the specification, values are what JSON and SQL both have: text,
numbers, booleans, None. Instants are whole microseconds since 1970, and what is a list or
an object is canonical JSON in a text.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from operator import attrgetter
from types import MappingProxyType
from typing import Any, Final, Protocol, TypeAlias

from attrs import fields
from pydantic_core import to_json

from ..core import journal
from ..core.errors import StoreError
from ..core.instants import from_us, to_us
from ..core.journal import JournalEntry
from ..core.session import DailyRemaining, Pause, Session
from ..core.states import PauseReason
from ..core.utterance import Speaker, Utterance, Word
from ..ports.storage import RunningStats, Tombstone
from .pages import listed_us

__all__ = (
    "Document",
    "Stored",
    "entry_text",
    "parse_entry",
    "parse_session",
    "parse_tombstone",
    "parse_utterance",
    "readable",
    "session_document",
    "session_part",
    "stats_document",
    "stored_names",
    "tombstone_document",
    "utterance_document",
)

Document: TypeAlias = dict[str, Any]


class Stored(Protocol):
    """A document as it is read: a dict, or the row of a database."""

    def __getitem__(self, key: str, /) -> Any: ...


_US_PER_S: Final = 1_000_000
_US_PER_MINUTE: Final = 60 * _US_PER_S

_NAMES: Final = tuple(attribute.name for attribute in fields(Session))
_INSTANTS: Final = tuple(
    name for name in _NAMES if name.endswith(("_at", "_since")) or name == "token_expiry"
)
_FLAGS: Final = frozenset(
    {
        "audio_partial",
        "enhance_on_end",
        "legal_hold",
        "recording_consent",
        "store_audio",
        "store_transcript",
    }
)
_RENAMED: Final = {
    "audio_duration_us": "audio_duration_seconds",
    "audio_used_us": "audio_minutes_used",
    "metadata_json": "metadata",
}
_AS_JSON: Final = frozenset(
    {"daily_budget_remaining", "enabled_panels", "pauses", "secrets_blurred"}
)
_AS_THEY_ARE: Final = tuple(
    name
    for name in _NAMES
    if name not in _INSTANTS and name not in _RENAMED and name not in _AS_JSON
)
_ADDED: Final = frozenset({"max_active_us", "max_wall_clock_us"})
"""What documents do not have that were stored before there was such a field: then it is None."""


def stored_names(fields_of_session: frozenset[str]) -> frozenset[str]:
    """Return the keys under which these fields of a session are stored."""
    return frozenset(_RENAMED.get(name, name) for name in fields_of_session)


_MADE: Final[Mapping[str, Callable[[Session], object]]] = MappingProxyType(
    {
        "state": lambda session: str(session.state),
        "end_reason": lambda session: session.end_reason and str(session.end_reason),
        "encoding": lambda session: str(session.encoding),
        "status": lambda session: str(session.status),
        "listed_at": listed_us,
        "pauses": lambda session: _json_list(
            [[pause.reason, to_us(pause.since)] for pause in session.pauses]
        ),
        "pause_reasons": lambda session: _json_list(
            sorted(pause.reason for pause in session.pauses)
        ),
        "secrets_blurred": lambda session: _json_list(session.secrets_blurred),
        "enabled_panels": lambda session: (
            None if session.enabled_panels is None else _json(session.enabled_panels)
        ),
        "metadata": lambda session: session.metadata_json,
        # Exact to the microsecond: see `changes.LONGEST_US`.
        "audio_duration_seconds": lambda session: session.audio_duration_us / _US_PER_S,
        "audio_minutes_used": lambda session: session.audio_used_us / _US_PER_MINUTE,
        "daily_budget_remaining": lambda session: _remaining(session.daily_budget_remaining),
    }
)
"""What is not written down as it is; part of it is derived for lists."""


def session_part(names: Collection[str]) -> Callable[[Session], Document]:
    """Return what writes down a session as `session_document` does, but only under *names*.

    Args:
        names: Keys of a document; more than one of them an instant, and more than one plain.
    """
    # A session is written down with every commit: what is to be read of it is found out once.
    plain = tuple(name for name in _AS_THEY_ARE if name in names and name not in _MADE)
    instants = tuple(name for name in _INSTANTS if name in names)
    made = tuple((name, make) for name, make in _MADE.items() if name in names)
    read_plain, read_instants = attrgetter(*plain), attrgetter(*instants)

    def written(session: Session) -> Document:
        document: Document = dict(zip(plain, read_plain(session), strict=True))
        stored_at = [None if at is None else to_us(at) for at in read_instants(session)]
        document.update(zip(instants, stored_at, strict=True))
        for name, make in made:
            document[name] = make(session)
        return document

    return written


session_document: Final = session_part({*_AS_THEY_ARE, *_INSTANTS, *_MADE})
"""Returns a session as a flat document, with what is derived from it for lists."""


def parse_session(document: Stored) -> Session:
    """Return the session that was stored as *document*.

    Raises:
        StoreError: It cannot be read; nothing is skipped in silence.
    """
    with readable("session"):
        values: Document = {
            name: _added(document, name) if name in _ADDED else document[name]
            for name in _AS_THEY_ARE
        }
        for name in _FLAGS:
            values[name] = None if values[name] is None else bool(values[name])
        for name in _INSTANTS:
            values[name] = _instant(document[name])
        panels = document["enabled_panels"]
        return Session(
            **values,
            pauses=tuple(
                Pause(PauseReason(reason), from_us(since))
                for reason, since in json.loads(document["pauses"])
            ),
            secrets_blurred=json.loads(document["secrets_blurred"]),
            enabled_panels=None if panels is None else json.loads(panels),
            metadata_json=document["metadata"],
            audio_duration_us=round(document["audio_duration_seconds"] * _US_PER_S),
            audio_used_us=round(document["audio_minutes_used"] * _US_PER_MINUTE),
            daily_budget_remaining=_parse_remaining(document["daily_budget_remaining"]),
        )


def stats_document(counted: RunningStats) -> Document:
    """Return *counted* as the part of a session's document that it is."""
    return {
        "audio_duration_seconds": counted.audio_duration_us / _US_PER_S,
        "audio_chunks_received": counted.audio_chunks_received,
        "audio_chunks_processed": counted.audio_chunks_processed,
        "audio_minutes_used": counted.audio_used_us / _US_PER_MINUTE,
        "transcript_partial": counted.transcript_partial,
    }


def utterance_document(utterance: Utterance, *, place: int) -> Document:
    """Return *utterance* as a flat document, with its place among those that begin with it."""
    words = [[w.text, w.start_us, w.end_us, w.confidence] for w in utterance.words]
    return {
        "id": utterance.id,
        "speaker": str(utterance.speaker),
        "start_us": utterance.start_us,
        "end_us": utterance.end_us,
        "text": utterance.text,
        "confidence": utterance.confidence,
        "words": _json_list(words),
        "generated_text": utterance.generated_text,
        "spoken_text": utterance.spoken_text,
        "interrupted": utterance.interrupted,
        "place": place,
    }


def parse_utterance(document: Stored) -> Utterance:
    """Return the utterance that was stored as *document*.

    Raises:
        StoreError: It cannot be read.
    """
    with readable("utterance"):
        return Utterance(
            id=document["id"],
            speaker=Speaker(document["speaker"]),
            start_us=document["start_us"],
            end_us=document["end_us"],
            text=document["text"],
            confidence=document["confidence"],
            words=tuple(
                Word(text=text, start_us=start_us, end_us=end_us, confidence=confidence)
                for text, start_us, end_us, confidence in json.loads(document["words"])
            ),
            generated_text=document["generated_text"],
            spoken_text=document["spoken_text"],
            interrupted=bool(document["interrupted"]),
        )


def entry_text(entry: JournalEntry) -> str:
    """Return *entry* as JSON; see `voicesession.core.journal` for its encoding."""
    return _json(journal.encode(entry))


def parse_entry(text: str) -> JournalEntry:
    """Return the entry that was stored as *text*.

    Raises:
        StoreError: It cannot be read.
    """
    with readable("journal entry"):
        return journal.decode(json.loads(text))


def tombstone_document(tombstone: Tombstone) -> Document:
    """Return *tombstone* as a flat document."""
    return {
        "tenant_id": tombstone.tenant_id,
        "session_hash": tombstone.session_hash,
        "deleted_at": to_us(tombstone.deleted_at),
        "deleted_by": tombstone.deleted_by,
        "reason": tombstone.reason,
    }


def parse_tombstone(document: Stored) -> Tombstone:
    """Return the tombstone that was stored as *document*."""
    return Tombstone(
        tenant_id=document["tenant_id"],
        session_hash=document["session_hash"],
        deleted_at=from_us(document["deleted_at"]),
        deleted_by=document["deleted_by"],
        reason=document["reason"],
    )


@contextmanager
def readable(what: str) -> Generator[None]:
    """Turn what a broken document causes into a `StoreError` that names *what* it should be."""
    # Not the caller's mistake: somebody else wrote it, or a newer library.
    try:
        yield
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise StoreError(f"a stored {what} cannot be read: {error}") from error


def _remaining(remaining: DailyRemaining | None) -> str | None:
    if remaining is None:
        return None
    audio_us = remaining.audio_us
    return _json(
        {
            "audioMin": None if audio_us is None else audio_us / _US_PER_MINUTE,
            "videoTokens": remaining.video_tokens,
            "screenTokens": remaining.screen_tokens,
        }
    )


def _parse_remaining(text: str | None) -> DailyRemaining | None:
    if text is None:
        return None
    stored = json.loads(text)
    minutes = stored["audioMin"]
    return DailyRemaining(
        audio_us=None if minutes is None else round(minutes * _US_PER_MINUTE),
        video_tokens=stored["videoTokens"],
        screen_tokens=stored["screenTokens"],
    )


def _added(document: Stored, name: str) -> Any:
    # A table has been migrated; a document is as it was when it was stored.
    try:
        return document[name]
    except KeyError:
        return None


def _json(value: object) -> str:
    return to_json(value).decode()


def _json_list(values: Sequence[object]) -> str:
    return _json(values) if values else "[]"  # as most are


def _instant(stored_us: int | None) -> datetime | None:
    return None if stored_us is None else from_us(stored_us)
