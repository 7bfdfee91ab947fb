"""
A rule-based machine over the life of a session: whatever happens, in whatever order.

What pauses and what resumes is written out here once more, by name, on purpose: a machine
that asked the table of the core could not find a wrong table.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from ..core.deadlines import LifePolicy, due, next_deadline
from ..core.errors import InvalidState
from ..core.events import ConnectRequested, SessionEvent, TransportReady
from ..core.instants import duration_us
from ..core.journal import JournalEntry, decode, encode, replay
from ..core.life import apply, is_legal
from ..core.session import Session
from ..core.states import SessionState, SessionStatus
from ..core.transitions import LIFTED_BY, PAUSED_BY
from .strategies_life import event_kinds, events_of, life_policies, new_sessions

__all__ = ("LifeMachine",)

_PAUSES: Final[Mapping[str, str]] = {
    "PauseRequested": "user",
    "BudgetSpent": "budget_exhausted",
    "TransportLost": "disconnected",
    "LimitReached": "limit_reached",
    "WorkerLost": "worker_lost",
    "ShutdownBegan": "shutdown",
}
_LIFTS: Final[Mapping[str, frozenset[str]]] = {
    "ResumeRequested": frozenset({"user"}),
    "BudgetRaised": frozenset({"budget_exhausted"}),
    "TransportReady": frozenset({"disconnected"}),
    "LimitRaised": frozenset({"limit_reached"}),
    "WorkerReady": frozenset({"worker_lost", "shutdown"}),
}
_A_MOMENT: Final = timedelta(microseconds=1)


class LifeMachine(RuleBasedStateMachine):
    """One session, its journal, two workers whose clocks differ, and time itself."""

    session: Session
    policy: LifePolicy
    now: datetime

    def __init__(self) -> None:
        super().__init__()
        self.journal: list[JournalEntry] = []
        self.seen: list[Session] = []
        self.reasons: set[str] = set()
        self.live = timedelta()

    @initialize(session=new_sessions(), policy=life_policies())
    def a_session_is_made(self, session: Session, policy: LifePolicy) -> None:
        self.session = session
        self.policy = policy
        self.now = session.created_at

    @rule(
        passed=st.timedeltas(timedelta(), timedelta(minutes=1))
        | st.timedeltas(timedelta(), timedelta(hours=3))
    )
    def time_passes(self, passed: timedelta) -> None:
        self.now += passed

    @rule(
        data=st.data(),
        kind=event_kinds(),
        behind=st.just(timedelta()) | st.timedeltas(timedelta(), timedelta(seconds=5)),
    )
    def something_happens(
        self, data: st.DataObject, kind: type[SessionEvent], behind: timedelta
    ) -> None:
        self._takes_or_refuses(data.draw(events_of(kind, self.now - behind)))

    # By chance alone few sessions would ever be connected, and few paused for two reasons.

    @precondition(lambda self: not self.session.live_at)
    @rule()
    def a_client_connects(self) -> None:
        self._takes_or_refuses(ConnectRequested(at=self.now))
        self._takes_or_refuses(TransportReady(at=self.now))

    @precondition(lambda self: self.session.live_at)
    @rule(kind=st.sampled_from((*PAUSED_BY, *LIFTED_BY)))
    def something_pauses_or_resumes(self, kind: type[SessionEvent]) -> None:
        self._takes_or_refuses(kind(at=self.now))

    @precondition(lambda self: self.session.pauses)
    @rule()
    def all_is_well_again(self) -> None:
        for kind in LIFTED_BY:
            self._takes_or_refuses(kind(at=self.now))
        assert self.session.state is SessionState.LIVE

    @rule()
    def time_does_its_work(self) -> None:
        event = due(self.session, self.policy, self.now)
        if event is not None:
            assert event.at == self.now
            assert is_legal(self.session, event)
            self._takes_or_refuses(event)

    def _takes_or_refuses(self, event: SessionEvent) -> None:
        if is_legal(self.session, event):
            self._takes(event)
        else:
            self._refuses(event)

    def _takes(self, event: SessionEvent) -> None:
        before, name = self.session, type(event).__name__
        self.session = apply(before, event)
        self.journal.append(JournalEntry(len(self.journal) + 1, event))
        self.seen.append(self.session)
        if before.state is SessionState.LIVE:
            self.live += self.session.updated_at - before.updated_at
        if name in _PAUSES:
            assert _PAUSES[name] not in self.reasons
            self.reasons.add(_PAUSES[name])
        elif before.state is SessionState.PAUSED and name in _LIFTS:
            assert _LIFTS[name] & self.reasons
            self.reasons -= _LIFTS[name]
        elif name == "EndRequested":
            self.reasons.clear()

    def _refuses(self, event: SessionEvent) -> None:
        with pytest.raises(InvalidState) as refusal:
            apply(self.session, event)
        assert type(event).__name__ not in refusal.value.allowed

    @invariant()
    def seq_counts_what_was_accepted(self) -> None:
        assert self.session.seq == len(self.journal)

    @invariant()
    def only_an_ended_session_has_an_end(self) -> None:
        ended = self.session.state is SessionState.ENDED
        assert ended == (self.session.ended_at is not None)
        assert ended == (self.session.end_reason is not None)
        assert ended == (self.session.status is not SessionStatus.ACTIVE)

    @invariant()
    def time_never_runs_backwards(self) -> None:
        session = self.session
        instants = (session.created_at, session.started_at, session.live_at, session.ended_at)
        passed = [at for at in (*instants, session.updated_at) if at is not None]
        assert passed == sorted(passed)
        for at in (session.state_since, session.last_activity_at):
            assert session.created_at <= at <= session.updated_at <= self.now
        updates = [seen.updated_at for seen in self.seen]
        assert updates == sorted(updates)

    @invariant()
    def it_stands_still_for_exactly_the_reasons_that_were_given_and_not_lifted(self) -> None:
        assert self.session.pause_reasons == self.reasons
        assert len(self.session.pauses) == len(self.reasons)
        assert bool(self.reasons) == (self.session.state is SessionState.PAUSED)

    @invariant()
    def only_live_time_is_active_time(self) -> None:
        active_us = self.session.active_us
        if self.session.state is SessionState.LIVE:
            active_us += duration_us(self.session.updated_at - self.session.state_since)
        assert active_us == duration_us(self.live)

    @invariant()
    def the_next_deadline_is_when_something_first_becomes_due(self) -> None:
        at = next_deadline(self.session, self.policy)
        if at is None:
            assert due(self.session, self.policy, self.now + timedelta(days=400)) is None
            return
        assert due(self.session, self.policy, at - _A_MOMENT) is None
        event = due(self.session, self.policy, at)
        assert event is not None
        assert is_legal(self.session, event)

    @invariant()
    def no_deadline_survives_the_end(self) -> None:
        if self.session.state is SessionState.ENDED:
            assert next_deadline(self.session, self.policy) is None
            assert self.session.deadline_at is None

    def teardown(self) -> None:
        stored = json.dumps([encode(entry) for entry in self.journal])
        read = [decode(entry) for entry in json.loads(stored)]
        assert read == self.journal
        states = replay(read, created_at=self.session.created_at)
        for replayed, seen in zip(states, self.seen, strict=True):
            assert _life_of(replayed) == _life_of(seen)


def _life_of(session: Session) -> tuple[object, ...]:
    """What a journal knows of a session."""
    return (
        (session.state, session.status, session.pauses, session.end_reason, session.error),
        (session.seq, session.active_us, session.state_since, session.last_activity_at),
        (session.created_at, session.started_at, session.live_at, session.ended_at),
        (session.utterance_count, session.word_count, session.message_count),
        (session.consent_by, session.consent_wording, session.consent_at),
    )
