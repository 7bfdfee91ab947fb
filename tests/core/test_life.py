from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given, settings, strategies as st

from voicesession.core.errors import InvalidState
from voicesession.core.events import (
    AudioGapFound,
    BudgetLevelReached,
    BudgetRaised,
    BudgetSpent,
    ConnectRequested,
    ConsentChanged,
    DetailsChanged,
    EndRequested,
    PauseRequested,
    RecordingLinked,
    ReplyFinished,
    ResumeRequested,
    SessionEvent,
    ShutdownBegan,
    TransportLost,
    TransportReady,
    UtteranceFinished,
    WarningRaised,
    WorkerLost,
    WorkerReady,
)
from voicesession.core.identity import SessionId
from voicesession.core.life import Reaction, apply, is_legal, reactions
from voicesession.core.session import Pause, Session
from voicesession.core.states import EndReason, PauseReason, SessionState
from voicesession.core.utterance import Speaker, UtteranceId
from voicesession.testing.effort import examples
from voicesession.testing.machine_life import LifeMachine
from voicesession.testing.strategies_life import (
    EVENT_KINDS,
    History,
    events,
    events_of,
    histories,
    sessions,
)

T0 = datetime(2026, 11, 21, tzinfo=UTC)
NEW = Session(
    id=SessionId("sess_1"), created_at=T0, updated_at=T0, state_since=T0, last_activity_at=T0
)
WORDS = UtteranceFinished(
    at=T0, utterance_id=UtteranceId("utt_1"), start_us=0, end_us=9, word_count=4
)
REPLY = ReplyFinished(
    at=T0, utterance_id=UtteranceId("utt_2"), start_us=0, heard_us=9, interrupted=False
)
CONSENT = ConsentChanged(at=T0, given=False, by="ada", wording="v2")
RECORDING = RecordingLinked(at=T0, partial=True)

TestLife = LifeMachine.TestCase
TestLife.settings = settings(max_examples=examples(50), stateful_step_count=40)


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def lived(*story: Any, start: Session = NEW) -> Session:
    """Return what becomes of *start*: types of events, or events, each a second after the last."""
    session = start
    for step in story:
        moment = session.updated_at + timedelta(seconds=1)
        event = step(at=moment) if isinstance(step, type) else evolve(step, at=moment)
        session = apply(session, event)
    return session


CONNECTING = lived(ConnectRequested)
LIVE = lived(TransportReady, start=CONNECTING)
PAUSED = lived(PauseRequested, start=LIVE)
ENDED = lived(EndRequested(at=T0, reason=EndReason.COMPLETED), start=LIVE)


# --- What apply takes -------------------------------------------------------------------


@settings(max_examples=examples(50))
@given(sessions(), events())
def test_apply_takes_what_is_legal_and_refuses_the_rest(
    session: Session, event: SessionEvent
) -> None:
    before = evolve(session)
    if is_legal(session, event):
        assert apply(session, event).seq == session.seq + 1
    else:
        with pytest.raises(InvalidState) as refusal:
            apply(session, event)
        assert refusal.value.event == type(event).__name__
        assert refusal.value.state.split()[0] == session.state
    assert session == before


@settings(max_examples=examples(25))
@given(sessions(), st.data())
def test_a_refusal_lists_exactly_what_would_be_taken(session: Session, data: st.DataObject) -> None:
    made = [data.draw(events_of(kind, session.updated_at)) for kind in EVENT_KINDS]
    legal = {type(event).__name__ for event in made if is_legal(session, event)}
    for event in made:
        if not is_legal(session, event):
            with pytest.raises(InvalidState) as refusal:
                apply(session, event)
            assert set(refusal.value.allowed) == legal


def test_a_refusal_tells_why_the_session_is_paused() -> None:
    twice = lived(BudgetSpent, start=PAUSED)
    with pytest.raises(InvalidState) as refusal:
        apply(twice, PauseRequested(at=T0))
    assert refusal.value.state == "PAUSED (user, budget_exhausted)"
    assert "ResumeRequested" in refusal.value.allowed
    assert "BudgetRaised" in refusal.value.allowed
    assert "TransportReady" not in refusal.value.allowed
    assert "PauseRequested" not in refusal.value.allowed
    with pytest.raises(InvalidState) as refusal:
        apply(LIVE, ResumeRequested(at=T0))
    assert refusal.value.state == "LIVE"


def test_an_event_without_a_type_of_its_own_is_never_legal() -> None:
    for session in (NEW, CONNECTING, LIVE, PAUSED, ENDED):
        assert not is_legal(session, SessionEvent(at=T0))


def test_a_type_that_a_host_derives_is_not_taken_for_the_one_that_it_derives_from() -> None:
    class LatePause(PauseRequested):
        pass

    assert not is_legal(LIVE, LatePause(at=T0))


# --- Pauses -----------------------------------------------------------------------------


def test_a_user_cannot_resume_past_an_exhausted_budget() -> None:
    stopped = lived(BudgetSpent, start=PAUSED)
    resumed = lived(ResumeRequested, start=stopped)
    assert resumed.state is SessionState.PAUSED
    assert resumed.pause_reasons == {PauseReason.BUDGET_EXHAUSTED}
    assert not is_legal(resumed, ResumeRequested(at=T0))
    assert lived(BudgetRaised, start=resumed).state is SessionState.LIVE


def test_a_reconnect_does_not_undo_a_pause_by_the_user() -> None:
    back = lived(TransportLost, TransportReady, start=PAUSED)
    assert back.state is SessionState.PAUSED
    assert back.pause_reasons == {PauseReason.USER}


def test_a_new_worker_lifts_a_loss_and_a_shutdown_at_once() -> None:
    gone = lived(ShutdownBegan, WorkerLost, start=LIVE)
    assert gone.pause_reasons == {PauseReason.SHUTDOWN, PauseReason.WORKER_LOST}
    assert lived(WorkerReady, start=gone).state is SessionState.LIVE


def test_the_same_reason_is_not_given_twice() -> None:
    assert not is_legal(PAUSED, PauseRequested(at=T0))
    assert is_legal(PAUSED, TransportLost(at=T0))


def test_each_reason_remembers_since_when_it_stands() -> None:
    session = lived(TransportLost, BudgetSpent, TransportReady, start=PAUSED)
    assert session.pauses == (
        Pause(PauseReason.USER, PAUSED.updated_at),
        Pause(PauseReason.BUDGET_EXHAUSTED, PAUSED.updated_at + timedelta(seconds=2)),
    )


def test_an_ended_session_is_paused_for_nothing() -> None:
    ended = lived(EndRequested(at=T0, reason=EndReason.CANCELLED), start=PAUSED)
    assert (ended.pauses, ended.state) == ((), SessionState.ENDED)


# --- Time -------------------------------------------------------------------------------


def test_each_entry_into_a_state_leaves_its_time() -> None:
    assert (CONNECTING.started_at, CONNECTING.live_at, CONNECTING.ended_at) == (at(1), None, None)
    assert (LIVE.started_at, LIVE.live_at, LIVE.state_since) == (at(1), at(2), at(2))
    again = lived(ResumeRequested, start=PAUSED)
    assert (again.live_at, again.state_since) == (at(2), at(4))
    assert (ENDED.ended_at, ENDED.updated_at) == (at(3), at(3))
    assert NEW.started_at is None


def test_what_leaves_the_state_as_it_is_leaves_its_beginning_as_it_is() -> None:
    later = lived(WORDS, BudgetSpent, TransportLost, start=PAUSED)
    assert (later.state_since, later.updated_at) == (PAUSED.state_since, at(6))


def test_pauses_are_free() -> None:
    session = lived(PauseRequested, TransportLost, TransportReady, ResumeRequested, start=LIVE)
    assert session.active_us == 1_000_000
    assert lived(WORDS, PauseRequested, start=session).active_us == 3_000_000
    ended = lived(WORDS, EndRequested(at=T0, reason=EndReason.COMPLETED), start=session)
    assert ended.active_us == 3_000_000


def test_connecting_is_not_active_time() -> None:
    assert LIVE.active_us == 0
    ended = lived(EndRequested(at=T0, reason=EndReason.ERROR), start=CONNECTING)
    assert ended.active_us == 0


@settings(max_examples=examples(25))
@given(histories(), st.timedeltas(timedelta(seconds=-9), timedelta(microseconds=-1)), st.data())
def test_a_worker_whose_clock_is_behind_cannot_turn_time_back(
    history: History, behind: timedelta, data: st.DataObject
) -> None:
    session = history.session
    for kind in EVENT_KINDS:
        early = data.draw(events_of(kind, session.updated_at + behind))
        if is_legal(session, early):
            in_time = evolve(early, at=session.updated_at)
            assert apply(session, early) == apply(session, in_time)


@pytest.mark.parametrize(
    "sign",
    [TransportReady, PauseRequested, ResumeRequested, ConnectRequested, WORDS, REPLY],
)
def test_what_somebody_does_is_a_sign_of_life(sign: Any) -> None:
    kind = sign if isinstance(sign, type) else type(sign)
    for session in (NEW, CONNECTING, LIVE, PAUSED):
        if is_legal(session, kind(at=T0) if isinstance(sign, type) else sign):
            after = lived(sign, start=session)
            assert after.last_activity_at == after.updated_at > session.last_activity_at


NO_SIGNS = [
    TransportLost,
    BudgetSpent,
    BudgetRaised,
    WorkerLost,
    ShutdownBegan,
    WorkerReady,
    WarningRaised(at=T0, code="lag"),
    DetailsChanged(at=T0, fields=("metadata",)),
    AudioGapFound(at=T0, track=Speaker.USER, from_us=0, to_us=1),
    BudgetLevelReached(at=T0, meter="audio_us", scope="user", level="warned"),
    CONSENT,
]


@pytest.mark.parametrize("no_sign", NO_SIGNS)
def test_what_happens_by_itself_is_no_sign_of_life(no_sign: Any) -> None:
    tired = lived(BudgetSpent, WorkerLost, start=LIVE)
    taken = 0
    for session in (LIVE, PAUSED, tired):
        event = no_sign(at=T0) if isinstance(no_sign, type) else no_sign
        if is_legal(session, event):
            assert lived(no_sign, start=session).last_activity_at == session.last_activity_at
            taken += 1
    assert taken


# --- What an event leaves behind --------------------------------------------------------


def test_utterances_and_replies_are_counted() -> None:
    session = lived(WORDS, WORDS, REPLY, start=LIVE)
    assert (session.utterance_count, session.word_count, session.message_count) == (2, 8, 3)


def test_a_final_that_arrives_behind_a_pause_still_counts() -> None:
    assert lived(WORDS, start=PAUSED).word_count == 4
    assert lived(WORDS, start=PAUSED).state is SessionState.PAUSED


def test_consent_is_kept_with_who_gave_it_to_which_wording_and_when() -> None:
    session = lived(CONSENT, start=LIVE)
    assert (session.recording_consent, session.consent_at) == (False, session.updated_at)
    assert (session.consent_by, session.consent_wording) == ("ada", "v2")
    taken_back = lived(ConsentChanged(at=T0, given=None), start=session)
    assert (taken_back.recording_consent, taken_back.consent_by) == (None, None)
    assert taken_back.consent_at == taken_back.updated_at


def test_the_end_keeps_its_reason_and_what_went_wrong() -> None:
    broken = EndRequested(at=T0, reason=EndReason.ERROR, error="no microphone")
    session = lived(broken, start=CONNECTING)
    assert (session.end_reason, session.error, session.status) == (
        "error",
        "no microphone",
        "error",
    )
    known = evolve(LIVE, error="spool full")
    assert lived(EndRequested(at=T0, reason=EndReason.COMPLETED), start=known).error == "spool full"
    assert lived(broken, start=known).error == "no microphone"


def test_the_end_takes_the_deadline_away() -> None:
    watched = evolve(LIVE, deadline_at=at(99))
    assert lived(PauseRequested, start=watched).deadline_at == at(99)
    ended = lived(EndRequested(at=T0, reason=EndReason.EXPIRED), start=watched)
    assert ended.deadline_at is None


def test_a_recovered_recording_may_be_linked_after_the_end() -> None:
    linked = lived(RECORDING, start=ENDED)
    assert (linked.audio_partial, linked.state, linked.ended_at) == (True, "ENDED", ENDED.ended_at)
    assert not lived(evolve(RECORDING, partial=False), start=linked).audio_partial


@settings(max_examples=examples(25))
@given(histories(), st.data())
def test_an_event_changes_what_it_is_about_and_nothing_else(
    history: History, data: st.DataObject
) -> None:
    touched: dict[type[SessionEvent], set[str]] = {
        ConnectRequested: {"started_at"},
        EndRequested: {"ended_at", "end_reason", "error", "deadline_at"},
        UtteranceFinished: {"utterance_count", "word_count", "message_count"},
        ReplyFinished: {"message_count"},
        RecordingLinked: {"audio_partial"},
        ConsentChanged: {"recording_consent", "consent_by", "consent_wording", "consent_at"},
    }
    always = {"seq", "updated_at", "state", "pauses", "state_since", "active_us", "live_at"}
    session = history.session
    for kind in EVENT_KINDS:
        event = data.draw(events_of(kind, session.updated_at + timedelta(seconds=1)))
        if is_legal(session, event):
            after = apply(session, event)
            may_change = always | touched.get(kind, set()) | {"last_activity_at"}
            kept = {name: getattr(session, name) for name in may_change}
            assert evolve(after, **kept) == session


# --- Reactions --------------------------------------------------------------------------

SAVE, FALL_SILENT, SETTLE = Reaction.SAVE, Reaction.FALL_SILENT, Reaction.SETTLE
LISTEN, FINALISE, PURGE = Reaction.LISTEN, Reaction.FINALISE, Reaction.PURGE_RECORDING


@pytest.mark.parametrize(
    ("before", "after", "owed"),
    [
        (LIVE, LIVE, ()),
        (NEW, CONNECTING, (SAVE,)),
        (CONNECTING, LIVE, (SAVE, LISTEN)),
        (LIVE, lived(WORDS, start=LIVE), (SAVE,)),
        (LIVE, PAUSED, (SAVE, FALL_SILENT, SETTLE)),
        (PAUSED, lived(BudgetSpent, start=PAUSED), (SAVE,)),
        (PAUSED, lived(ResumeRequested, start=PAUSED), (SAVE, LISTEN)),
        (LIVE, ENDED, (SAVE, FALL_SILENT, SETTLE, FINALISE)),
        (
            PAUSED,
            lived(EndRequested(at=T0, reason=EndReason.COMPLETED), start=PAUSED),
            (SAVE, FINALISE),
        ),
        (ENDED, lived(RECORDING, start=ENDED), (SAVE,)),
    ],
)
def test_each_move_owes_what_it_brings_about(
    before: Session, after: Session, owed: tuple[Reaction, ...]
) -> None:
    assert reactions(before, after) == owed


def _recording(session: Session) -> Session:
    return evolve(session, store_audio=True)


@pytest.mark.parametrize("state", [CONNECTING, LIVE, PAUSED, ENDED])
def test_a_refused_consent_purges_what_was_recorded_also_after_the_end(state: Session) -> None:
    before = _recording(state)
    assert reactions(before, lived(CONSENT, start=before)) == (SAVE, PURGE)
    assert reactions(state, lived(CONSENT, start=state)) == (SAVE,)
    given = evolve(CONSENT, given=True)
    assert reactions(before, lived(given, start=before)) == (SAVE,)


def test_what_was_refused_is_purged_before_anything_is_composed() -> None:
    before = _recording(LIVE)
    end = EndRequested(at=T0, reason=EndReason.COMPLETED)
    after = lived(CONSENT, end, start=before)
    assert reactions(before, after) == (SAVE, FALL_SILENT, SETTLE, PURGE, FINALISE)


@settings(max_examples=examples(50))
@given(histories(), st.integers(0, 20), st.integers(0, 20))
def test_it_does_not_matter_who_made_the_changes_nor_how_many(
    history: History, one: int, other: int
) -> None:
    seen = (history.start, *history.snapshots)
    early, late = sorted((one % len(seen), other % len(seen)))
    before, after = seen[early], seen[late]
    owed = reactions(before, after)
    assert (SAVE in owed) == (early != late)
    assert (FINALISE in owed) == (before.ended_at is None and after.ended_at is not None)
    assert (LISTEN in owed) == (before.state != "LIVE" and after.state == "LIVE")
    assert (SETTLE in owed) == (FALL_SILENT in owed) == (before.state == "LIVE" != after.state)
    assert list(owed) == [
        r for r in (SAVE, FALL_SILENT, SETTLE, LISTEN, PURGE, FINALISE) if r in owed
    ]


def test_every_reaction_is_owed_at_some_time() -> None:
    pairs: list[tuple[Session, Session]] = [
        (_recording(LIVE), lived(CONSENT, start=_recording(LIVE))),
        (CONNECTING, LIVE),
        (LIVE, ENDED),
    ]
    owed: Callable[[Session, Session], tuple[Reaction, ...]] = reactions
    assert {reaction for pair in pairs for reaction in owed(*pair)} == set(Reaction)


def test_a_session_is_live_since_it_was_first_live_and_not_before() -> None:
    assert (CONNECTING.live_at, LIVE.live_at) == (None, LIVE.state_since)
    again = lived(ResumeRequested, start=PAUSED)
    assert (PAUSED.live_at, again.live_at) == (LIVE.live_at, LIVE.live_at)
    assert lived(EndRequested(at=T0, reason=EndReason.CANCELLED), start=CONNECTING).live_at is None
