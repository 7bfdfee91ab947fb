from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from attrs import evolve, fields, fields_dict
from attrs.exceptions import FrozenInstanceError
from hypothesis import given

from voicesession.core import events as happened
from voicesession.core.errors import InvalidValue
from voicesession.core.events import (
    AudioGapFound,
    BudgetLevelReached,
    ConsentChanged,
    DetailsChanged,
    EndRequested,
    PauseRequested,
    RecordingLinked,
    ReplyFinished,
    SessionEvent,
    UtteranceFinished,
    WarningRaised,
)
from voicesession.core.states import EndReason
from voicesession.core.utterance import Speaker, UtteranceId
from voicesession.testing.strategies_life import EVENT_KINDS, events

AT = datetime(2026, 11, 21, tzinfo=UTC)
ID = UtteranceId("utt_1")
GAP = AudioGapFound(at=AT, track=Speaker.USER, from_us=5, to_us=9)
UTTERANCE = UtteranceFinished(at=AT, utterance_id=ID, start_us=5, end_us=9, word_count=2)
REPLY = ReplyFinished(at=AT, utterance_id=ID, start_us=5, heard_us=9, interrupted=True)
CONSENT = ConsentChanged(at=AT, given=True, by="ada", wording="v2")
LEVEL = BudgetLevelReached(at=AT, meter="audio_us", scope="user", level="warned")

# What an event may say. It is stored for years: no words, no audio, no secrets.
SAID = """
AudioGapFound       track from_us to_us
BudgetLevelReached  meter scope level
BudgetRaised
BudgetSpent
ConnectRequested
ConsentChanged      given by wording
DetailsChanged      fields
EndRequested        reason error
LimitRaised
LimitReached
PauseRequested
RecordingLinked     partial
ReplyFinished       utterance_id start_us heard_us interrupted
ResumeRequested
ShutdownBegan
TransportLost
TransportReady
UtteranceFinished   utterance_id start_us end_us word_count
WarningRaised       code
WorkerLost
WorkerReady
"""


def changed(event: SessionEvent, **changes: Any) -> Any:
    return evolve(event, **changes)


def test_events_say_what_they_may_and_no_more() -> None:
    said = {line.split()[0]: line.split()[1:] for line in SAID.strip().splitlines()}
    assert {
        kind.__name__: [name for name in fields_dict(kind) if name != "at"]
        for kind in SessionEvent.__subclasses__()
        if kind.__module__ == happened.__name__
    } == said


def test_every_type_of_event_is_public_and_drawn_by_the_strategies() -> None:
    public = {getattr(happened, name) for name in happened.__all__}
    assert public == {SessionEvent, *EVENT_KINDS}


@given(events())
def test_an_event_does_not_change(event: SessionEvent) -> None:
    for attribute in fields(type(event)):
        with pytest.raises(FrozenInstanceError):
            setattr(event, attribute.name, None)
    assert hash(event) == hash(evolve(event))


@given(events())
def test_an_event_is_stamped_in_utc_and_refuses_a_stamp_without_a_zone(event: SessionEvent) -> None:
    assert event.at.tzinfo is UTC
    assert evolve(event, at=event.at.astimezone(ZoneInfo("Asia/Tokyo"))) == event
    naive = event.at.replace(tzinfo=None)
    with pytest.raises(InvalidValue) as refusal:
        evolve(event, at=naive)
    assert refusal.value.args == ("at", naive, "a datetime with a time zone")


@pytest.mark.parametrize("wrong", [-1, 1.5, True, "1", None, 2**63])
@pytest.mark.parametrize(
    ("event", "name"),
    [
        (GAP, "from_us"),
        (GAP, "to_us"),
        (UTTERANCE, "start_us"),
        (UTTERANCE, "end_us"),
        (UTTERANCE, "word_count"),
        (REPLY, "start_us"),
        (REPLY, "heard_us"),
    ],
)
def test_numbers_are_whole_and_not_negative(event: SessionEvent, name: str, wrong: Any) -> None:
    with pytest.raises(InvalidValue) as refusal:
        changed(event, **{name: wrong})
    assert (refusal.value.field, refusal.value.value) == (name, wrong)


@pytest.mark.parametrize(
    ("event", "start", "end"), [(GAP, "from_us", "to_us"), (UTTERANCE, "start_us", "end_us")]
)
def test_nothing_ends_before_it_begins(event: SessionEvent, start: str, end: str) -> None:
    changed(event, **{start: 7, end: 7})
    with pytest.raises(InvalidValue) as refusal:
        changed(event, **{start: 7, end: 6})
    assert refusal.value.args == (end, 6, f"7 ({start}) or later")


def test_how_much_was_heard_is_a_length_and_not_a_place() -> None:
    assert changed(REPLY, start_us=10**9, heard_us=0).heard_us == 0


@pytest.mark.parametrize("wrong", ["a\0b", "\ud800", 5, b"x"])
@pytest.mark.parametrize(
    ("event", "name"),
    [
        (UTTERANCE, "utterance_id"),
        (REPLY, "utterance_id"),
        (WarningRaised(at=AT, code="lag"), "code"),
        (CONSENT, "by"),
        (CONSENT, "wording"),
        (LEVEL, "meter"),
        (LEVEL, "scope"),
        (LEVEL, "level"),
        (EndRequested(at=AT, reason=EndReason.ERROR), "error"),
    ],
)
def test_texts_are_texts_that_every_store_can_keep(
    event: SessionEvent, name: str, wrong: Any
) -> None:
    with pytest.raises(InvalidValue) as refusal:
        changed(event, **{name: wrong})
    assert (refusal.value.field, refusal.value.value) == (name, wrong)


@pytest.mark.parametrize("name", ["by", "wording"])
def test_who_answered_to_which_wording_need_not_be_known(name: str) -> None:
    assert getattr(changed(CONSENT, **{name: None}), name) is None
    assert EndRequested(at=AT, reason=EndReason.COMPLETED).error is None


@pytest.mark.parametrize(
    ("event", "name"),
    [(CONSENT, "given"), (REPLY, "interrupted"), (RecordingLinked(at=AT, partial=True), "partial")],
)
@pytest.mark.parametrize("wrong", [0, 1, "yes", "false"])
def test_yes_and_no_are_nothing_else(event: SessionEvent, name: str, wrong: Any) -> None:
    with pytest.raises(InvalidValue) as refusal:
        changed(event, **{name: wrong})
    assert refusal.value.args == (name, wrong, "true or false")


def test_an_answer_may_be_taken_back_but_the_end_of_a_reply_is_one_or_the_other() -> None:
    assert changed(CONSENT, given=None).given is None
    for event, name in ((REPLY, "interrupted"), (RecordingLinked(at=AT, partial=True), "partial")):
        with pytest.raises(InvalidValue, match=name):
            changed(event, **{name: None})


def test_reasons_and_tracks_are_words_of_their_lists() -> None:
    assert EndRequested(at=AT, reason="expired").reason is EndReason.EXPIRED
    assert evolve(GAP, track="agent").track is Speaker.AGENT
    with pytest.raises(InvalidValue, match=r"^reason is 'bored'; allowed: completed, "):
        EndRequested(at=AT, reason="bored")
    with pytest.raises(InvalidValue, match=r"^track is 'crowd'; allowed: user, agent$"):
        evolve(GAP, track="crowd")


def test_changed_fields_are_named_one_by_one() -> None:
    assert DetailsChanged(at=AT, fields=("metadata", "error")).fields == ("metadata", "error")
    with pytest.raises(InvalidValue, match="fields"):
        DetailsChanged(at=AT, fields=("metadata", "a\0b"))
    with pytest.raises(TypeError, match="fields"):
        DetailsChanged(at=AT, fields="metadata")  # type: ignore[arg-type]


def test_two_types_of_event_are_never_equal() -> None:
    assert len({kind(at=AT) for kind in EVENT_KINDS if len(fields(kind)) == 1}) == 12
    assert PauseRequested(at=AT) != SessionEvent(at=AT)
