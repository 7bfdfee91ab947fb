"""What a client is told of a session, and that it is told once."""

from datetime import UTC, datetime
from typing import Any

import pytest

from voicesession import Session, Speaker, Utterance, apply
from voicesession.core.events import (
    ConnectRequested,
    PauseRequested,
    TransportReady,
    UtteranceFinished,
)
from voicesession.core.identity import SessionId
from voicesession.core.journal import JournalEntry
from voicesession.core.utterance import UtteranceId
from voicesession.runtime.happenings import SessionChanged, UtteranceStored
from voicesession.web.socket.narration import Narrator
from voicesession.web.socket.query import Wishes

AT = datetime(2026, 1, 1, tzinfo=UTC)
SAID = Utterance(
    id=UtteranceId("utt_1"), speaker=Speaker.USER, start_us=0, end_us=1, text="good morning"
)
EVENTS = (
    ConnectRequested(at=AT),
    TransportReady(at=AT),
    UtteranceFinished(at=AT, utterance_id=SAID.id, start_us=0, end_us=1, word_count=2),
    PauseRequested(at=AT),
)


def happenings() -> list[object]:
    """A session that somebody connects to, up to a pause, as its listeners hear of it."""
    before = Session(
        id=SessionId("s"), created_at=AT, updated_at=AT, state_since=AT, last_activity_at=AT
    )
    told: list[object] = []
    for event in EVENTS:
        after = apply(before, event)
        told.append(SessionChanged(before, after, (JournalEntry(after.seq, event),)))
        before = after
    return [*told[1:3], UtteranceStored(SAID), told[3]]


def told_after(seq: int) -> list[tuple[str, Any]]:
    narrator = Narrator(Wishes(), told_until=seq, is_conversation=True)
    messages = [m for happening in happenings() for m in narrator.tell(happening, at=AT)]
    return [(message.type, getattr(message, "seq", None)) for message in messages]


@pytest.mark.parametrize("seq", range(5))
def test_what_the_past_has_told_is_not_told_again(seq: int) -> None:
    everything = [("session.state", 2), ("transcript.final", 3), ("session.paused", 4)]
    assert told_after(seq) == [told for told in everything if told[1] > seq]


def test_words_are_told_only_once_they_are_stored() -> None:
    narrator = Narrator(Wishes(), told_until=0, is_conversation=True)
    before_it_is_stored = [m for h in happenings()[:2] for m in narrator.tell(h, at=AT)]
    assert [message.type for message in before_it_is_stored] == ["session.state"]
    (final,) = narrator.tell(UtteranceStored(SAID), at=AT)
    assert final.type == "transcript.final"
    assert list(narrator.tell(UtteranceStored(SAID), at=AT)) == []
