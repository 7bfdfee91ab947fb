"""The journal of a session, from a store or a server, and what the core makes of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from ..core.instants import to_us
from ..core.journal import VERSION, JournalEntry, decode, replay
from ..core.session import Session

if TYPE_CHECKING:
    from ..client import VoiceClient
    from ..runtime.manager import SessionManager

__all__ = ("RecordDiffers", "check_record", "journal_of_server", "journal_of_store", "replayed")

_AT_ONCE: Final = 100


class RecordDiffers(Exception):
    """A session's record is not what its journal comes to."""


async def journal_of_store(voice: SessionManager, session_id: str) -> list[dict[str, Any]]:
    """Return the whole journal, as it is told over HTTP."""
    from ..schemas.journal import event_document

    events: list[dict[str, Any]] = []
    while entries := await voice.journal(session_id, after=len(events), limit=_AT_ONCE):
        events += [event_document(entry) for entry in entries]
    return events


async def journal_of_server(client: VoiceClient, session_id: str) -> list[dict[str, Any]]:
    """Return the whole journal, as a server tells it."""
    events: list[dict[str, Any]] = []
    has_more = True
    while has_more:
        page = await client.events(session_id, after=len(events), limit=_AT_ONCE)
        events += [event.model_dump(mode="json") for event in page.events]
        has_more = page.has_more
    return events


def replayed(
    events: Sequence[Mapping[str, Any]], *, created_at: str
) -> Iterator[tuple[JournalEntry, Session]]:
    """Yield each entry, and the session as the core has it behind it.

    Raises:
        InvalidValue: An entry is missing, or a newer library wrote it.
        InvalidState: An event was not legal where it stands.
    """
    entries = [_entry(event) for event in events]
    states = replay(entries, created_at=datetime.fromisoformat(created_at))
    return zip(entries, states, strict=True)


def check_record(record: Mapping[str, Any], session: Session | None) -> None:
    """Do nothing, if *record* has the state that the journal comes to.

    Raises:
        RecordDiffers: It has another one.
    """
    if session is None:
        raise RecordDiffers("there is no journal of this session")
    told = {
        "seq": session.seq,
        "state": session.state,
        "pause_reasons": sorted(session.pause_reasons),
        "end_reason": session.end_reason,
    }
    others = [
        f"{name} is {record[name]}, and not {value}"
        for name, value in told.items()
        if record[name] != value
    ]
    if others:
        raise RecordDiffers(f"the record says otherwise: {'; '.join(others)}")


def _entry(told: Mapping[str, Any]) -> JournalEntry:
    return decode({**told, "v": VERSION, "at": to_us(datetime.fromisoformat(told["at"]))})
