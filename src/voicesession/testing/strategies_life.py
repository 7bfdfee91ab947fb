"""Hypothesis strategies for the life of a session: events, whole lives, and sessions anywhere in one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from attrs import evolve, field, frozen
from hypothesis import strategies as st

from ..core import events as happened
from ..core.audio import Encoding
from ..core.deadlines import LifePolicy
from ..core.events import EndRequested, SessionEvent
from ..core.identity import RANDOM_BYTES, SessionId, TenantId, session_id
from ..core.instants import from_us, to_us
from ..core.journal import EVENT_TYPES, JournalEntry
from ..core.life import apply, is_legal
from ..core.metadata import metadata_json
from ..core.session import DailyRemaining, Session
from ..core.states import EndReason, SessionState
from ..core.transitions import LIFTED_BY, PAUSED_BY
from ..core.utterance import Speaker, UtteranceId

__all__ = (
    "EVENT_KINDS",
    "History",
    "event_kinds",
    "events",
    "events_of",
    "histories",
    "host_ids",
    "instants",
    "life_policies",
    "new_sessions",
    "sessions",
    "storable_texts",
    "walking_times",
)

EVENT_KINDS: Final = tuple(EVENT_TYPES.values())
"""Every type of event that there is."""

_CENTURY_BEGINS_US: Final = to_us(datetime(2000, 1, 1, tzinfo=UTC))
_CENTURY_ENDS_US: Final = to_us(datetime(2100, 1, 1, tzinfo=UTC)) - 1
_LONGEST_TEXT: Final = 20
_MICROSECONDS: Final = st.integers(0, 10**12)
_COUNTS: Final = st.integers(0, 10**6)
_JSON: Final = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text('aé\\u"{ ', max_size=6),
    lambda parts: st.lists(parts, max_size=3) | st.dictionaries(st.text("ab", max_size=3), parts),
    max_leaves=6,
)


# Built once: building a strategy costs more than drawing from it.
_INSTANTS: Final = st.integers(_CENTURY_BEGINS_US, _CENTURY_ENDS_US).map(from_us)
_PLAIN_CHARACTERS: Final = "ABCXYZabcxyz0189_.:-"
_HOST_IDS: Final = st.text(_PLAIN_CHARACTERS, min_size=1, max_size=16).filter(
    lambda name: name.strip(".")
)
_TEXTS: Final = st.text(
    st.characters(codec="utf-8", exclude_characters="\0"), max_size=_LONGEST_TEXT
)
_STEPS: Final = st.one_of(
    st.sampled_from((0, 1, 30_000_000)), st.integers(-5_000_000, 7_200_000_000)
).map(lambda step_us: timedelta(microseconds=step_us))


def instants() -> st.SearchStrategy[datetime]:
    """Aware instants of this century, to the microsecond."""
    return _INSTANTS


def host_ids() -> st.SearchStrategy[str]:
    """Names that a host may give to sessions, tenants and users."""
    return _HOST_IDS


def storable_texts() -> st.SearchStrategy[str]:
    """Short texts of any script that every store can keep: no NUL, no lone surrogates."""
    return _TEXTS


def walking_times() -> st.SearchStrategy[timedelta]:
    """How much later the next event is stamped: up to two hours, or a clock is up to 5 s behind."""
    return _STEPS


def _optional_texts() -> st.SearchStrategy[str | None]:
    return st.none() | storable_texts()


# --- Events -----------------------------------------------------------------------------


@st.composite
def _on_a_stretch(
    draw: st.DrawFn, start: str, end: str, rest: Mapping[str, st.SearchStrategy[Any]]
) -> dict[str, Any]:
    first = draw(_MICROSECONDS)
    times = {start: first, end: first + draw(st.integers(0, 60_000_000))}
    return times | draw(st.fixed_dictionaries(dict(rest)))


_UTTERANCE_IDS: Final = st.uuids().map(lambda made: UtteranceId(f"utt_{made.hex}"))
_FIELDS: Final[Mapping[type[SessionEvent], st.SearchStrategy[dict[str, Any]]]] = {
    EndRequested: st.fixed_dictionaries(
        {"reason": st.sampled_from(EndReason), "error": _optional_texts()}
    ),
    happened.UtteranceFinished: _on_a_stretch(
        "start_us", "end_us", {"utterance_id": _UTTERANCE_IDS, "word_count": _COUNTS}
    ),
    happened.ReplyFinished: st.fixed_dictionaries(
        {
            "utterance_id": _UTTERANCE_IDS,
            "start_us": _MICROSECONDS,
            "heard_us": _MICROSECONDS,
            "interrupted": st.booleans(),
        }
    ),
    happened.AudioGapFound: _on_a_stretch("from_us", "to_us", {"track": st.sampled_from(Speaker)}),
    happened.WarningRaised: st.fixed_dictionaries({"code": storable_texts()}),
    happened.ConsentChanged: st.fixed_dictionaries(
        {
            "given": st.none() | st.booleans(),
            "by": _optional_texts(),
            "wording": _optional_texts(),
        }
    ),
    happened.BudgetLevelReached: st.fixed_dictionaries(
        {"meter": storable_texts(), "scope": storable_texts(), "level": storable_texts()}
    ),
    happened.DetailsChanged: st.fixed_dictionaries(
        {"fields": st.lists(storable_texts(), max_size=3).map(tuple)}
    ),
    happened.RecordingLinked: st.fixed_dictionaries({"partial": st.booleans()}),
}
_KINDS: Final = st.sampled_from(EVENT_KINDS)
_NOTHING: Final[st.SearchStrategy[dict[str, Any]]] = st.just({})


def event_kinds() -> st.SearchStrategy[type[SessionEvent]]:
    """Every type of event."""
    return _KINDS


def events_of(kind: type[SessionEvent], at: datetime) -> st.SearchStrategy[SessionEvent]:
    """Events of one type at one instant, with anything that their fields may hold."""
    return _FIELDS.get(kind, _NOTHING).map(lambda values: kind(at=at, **values))


@st.composite
def events(draw: st.DrawFn) -> SessionEvent:
    """Events of every type at any instant."""
    return draw(events_of(draw(_KINDS), draw(_INSTANTS)))


# --- Lives ------------------------------------------------------------------------------


@frozen
class History:
    """A life, or the first part of one.

    Attributes:
        start: The session before anything happened to it.
        events: What happened then; each was legal.
        snapshots: The session after each event.
    """

    start: Session
    events: tuple[SessionEvent, ...] = field(default=())
    snapshots: tuple[Session, ...] = field(default=())

    @property
    def session(self) -> Session:
        """The session after all of it."""
        return self.snapshots[-1] if self.snapshots else self.start

    @property
    def journal(self) -> tuple[JournalEntry, ...]:
        """What is stored of it."""
        return tuple(JournalEntry(seq, event) for seq, event in enumerate(self.events, start=1))

    def after(self, event: SessionEvent) -> History:
        """Return the history with *event*, or as it is where the event is not legal."""
        if not is_legal(self.session, event):
            return self
        snapshot = apply(self.session, event)
        return History(self.start, (*self.events, event), (*self.snapshots, snapshot))


_LIMITS_US: Final = st.sampled_from((0, 30_000_000)) | st.integers(0, 86_400_000_000)
_PARAMETERS: Final[Mapping[str, st.SearchStrategy[Any]]] = {
    "tenant_id": host_ids().map(TenantId),
    "user_id": host_ids(),
    "created_by": storable_texts(),
    "mode": st.sampled_from(("LS1A", "transcription")),
    "language": st.sampled_from(("auto", "en", "de-CH")),
    "model": st.sampled_from(("fast", "accurate", "host:tiny")),
    "encoding": st.sampled_from(Encoding),
    "sample_rate": st.sampled_from((8_000, 16_000, 44_100, 48_000)),
    "channels": st.sampled_from((1, 2)),
    "store_audio": st.booleans(),
    "store_transcript": st.booleans(),
    "enhance_on_end": st.booleans(),
    "retention_days": st.integers(-1, 4000),
    "max_active_us": _LIMITS_US,
    "max_wall_clock_us": _LIMITS_US,
    "device_type": storable_texts(),
    "client_version": storable_texts(),
    "key_hash": storable_texts(),
    "recording_consent": st.booleans(),
    "secrets_blurred": st.lists(storable_texts(), max_size=3).map(tuple),
    "previous_session_id": host_ids().map(SessionId),
    "session_template_id": storable_texts(),
    "room_name": storable_texts(),
    "modality_profile": storable_texts(),
    "enabled_panels": st.lists(storable_texts(), max_size=3).map(tuple),
    "token_expiry": instants(),
    "client_ip": st.ip_addresses().map(str),
    "metadata_json": st.dictionaries(st.text("ab\u00e9", max_size=4), _JSON, max_size=4).map(
        metadata_json
    ),
}

_RUNNING: Final[Mapping[str, st.SearchStrategy[Any]]] = {
    "deadline_at": instants(),
    "transcript_partial": storable_texts(),
    "transcript_final": storable_texts(),
    "audio_uri": storable_texts(),
    "audio_partial": st.booleans(),
    "transcript_uri": storable_texts(),
    "enhancement_job_id": storable_texts(),
    "audio_duration_us": _MICROSECONDS,
    "audio_chunks_received": _COUNTS,
    "audio_chunks_processed": _COUNTS,
    "audio_used_us": _MICROSECONDS,
    "daily_budget_remaining": st.builds(
        DailyRemaining,
        audio_us=st.none() | _MICROSECONDS,
        video_tokens=st.none() | _COUNTS,
        screen_tokens=st.none() | _COUNTS,
    ),
    "worker_id": host_ids(),
    "epoch": _COUNTS,
    "lease_expires_at": instants(),
}


@st.composite
def _some_of(draw: st.DrawFn, values: Mapping[str, st.SearchStrategy[Any]]) -> dict[str, Any]:
    names = draw(st.sets(st.sampled_from(tuple(values)), max_size=8))
    return {name: draw(values[name]) for name in sorted(names)}


_SOME_PARAMETERS: Final = _some_of(_PARAMETERS)
_SOME_OF_THE_REST: Final = _some_of(_RUNNING)
_RANDOMNESS: Final = st.binary(min_size=RANDOM_BYTES, max_size=RANDOM_BYTES)


@st.composite
def new_sessions(draw: st.DrawFn) -> Session:
    """Sessions that nothing has happened to yet, with any parameters."""
    at = draw(_INSTANTS)
    own = draw(st.none() | _HOST_IDS)
    return Session(
        id=session_id(at, draw(_RANDOMNESS)) if own is None else SessionId(own),
        created_at=at,
        updated_at=at,
        state_since=at,
        last_activity_at=at,
        **draw(_SOME_PARAMETERS),
    )


_STATES: Final = st.sampled_from(SessionState)
_NEW_SESSIONS: Final = new_sessions()
_PAUSING: Final = st.lists(st.sampled_from(tuple(PAUSED_BY)), min_size=1, max_size=3)
_DETAILS: Final = st.lists(
    st.sampled_from((happened.ConsentChanged, happened.DetailsChanged, happened.WarningRaised)),
    max_size=2,
)
_DETOURS: Final = st.lists(_KINDS.filter(lambda kind: kind is not EndRequested), max_size=8)


@st.composite
def histories(draw: st.DrawFn, state: SessionState | None = None) -> History:
    """Lives so far, of any kind; with *state*, those that have come to it."""
    history = History(draw(_NEW_SESSIONS))
    for kind in _way_to(draw, draw(_STATES) if state is None else state):
        at = history.session.updated_at + draw(_STEPS)
        history = history.after(draw(events_of(kind, at)))
    return history


def _way_to(draw: st.DrawFn, wanted: SessionState) -> Iterator[type[SessionEvent]]:
    """Types of events that lead to *wanted* where those that are not legal are left out."""
    if wanted is SessionState.IDLE:
        return
    ends = wanted is SessionState.ENDED
    if not ends or draw(st.booleans()):
        yield happened.ConnectRequested
        yield from draw(_DETAILS)
    if wanted is SessionState.CONNECTING:
        return
    if not ends or draw(st.booleans()):
        yield happened.TransportReady
        yield from draw(_DETOURS)
    if wanted is SessionState.LIVE:
        yield from LIFTED_BY
    elif wanted is SessionState.PAUSED:
        yield from draw(_PAUSING)
    else:
        yield EndRequested
        yield from draw(_DETOURS)


@st.composite
def sessions(draw: st.DrawFn, state: SessionState | None = None) -> Session:
    """Sessions as their life has made them, in any state or in *state*; every field is in use."""
    return evolve(draw(histories(state)).session, **draw(_SOME_OF_THE_REST))


# --- Policies ---------------------------------------------------------------------------


def life_policies() -> st.SearchStrategy[LifePolicy]:
    """Time limits from none at all to a day, so that every one of them comes first sometimes."""
    durations = st.one_of(
        st.sampled_from((timedelta(), timedelta(seconds=30), timedelta(minutes=30))),
        st.timedeltas(timedelta(), timedelta(hours=24)),
    )
    limits = st.one_of(st.none(), st.none(), durations)
    return st.builds(
        LifePolicy,
        connect_window=durations,
        reconnect_grace=durations,
        limit_grace=durations,
        idle_time=limits,
        time_to_live=limits,
        max_active=limits,
        max_wall_clock=limits,
    )
