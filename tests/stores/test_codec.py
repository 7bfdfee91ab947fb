"""What is stored is what comes back, to the microsecond, under the names of the specification."""

import json
from itertools import combinations

from attrs import evolve, fields
from hypothesis import given, settings, strategies as st

from voicesession.core.session import DailyRemaining, Session
from voicesession.core.utterance import Utterance
from voicesession.stores.changes import COUNTED, FIXED, LEASE, LONGEST_US
from voicesession.stores.codec import (
    parse_session,
    parse_utterance,
    session_document,
    session_part,
    stored_names,
    utterance_document,
)
from voicesession.stores.sql.commits import changed_names
from voicesession.stores.sql.schema import SESSIONS, UTTERANCES
from voicesession.testing.strategies import utterances
from voicesession.testing.strategies_life import sessions

DURATIONS = st.integers(0, LONGEST_US) | st.integers(LONGEST_US - 1_000, LONGEST_US)
REMAINING = st.none() | st.builds(
    DailyRemaining,
    audio_us=st.none() | DURATIONS,
    video_tokens=st.none() | st.integers(0, 10**12),
    screen_tokens=st.none() | st.integers(0, 10**12),
)


@settings(max_examples=50)
@given(sessions(), DURATIONS, DURATIONS, REMAINING)
def test_a_session_comes_back_as_it_was(
    session: Session, audio_us: int, used_us: int, remaining: DailyRemaining | None
) -> None:
    session = evolve(
        session,
        audio_duration_us=audio_us,
        audio_used_us=used_us,
        daily_budget_remaining=remaining,
    )
    document = json.loads(json.dumps(session_document(session)))
    assert parse_session(document) == session


@settings(max_examples=20)
@given(sessions())
def test_a_document_from_before_sessions_had_limits_is_that_of_one_without(
    session: Session,
) -> None:
    document = session_document(session)
    del document["max_active_us"], document["max_wall_clock_us"]
    unlimited = evolve(session, max_active_us=None, max_wall_clock_us=None)
    assert parse_session(document) == unlimited


@settings(max_examples=50)
@given(utterances())
def test_an_utterance_comes_back_as_it_was(utterance: Utterance) -> None:
    document = json.loads(json.dumps(utterance_document(utterance, place=1)))
    assert parse_utterance(document) == utterance


@settings(max_examples=1)
@given(sessions())
def test_the_columns_are_the_names_of_a_document(session: Session) -> None:
    assert {column.name for column in SESSIONS.columns} == set(session_document(session))


@settings(max_examples=20)
@given(sessions())
def test_a_part_of_a_document_is_what_the_whole_has_under_its_names(session: Session) -> None:
    whole, names = session_document(session), changed_names(by_owner=True)
    assert session_part(names)(session) == {name: whole[name] for name in names}


def test_the_writers_of_a_session_divide_its_columns_among_them() -> None:
    columns = {column.name for column in SESSIONS.columns}
    for one, other in combinations((FIXED, LEASE, COUNTED), 2):
        assert not one & other
    assert stored_names(FIXED | LEASE | COUNTED) < columns


SPECIFIED = [
    "id",
    "tenant_id",
    "user_id",
    "created_by",
    "created_at",
    "started_at",
    "live_at",
    "updated_at",
    "ended_at",
    "state",
    "status",
    "pause_reasons",
    "end_reason",
    "error",
    "seq",
    "deadline_at",
    "mode",
    "language",
    "model",
    "encoding",
    "sample_rate",
    "channels",
    "store_audio",
    "store_transcript",
    "enhance_on_end",
    "retention_days",
    "device_type",
    "client_version",
    "key_hash",
    "recording_consent",
    "secrets_blurred",
    "transcript_partial",
    "transcript_final",
    "audio_uri",
    "audio_partial",
    "transcript_uri",
    "enhancement_job_id",
    "previous_session_id",
    "audio_duration_seconds",
    "utterance_count",
    "word_count",
    "message_count",
    "audio_chunks_received",
    "audio_chunks_processed",
    "audio_minutes_used",
    "daily_budget_remaining",
    "session_template_id",
    "room_name",
    "modality_profile",
    "enabled_panels",
    "token_expiry",
    "worker_id",
    "epoch",
    "lease_expires_at",
    "client_ip",
    "metadata",
]


def test_every_field_of_the_specification_is_a_column() -> None:
    assert set(SPECIFIED) <= {column.name for column in SESSIONS.columns}
    assert {column.name for column in UTTERANCES.columns} >= {"speaker", "spoken_text", "words"}
    assert len(SESSIONS.columns) >= len(fields(Session))
