from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest

from voicesession.core import events as happened
from voicesession.core.deadlines import LifePolicy
from voicesession.core.events import ConnectRequested, EndRequested, SessionEvent, TransportReady
from voicesession.core.journal import EVENT_TYPES
from voicesession.core.states import STATUS_OF_END, PauseReason, SessionState, TurnState
from voicesession.core.transitions import (
    LIFTED_BY,
    PAUSED_BY,
    TRANSITIONS,
    allowed,
    diagram,
    may_follow,
)

PAGE = (Path(__file__).parents[2] / "docs" / "states.md").read_text(encoding="utf-8")

# Written out from the specification and not from the table: a test that reads the table it
# checks cannot find a wrong one. Change it only when the specification changes.
MOVES = """
IDLE        ConnectRequested   CONNECTING
IDLE        EndRequested       ENDED

CONNECTING  TransportReady     LIVE
CONNECTING  EndRequested       ENDED
CONNECTING  ConsentChanged     CONNECTING
CONNECTING  DetailsChanged     CONNECTING
CONNECTING  WarningRaised      CONNECTING

LIVE        PauseRequested     PAUSED
LIVE        BudgetSpent        PAUSED
LIVE        TransportLost      PAUSED
LIVE        LimitReached       PAUSED
LIVE        WorkerLost         PAUSED
LIVE        ShutdownBegan      PAUSED
LIVE        EndRequested       ENDED
LIVE        UtteranceFinished  LIVE
LIVE        ReplyFinished      LIVE
LIVE        AudioGapFound      LIVE
LIVE        BudgetLevelReached LIVE
LIVE        ConsentChanged     LIVE
LIVE        DetailsChanged     LIVE
LIVE        WarningRaised      LIVE

PAUSED      ResumeRequested    LIVE
PAUSED      BudgetRaised       LIVE
PAUSED      TransportReady     LIVE
PAUSED      LimitRaised        LIVE
PAUSED      WorkerReady        LIVE
PAUSED      PauseRequested     PAUSED
PAUSED      BudgetSpent        PAUSED
PAUSED      TransportLost      PAUSED
PAUSED      LimitReached       PAUSED
PAUSED      WorkerLost         PAUSED
PAUSED      ShutdownBegan      PAUSED
PAUSED      EndRequested       ENDED
PAUSED      UtteranceFinished  PAUSED
PAUSED      ReplyFinished      PAUSED
PAUSED      AudioGapFound      PAUSED
PAUSED      BudgetLevelReached PAUSED
PAUSED      ConsentChanged     PAUSED
PAUSED      DetailsChanged     PAUSED
PAUSED      WarningRaised      PAUSED

ENDED       ConsentChanged     ENDED
ENDED       DetailsChanged     ENDED
ENDED       RecordingLinked    ENDED
"""

REASONS = """
PauseRequested   user               ResumeRequested
BudgetSpent      budget_exhausted   BudgetRaised
TransportLost    disconnected       TransportReady
LimitReached     limit_reached      LimitRaised
WorkerLost       worker_lost        WorkerReady
ShutdownBegan    shutdown           WorkerReady
"""


def _rows(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines() if line]


def test_the_legal_moves_are_the_specified_ones_and_no_others() -> None:
    in_the_table = {
        (state.value, kind.__name__, target.value)
        for state, row in TRANSITIONS.items()
        for kind, target in row.items()
    }
    assert in_the_table == {(state, kind, target) for state, kind, target in _rows(MOVES)}


def test_each_reason_is_added_and_lifted_by_the_specified_events() -> None:
    assert {
        (pausing.__name__, reason.value, lifting.__name__)
        for pausing, reason in PAUSED_BY.items()
        for lifting, lifted in LIFTED_BY.items()
        if reason in lifted
    } == {(pausing, reason, lifting) for pausing, reason, lifting in _rows(REASONS)}


@pytest.mark.parametrize("reason", PauseReason)
def test_each_reason_has_exactly_one_event_that_adds_and_one_that_lifts_it(
    reason: PauseReason,
) -> None:
    assert list(PAUSED_BY.values()).count(reason) == 1
    assert sum(reason in lifted for lifted in LIFTED_BY.values()) == 1


def test_every_state_has_a_row() -> None:
    assert list(TRANSITIONS) == list(SessionState)


def test_every_event_is_accepted_somewhere_and_has_a_name_in_the_journal() -> None:
    every_event = {getattr(happened, name) for name in happened.__all__} - {SessionEvent}
    assert {kind for row in TRANSITIONS.values() for kind in row} == every_event
    assert set(EVENT_TYPES.values()) == every_event


def test_a_session_can_end_from_everywhere_else_by_one_event() -> None:
    for state in set(SessionState) - {SessionState.ENDED}:
        assert TRANSITIONS[state][EndRequested] is SessionState.ENDED


def test_nothing_leaves_ended() -> None:
    assert set(TRANSITIONS[SessionState.ENDED].values()) == {SessionState.ENDED}


def test_nothing_leads_back_to_idle_or_connecting() -> None:
    for state in (SessionState.LIVE, SessionState.PAUSED, SessionState.ENDED):
        targets = set(TRANSITIONS[state].values())
        assert not targets & {SessionState.IDLE, SessionState.CONNECTING}


def test_the_allowed_events_of_a_state_are_its_row() -> None:
    assert allowed(SessionState.IDLE) == (ConnectRequested, EndRequested)
    for state in SessionState:
        assert allowed(state) == tuple(TRANSITIONS[state])


def test_a_state_may_follow_another_where_the_specification_says_so() -> None:
    moves = {(state, target) for state, _, target in _rows(MOVES) if state != target}
    assert {
        (state.value, target.value)
        for state in SessionState
        for target in SessionState
        if may_follow(state, target)
    } == moves


def test_the_tables_cannot_be_changed() -> None:
    for table in (TRANSITIONS, PAUSED_BY, LIFTED_BY):
        with pytest.raises(TypeError):
            table[TransportReady] = None  # type: ignore[index]


def test_the_diagram_shows_each_move_once_and_nothing_that_stays() -> None:
    moves = {(state, kind, target) for state, kind, target in _rows(MOVES) if state != target}
    drawn = [
        (state, kind, target)
        for state, target, kinds in re.findall(
            r"^    (\w+) --> (\w+): (.+)$", diagram(), re.MULTILINE
        )
        for kind in kinds.split(", ")
    ]
    assert len(drawn) == len(set(drawn))
    assert set(drawn) == moves
    first, start, *_, end = diagram().splitlines()
    assert (first, start, end) == ("stateDiagram-v2", "    [*] --> IDLE", "    ENDED --> [*]")


# --- The page about states --------------------------------------------------------------


def _table(heading: str) -> list[tuple[str, ...]]:
    """Return the rows of the Markdown table whose head begins with *heading*."""
    _, found, rest = PAGE.partition(f"\n| {heading} |")
    assert found, f"docs/states.md has no table that begins with {heading}"
    lines = rest.split("\n\n")[0].splitlines()[2:]
    return [tuple(cell.strip(" `") for cell in line.strip("|").split("|")) for line in lines]


def test_the_diagram_of_the_docs_is_the_one_that_the_table_draws() -> None:
    assert PAGE.count("```mermaid") == 1
    assert f"```mermaid\n{diagram()}```\n" in PAGE


def test_the_docs_tell_what_adds_and_lifts_each_reason() -> None:
    rows = [(reason, pausing, lifting) for pausing, reason, lifting in _rows(REASONS)]
    assert _table("Reason") == rows


def test_the_docs_tell_the_status_of_each_end() -> None:
    assert _table("End reason") == [
        (end.value, status.value) for end, status in STATUS_OF_END.items()
    ]


def test_the_docs_tell_the_states_of_the_floor() -> None:
    assert [state for state, _ in _table("State")] == [state.value for state in TurnState]


def test_the_docs_tell_the_default_limits() -> None:
    policy = LifePolicy()
    units = {"s": timedelta(seconds=1), "min": timedelta(minutes=1), "h": timedelta(hours=1)}
    fields = {
        "active time": policy.max_active,
        "wall-clock time": policy.max_wall_clock,
        "connect window": policy.connect_window,
        "reconnect grace": policy.reconnect_grace,
        "limit grace": policy.limit_grace,
        "idle time": policy.idle_time,
        "time to live": policy.time_to_live,
    }
    told = {limit: default for limit, default, *_ in _table("Limit")}
    assert told.keys() == fields.keys()
    for limit, default in told.items():
        number, _, unit = default.partition(" ")
        assert fields[limit] == (None if default == "none" else int(number) * units[unit])
