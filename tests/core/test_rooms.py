"""Names of rooms, and what the news of a room means for its session, in whatever order it comes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from itertools import permutations

import pytest
from hypothesis import given, strategies as st

from voicesession.core.errors import InvalidValue
from voicesession.core.events import (
    BudgetSpent,
    ConnectRequested,
    DetailsChanged,
    EndRequested,
    PauseRequested,
    SessionEvent,
    TransportLost,
    TransportReady,
)
from voicesession.core.identity import SessionId
from voicesession.core.journal import JournalEntry
from voicesession.core.life import apply
from voicesession.core.rooms import (
    ROOM_NAME_BYTES,
    caller_joined,
    caller_left,
    caller_of,
    generate_room_name,
    last_connection,
    room_closed,
    second_in_name,
)
from voicesession.core.session import Session
from voicesession.core.states import EndReason, PauseReason, SessionState
from voicesession.testing.strategies_life import sessions

T0 = datetime(2026, 11, 21, 10, tzinfo=UTC)
RANDOMNESS = st.binary(min_size=ROOM_NAME_BYTES, max_size=ROOM_NAME_BYTES)
INSTANTS = st.datetimes(timezones=st.just(UTC), max_value=datetime(9999, 12, 30))  # noqa: DTZ001  # the bound has none


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


class Told:
    """A session that knows only what it is told, with its journal."""

    def __init__(self, *story: SessionEvent, user_id: str | None = "ada") -> None:
        self.session = Session(
            id=SessionId("sess_1"),
            user_id=user_id,
            created_at=T0,
            updated_at=T0,
            state_since=T0,
            last_activity_at=T0,
        )
        self.journal: list[JournalEntry] = []
        self.take(ConnectRequested(at=T0), *story)

    def take(self, *events: SessionEvent) -> None:
        for event in events:
            self.session = apply(self.session, event)
            self.journal.append(JournalEntry(self.session.seq, event))

    def joined(self, joined: float) -> None:
        last = last_connection(self.journal)
        self.take(*caller_joined(self.session, last, joined_at=at(joined)))

    def left(self, joined: float, left: float) -> None:
        last = last_connection(self.journal)
        self.take(*caller_left(self.session, last, joined_at=at(joined), left_at=at(left)))

    def closed(self, closed: float) -> None:
        event = room_closed(self.session, last_connection(self.journal), closed_at=at(closed))
        self.take(*([event] if event else []))

    @property
    def is_there(self) -> bool:
        return self.session.state is SessionState.LIVE


# --- names ------------------------------------------------------------------------------------


def test_a_name_tells_the_second_in_utc_and_six_hex_digits() -> None:
    zurich = timezone(timedelta(hours=1))
    name = generate_room_name(
        datetime(2026, 11, 21, 7, 5, 9, 999_999, tzinfo=zurich), b"\x0a\xbc\xde"
    )
    assert name == "session_20261121_060509_0abcde"


@given(INSTANTS, RANDOMNESS)
def test_a_name_is_fit_for_a_url_and_gives_its_second_back(
    instant: datetime, randomness: bytes
) -> None:
    name = generate_room_name(instant, randomness)
    assert re.fullmatch(r"[A-Za-z0-9_]{1,64}", name)
    assert second_in_name(name) == instant.replace(microsecond=0)


@given(INSTANTS, RANDOMNESS, RANDOMNESS)
def test_two_names_of_one_second_differ_if_their_randomness_does(
    instant: datetime, one: bytes, other: bytes
) -> None:
    names = {generate_room_name(instant, one), generate_room_name(instant, other)}
    assert len(names) == len({one, other})


@pytest.mark.parametrize("length", [0, 2, 4])
def test_a_name_takes_three_random_bytes(length: int) -> None:
    with pytest.raises(InvalidValue, match="randomness"):
        generate_room_name(T0, bytes(length))


def test_a_name_needs_an_instant() -> None:
    with pytest.raises(InvalidValue, match="instant"):
        generate_room_name(datetime(2026, 11, 21), bytes(3))  # noqa: DTZ001  # that is the point


@pytest.mark.parametrize(
    "name",
    [
        "",
        "lobby",
        "session_20261121_060509_0abcd",
        "session_20261121_060509_0ABCDE",
        "session_20261321_060509_0abcde",
        "session_20261121_060560_0abcde\n",
        "session_٢٠٢٦١١٢١_060509_0abcde",
    ],
)
def test_a_name_that_we_did_not_make_tells_nothing(name: str) -> None:
    assert second_in_name(name) is None


def test_the_caller_goes_by_the_name_of_the_user_or_else_of_the_session() -> None:
    assert caller_of(Told().session) == "ada"
    assert caller_of(Told(user_id=None).session) == "sess_1"


# --- who comes and goes -------------------------------------------------------------------------


def test_a_caller_brings_the_session_to_life_and_going_pauses_it() -> None:
    told = Told()
    told.joined(5)
    assert told.session.state is SessionState.LIVE
    assert told.session.live_at == at(5)
    told.left(5, 9)
    assert told.session.pause_reasons == {PauseReason.DISCONNECTED}
    assert told.session.pauses[0].since == at(9)
    told.joined(12.5)
    assert told.is_there


def test_what_is_told_twice_counts_once() -> None:
    told = Told()
    for _ in range(3):
        told.joined(5)
    for _ in range(3):
        told.left(5, 9)
    told.joined(5)  # once more, much too late
    assert [type(entry.event) for entry in told.journal] == [
        ConnectRequested,
        TransportReady,
        TransportLost,
    ]
    told.joined(12)
    told.left(5, 9)
    assert told.is_there


CALLS = st.lists(st.integers(1, 5_000), min_size=2, max_size=8, unique=True).map(sorted)
"""Milliseconds at which a caller comes, goes, comes …"""


def news_of(moments: Sequence[int]) -> list[tuple[float, ...]]:
    """What LiveKit tells of it: when they came to the millisecond, when they went to the second."""
    told: list[tuple[float, ...]] = []
    for n in range(0, len(moments), 2):
        joined = moments[n]
        told.append((joined,))
        if n + 1 < len(moments):
            told.append((joined, moments[n + 1] // 1_000 * 1_000))
    return told


def tell(told: Told, news: tuple[float, ...]) -> None:
    joined, *left = (at(moment / 1_000) for moment in news)
    seconds = [(moment - T0).total_seconds() for moment in (joined, *left)]
    told.left(*seconds) if left else told.joined(*seconds)


@given(CALLS, st.data())
def test_in_whatever_order_and_however_often_it_is_told_the_end_is_the_same(
    moments: list[int], data: st.DataObject
) -> None:
    news = news_of(moments)
    again = data.draw(st.lists(st.sampled_from(news), max_size=4))
    told = Told()
    for one in data.draw(st.permutations(news + again)):
        tell(told, one)
    assert told.is_there == (len(moments) % 2 == 1)


def test_a_caller_who_came_back_is_not_taken_for_gone_in_any_order() -> None:
    for order in permutations(news_of([5_200, 5_900, 6_100])):
        told = Told()
        for one in order:
            tell(told, one)
        assert told.is_there, order


@pytest.mark.parametrize("pausing", [PauseRequested, BudgetSpent])
def test_a_caller_who_comes_back_does_not_lift_another_pause(pausing: type[SessionEvent]) -> None:
    told = Told(TransportReady(at=at(5)), pausing(at=at(6)))
    told.joined(8)
    reasons = told.session.pause_reasons
    assert len(reasons) == 1
    assert PauseReason.DISCONNECTED not in reasons
    told.left(8, 9)
    assert told.session.pause_reasons == reasons | {PauseReason.DISCONNECTED}


@given(sessions())
def test_whatever_the_session_the_news_is_legal(session: Session) -> None:
    for last in (None, session.updated_at):
        now = session.updated_at + timedelta(seconds=1)
        closing = room_closed(session, last, closed_at=now)
        for events in (
            caller_joined(session, last, joined_at=now),
            caller_left(session, last, joined_at=now, left_at=now),
            (closing,) if closing else (),
        ):
            after = session
            for event in events:
                after = apply(after, event)
            assert (after.state is SessionState.ENDED) is (
                session.state is SessionState.ENDED or (closing,) == events
            )


# --- the end of the room ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("story", "reason"),
    [
        ((), EndReason.CONNECT_TIMEOUT),
        ((TransportReady(at=at(5)),), EndReason.COMPLETED),
        ((TransportReady(at=at(5)), PauseRequested(at=at(6))), EndReason.COMPLETED),
        ((TransportReady(at=at(5)), TransportLost(at=at(6))), EndReason.DISCONNECTED),
    ],
)
def test_when_its_room_is_gone_a_session_is_over(
    story: tuple[SessionEvent, ...], reason: EndReason
) -> None:
    told = Told(*story)
    told.closed(10)
    assert told.session.end_reason is reason
    told.closed(10)
    told.joined(5)
    told.left(5, 9)
    assert told.session.end_reason is reason


def test_a_room_that_was_gone_before_the_caller_came_back_ends_nothing() -> None:
    told = Told()
    told.joined(5)
    told.left(5, 9)
    told.joined(40.2)  # LiveKit makes the room anew
    told.closed(40)
    assert told.is_there


def test_the_last_connection_is_the_latest_that_the_journal_has() -> None:
    assert last_connection([]) is None
    told = Told(DetailsChanged(at=at(1), fields=("metadata",)), TransportReady(at=at(5)))
    told.take(
        TransportLost(at=at(6)),
        TransportReady(at=at(4)),
        EndRequested(at=at(9), reason=EndReason.COMPLETED),
    )
    assert last_connection(told.journal) == at(5)
