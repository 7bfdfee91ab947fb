"""
The journal: every event of a session's life, numbered, and what can be read back from it.

One encoding, version 1, for every event type. An entry is a JSON object:

* ``v`` the version of this encoding, 1;
* ``seq`` its place, from 1 without holes;
* ``type`` the name of the event in EVENT_TYPES, which is stored and never renamed;
* ``at`` the instant as whole microseconds since 1970, UTC;
* and the fields of the event by their own names.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from attrs import field, fields, frozen

from . import events
from .errors import InvalidValue
from .events import SessionEvent
from .fields import is_count
from .identity import SessionId
from .instants import from_us, to_us
from .life import apply
from .session import Session

__all__ = ("EVENT_TYPES", "JournalEntry", "decode", "encode", "replay")

VERSION: Final = 1

EVENT_TYPES: Final[Mapping[str, type[SessionEvent]]] = MappingProxyType(
    {
        "connect_requested": events.ConnectRequested,
        "transport_ready": events.TransportReady,
        "transport_lost": events.TransportLost,
        "pause_requested": events.PauseRequested,
        "resume_requested": events.ResumeRequested,
        "budget_spent": events.BudgetSpent,
        "budget_raised": events.BudgetRaised,
        "limit_reached": events.LimitReached,
        "limit_raised": events.LimitRaised,
        "worker_lost": events.WorkerLost,
        "shutdown_began": events.ShutdownBegan,
        "worker_ready": events.WorkerReady,
        "end_requested": events.EndRequested,
        "utterance_finished": events.UtteranceFinished,
        "reply_finished": events.ReplyFinished,
        "audio_gap_found": events.AudioGapFound,
        "warning_raised": events.WarningRaised,
        "consent_changed": events.ConsentChanged,
        "budget_level_reached": events.BudgetLevelReached,
        "details_changed": events.DetailsChanged,
        "recording_linked": events.RecordingLinked,
    }
)

_REPLAYED: Final = SessionId("replayed")
_NAME_OF: Final = {kind: name for name, kind in EVENT_TYPES.items()}
_FIELDS_OF: Final = {
    kind: tuple(attribute.name for attribute in fields(kind) if attribute.name != "at")
    for kind in _NAME_OF
}


def _is_from_one(_entry: object, attribute: Any, value: int) -> None:
    if value < 1:
        raise InvalidValue(attribute.name, value, "a place in a journal, from 1")


def _is_journalled(_entry: object, attribute: Any, value: Any) -> None:
    if type(value) not in _NAME_OF:
        raise InvalidValue(attribute.name, value, "an event whose type is in EVENT_TYPES")


@frozen
class JournalEntry:
    """One event and its place in the journal of its session, from 1.

    Raises:
        InvalidValue: There is no such place, or events of this type are not journalled.
    """

    seq: int = field(validator=[is_count, _is_from_one])
    event: SessionEvent = field(validator=_is_journalled)

    @property
    def type(self) -> str:
        """The stored name of the event's type."""
        return _NAME_OF[type(self.event)]


def encode(entry: JournalEntry) -> dict[str, Any]:
    """Return *entry* as a JSON object; `decode` gives an equal entry back."""
    event = entry.event
    data = {name: _to_json(getattr(event, name)) for name in _FIELDS_OF[type(event)]}
    return {"v": VERSION, "seq": entry.seq, "type": entry.type, "at": to_us(event.at), **data}


def decode(stored: Mapping[str, Any]) -> JournalEntry:
    """Return the entry that was encoded as *stored*.

    Raises:
        InvalidValue: A newer library wrote it, its type is unknown, or a field is wrong.
    """
    data = dict(stored)
    version = data.pop("v", None)
    if version != VERSION:
        raise InvalidValue("v", version, f"{VERSION}: another version of the library wrote this")
    try:
        kind = EVENT_TYPES[data.pop("type")]
        seq, at = data.pop("seq"), from_us(data.pop("at"))
        values = {name: _from_json(value) for name, value in data.items()}
        return JournalEntry(seq, kind(at=at, **values))
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidValue(
            "journal entry", dict(stored), f"one that `encode` wrote ({error})"
        ) from None


def replay(
    entries: Iterable[JournalEntry],
    *,
    session_id: SessionId = _REPLAYED,
    created_at: datetime | None = None,
) -> Iterator[Session]:
    """Yield the session after each entry: its states and counts, not its parameters.

    The journal holds no words and no parameters, so those stand at their defaults.

    Args:
        created_at: As the record has it; None where the session was created with its first
            event, as `create` does.

    Raises:
        InvalidValue: An entry is missing or out of order.
        InvalidState: The journal holds an event that was not legal.
    """
    session: Session | None = None
    for entry in entries:
        if session is None:
            at = created_at or entry.event.at
            session = Session(
                id=session_id, created_at=at, updated_at=at, state_since=at, last_activity_at=at
            )
        if entry.seq != session.seq + 1:
            raise InvalidValue("seq", entry.seq, f"{session.seq + 1}, the next in the journal")
        session = apply(session, entry.event)
        yield session


# JSON has arrays where an event has tuples; everything else is the same on both sides.


def _to_json(value: Any) -> Any:
    return [*value] if type(value) is tuple else value


def _from_json(value: Any) -> Any:
    return (*value,) if type(value) is list else value
