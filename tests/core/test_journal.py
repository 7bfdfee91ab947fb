from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from attrs import evolve, fields_dict
from hypothesis import given, settings, strategies as st

from voicesession.core import events as happened
from voicesession.core.errors import InvalidState, InvalidValue
from voicesession.core.events import (
    ConnectRequested,
    ConsentChanged,
    DetailsChanged,
    EndRequested,
    PauseRequested,
    SessionEvent,
    TransportReady,
)
from voicesession.core.identity import SessionId
from voicesession.core.instants import to_us
from voicesession.core.journal import EVENT_TYPES, JournalEntry, decode, encode, replay
from voicesession.core.states import EndReason
from voicesession.core.utterance import Speaker, UtteranceId
from voicesession.testing.effort import examples
from voicesession.testing.strategies_life import (
    EVENT_KINDS,
    History,
    events_of,
    histories,
    instants,
)

AT = datetime(2026, 11, 21, 9, 30, 0, 250_000, tzinfo=UTC)
AT_US = 1_795_253_400_250_000
ID = UtteranceId("utt_1")

# What is stored of every event, to the letter. It is read again for years: a change here is
# a new version of the encoding.
STORED = """
{"type":"connect_requested"}
{"type":"transport_ready"}
{"type":"transport_lost"}
{"type":"pause_requested"}
{"type":"resume_requested"}
{"type":"budget_spent"}
{"type":"budget_raised"}
{"type":"limit_reached"}
{"type":"limit_raised"}
{"type":"worker_lost"}
{"type":"shutdown_began"}
{"type":"worker_ready"}
{"type":"end_requested","reason":"error","error":"no microphone"}
{"type":"utterance_finished","utterance_id":"utt_1","start_us":1,"end_us":2,"word_count":3}
{"type":"reply_finished","utterance_id":"utt_1","start_us":1,"heard_us":2,"interrupted":true}
{"type":"audio_gap_found","track":"agent","from_us":1,"to_us":2}
{"type":"warning_raised","code":"lag"}
{"type":"consent_changed","given":null,"by":"ada","wording":"v2"}
{"type":"budget_level_reached","meter":"audio_us","scope":"user","level":"warned"}
{"type":"details_changed","fields":["metadata","error"]}
{"type":"recording_linked","partial":false}
"""
WITH_FIELDS: tuple[SessionEvent, ...] = (
    EndRequested(at=AT, reason=EndReason.ERROR, error="no microphone"),
    happened.UtteranceFinished(at=AT, utterance_id=ID, start_us=1, end_us=2, word_count=3),
    happened.ReplyFinished(at=AT, utterance_id=ID, start_us=1, heard_us=2, interrupted=True),
    happened.AudioGapFound(at=AT, track=Speaker.AGENT, from_us=1, to_us=2),
    happened.WarningRaised(at=AT, code="lag"),
    ConsentChanged(at=AT, given=None, by="ada", wording="v2"),
    happened.BudgetLevelReached(at=AT, meter="audio_us", scope="user", level="warned"),
    DetailsChanged(at=AT, fields=("metadata", "error")),
    happened.RecordingLinked(at=AT, partial=False),
)
PAUSE = {"v": 1, "seq": 4, "type": "pause_requested", "at": AT_US}
END = {"v": 1, "seq": 4, "type": "end_requested", "at": AT_US, "reason": "error", "error": None}
GAP = {"v": 1, "seq": 4, "type": "audio_gap_found", "at": AT_US, "track": "user"} | {
    "from_us": 1,
    "to_us": 2,
}
CONSENT = {"v": 1, "seq": 4, "type": "consent_changed", "at": AT_US, "given": True} | {
    "by": None,
    "wording": None,
}
DETAILS = {"v": 1, "seq": 4, "type": "details_changed", "at": AT_US, "fields": ["metadata"]}


def without(stored: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in stored.items() if key != name}


# --- The encoding -----------------------------------------------------------------------


def test_every_event_is_stored_as_it_was_released() -> None:
    bare = [kind(at=AT) for kind in EVENT_KINDS if len(fields_dict(kind)) == 1]
    stored = [json.loads(line) for line in STORED.split("\n") if line]
    assert [encode(JournalEntry(4, event)) for event in (*bare, *WITH_FIELDS)] == [
        {"v": 1, "seq": 4, "at": AT_US} | fields for fields in stored
    ]


@pytest.mark.parametrize("kind", EVENT_KINDS)
@settings(max_examples=examples(20))
@given(data=st.data(), at=instants(), seq=st.integers(1, 2**63 - 1))
def test_every_event_comes_back_from_json_as_it_was(
    kind: type[SessionEvent], data: st.DataObject, at: datetime, seq: int
) -> None:
    entry = JournalEntry(seq, data.draw(events_of(kind, at)))
    stored = json.dumps(encode(entry), allow_nan=False)
    read = decode(json.loads(stored))
    assert read == entry
    assert type(read.event) is kind
    assert json.dumps(encode(read)) == stored
    assert EVENT_TYPES[entry.type] is kind


def test_no_field_of_an_event_hides_one_of_the_entry() -> None:
    for kind in EVENT_KINDS:
        assert not {"v", "seq", "type"} & set(fields_dict(kind))


def test_every_type_has_one_name() -> None:
    assert len(set(EVENT_TYPES.values())) == len(EVENT_TYPES)
    for name, kind in EVENT_TYPES.items():
        assert name.replace("_", "") == kind.__name__.lower()


def test_reading_leaves_what_was_stored_as_it_is() -> None:
    stored = dict(DETAILS)
    decode(stored)
    assert stored == DETAILS


def test_fields_with_a_default_may_be_missing() -> None:
    read = decode(without(END, "error"))
    assert read == JournalEntry(4, EndRequested(at=AT, reason=EndReason.ERROR))


# --- What is refused --------------------------------------------------------------------


@pytest.mark.parametrize("version", [0, 2, "1", None])
def test_another_version_is_refused_and_says_so(version: object) -> None:
    with pytest.raises(InvalidValue) as refusal:
        decode(PAUSE | {"v": version})
    assert refusal.value.args == ("v", version, "1: another version of the library wrote this")
    with pytest.raises(InvalidValue, match=r"^v is None"):
        decode(without(PAUSE, "v"))


@pytest.mark.parametrize("wrong", ["pause_demanded", "PauseRequested", "", None, 3, ["x"], {}])
def test_an_unknown_type_is_refused(wrong: Any) -> None:
    with pytest.raises(InvalidValue, match=r"^journal entry is "):
        decode(PAUSE | {"type": wrong})


NEEDED: list[tuple[dict[str, Any], list[str]]] = [
    (PAUSE, ["type", "seq", "at"]),
    (END, ["reason"]),
    (GAP, ["track", "from_us", "to_us"]),
    (CONSENT, ["given"]),
    (DETAILS, ["fields"]),
]


@pytest.mark.parametrize(
    ("stored", "name"), [(stored, name) for stored, names in NEEDED for name in names]
)
def test_a_missing_field_is_refused(stored: dict[str, Any], name: str) -> None:
    decode(stored)
    with pytest.raises(InvalidValue, match=name):
        decode(without(stored, name))


@pytest.mark.parametrize("stored", [PAUSE, END, GAP, CONSENT, DETAILS])
@pytest.mark.parametrize("unknown", ["mood", "self", "", "At"])
def test_an_unknown_field_is_refused(stored: dict[str, Any], unknown: str) -> None:
    with pytest.raises(InvalidValue, match="journal entry"):
        decode(stored | {unknown: 1})


WRONG_FIELDS: list[tuple[dict[str, Any], str, list[Any]]] = [
    (PAUSE, "seq", [0, -1, 1.0, True, "4", None, 2**63]),
    (PAUSE, "at", [1.5, "2026-11-21", None, True, 10**30, -(10**30), [1]]),
    (END, "reason", ["bored", None, 3, ["error"], {}]),
    (END, "error", [5, ["x"], "a\0b"]),
    (GAP, "track", ["crowd", None, 3]),
    (GAP, "from_us", [-1, 3, 1.0, "1", None]),
    (GAP, "to_us", [0, 2.0, "2", None, 2**63]),
    (CONSENT, "given", [0, 1, "yes", "false", []]),
    (DETAILS, "fields", ["metadata", None, [5], [["x"]], {"a": 1}]),
]


@pytest.mark.parametrize(
    ("stored", "name", "wrong"),
    [(stored, name, wrong) for stored, name, many in WRONG_FIELDS for wrong in many],
)
def test_a_wrong_field_is_refused_and_nothing_else_is_raised(
    stored: dict[str, Any], name: str, wrong: Any
) -> None:
    entry = stored | {name: wrong}
    with pytest.raises(InvalidValue) as refusal:
        decode(entry)
    assert (refusal.value.field, refusal.value.value) == ("journal entry", entry)
    assert refusal.value.allowed.startswith("one that `encode` wrote (")


@given(
    st.dictionaries(
        st.sampled_from(["v", "seq", "type", "at", "reason", "track", "fields", "x"]),
        st.recursive(
            st.none()
            | st.booleans()
            | st.integers()
            | st.floats()
            | st.sampled_from([*EVENT_TYPES]),
            lambda parts: st.lists(parts) | st.dictionaries(st.text(max_size=2), parts),
            max_leaves=4,
        ),
    )
)
def test_whatever_stands_in_a_store_is_an_entry_or_an_invalid_value(stored: dict[str, Any]) -> None:
    for candidate in (stored, stored | {"v": 1}, PAUSE | stored, PAUSE | stored | {"v": 1}):
        try:
            entry = decode(candidate)
        except InvalidValue:
            continue
        assert decode(encode(entry)) == entry


@pytest.mark.parametrize("wrong", [0, -1, True, 1.0, "1", None])
def test_a_place_in_a_journal_counts_from_one(wrong: Any) -> None:
    with pytest.raises(InvalidValue, match=r"^seq is "):
        JournalEntry(wrong, PauseRequested(at=AT))
    assert JournalEntry(1, PauseRequested(at=AT)).seq == 1


def test_only_events_that_can_be_read_back_are_journalled() -> None:
    class LatePause(PauseRequested):
        pass

    for unknown in (SessionEvent(at=AT), LatePause(at=AT)):
        with pytest.raises(InvalidValue, match=r"^event is .*; allowed: an event whose type is in"):
            JournalEntry(1, unknown)


# --- Replay -----------------------------------------------------------------------------

PARAMETERS = (
    "tenant_id user_id created_by mode language model encoding sample_rate channels store_audio "
    "store_transcript enhance_on_end retention_days max_active_us max_wall_clock_us "
    "device_type client_version key_hash "
    "recording_consent secrets_blurred previous_session_id session_template_id room_name "
    "modality_profile enabled_panels token_expiry client_ip metadata_json"
)


@settings(max_examples=examples(40))
@given(histories())
def test_a_journal_replays_to_the_states_that_were_seen(history: History) -> None:
    start = history.start
    stored = json.dumps([encode(entry) for entry in history.journal])
    read = [decode(entry) for entry in json.loads(stored)]
    replayed = list(replay(read, session_id=start.id, created_at=start.created_at))
    assert len(replayed) == len(history.snapshots)
    for state, seen in zip(replayed, history.snapshots, strict=True):
        parameters = {name: getattr(seen, name) for name in PARAMETERS.split()}
        assert evolve(state, **parameters) == seen
        if seen.consent_at is not None:
            assert state.recording_consent == seen.recording_consent


def test_a_session_created_with_its_first_event_needs_nothing_but_the_journal() -> None:
    story = (
        ConnectRequested(at=AT),
        TransportReady(at=AT + timedelta(seconds=2)),
        PauseRequested(at=AT + timedelta(seconds=1)),  # by a worker whose clock is behind
        EndRequested(at=AT + timedelta(seconds=9), reason=EndReason.COMPLETED),
    )
    entries = [JournalEntry(seq, event) for seq, event in enumerate(story, start=1)]
    states = list(replay(entries))
    assert [state.state for state in states] == ["CONNECTING", "LIVE", "PAUSED", "ENDED"]
    assert [to_us(state.updated_at) - AT_US for state in states] == [
        0,
        2 * 10**6,
        2 * 10**6,
        9 * 10**6,
    ]
    assert (states[0].created_at, states[0].id) == (AT, "replayed")
    assert next(replay(entries, session_id=SessionId("mine"))).id == "mine"


def test_an_empty_journal_replays_to_nothing() -> None:
    assert list(replay([])) == []


def test_a_replay_goes_on_for_as_long_as_it_is_asked() -> None:
    entries = iter(
        [JournalEntry(1, ConnectRequested(at=AT)), JournalEntry(9, TransportReady(at=AT))]
    )
    states = replay(entries)
    assert next(states).state == "CONNECTING"
    with pytest.raises(InvalidValue, match=r"^seq is 9; allowed: 2, the next in the journal"):
        next(states)


@settings(max_examples=examples(40))
@given(histories(), st.data())
def test_a_journal_with_a_hole_or_out_of_order_is_refused(
    history: History, data: st.DataObject
) -> None:
    journal = list(history.journal)
    if len(journal) < 2:
        return
    missing = data.draw(st.integers(0, len(journal) - 2))
    swapped = [*journal[:missing], journal[missing + 1], journal[missing], *journal[missing + 2 :]]
    for broken in (journal[:missing] + journal[missing + 1 :], swapped):
        with pytest.raises(InvalidValue, match=r"^seq is "):
            list(replay(broken))


def test_a_journal_that_tells_of_an_illegal_event_is_refused() -> None:
    entries = [JournalEntry(1, ConnectRequested(at=AT)), JournalEntry(2, PauseRequested(at=AT))]
    with pytest.raises(InvalidState, match="PauseRequested is not allowed when CONNECTING"):
        list(replay(entries))
