"""
The tables, as SQLAlchemy Core defines them; every name of the record is a column.

Instants are whole microseconds since 1970, UTC: exact, and in the same order everywhere.
Three columns are derived from the record so that lists can filter and sort by them:
``status``, ``pause_reasons`` and ``listed_at`` (when it was started, or else created).
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    text,
)

__all__ = (
    "IS_OPEN",
    "JOURNAL",
    "METADATA",
    "SCHEMA",
    "SESSIONS",
    "TOMBSTONES",
    "UTTERANCES",
    "VERSION",
)

VERSION: Final = 1
"""Of this schema; a database with a higher one was written by a newer library."""

METADATA: Final = MetaData()

_ID: Final = String(128)
_WORD: Final = String(32)
_INSTANT: Final = BigInteger
_JSON: Final = Text
"""Canonical JSON; as text, because the codec alone reads and writes it."""


def _needed(name: str, kind: Any) -> Column[Any]:
    return Column(name, kind, nullable=False)


IS_OPEN: Final = "state != 'ENDED'"
"""Which rows the index of open sessions holds; to use it, a query must say the same."""

SCHEMA: Final = Table("voice_schema", METADATA, Column("version", Integer, primary_key=True))
"""One row. Our own, because the file's ``user_version`` belongs to the host."""

SESSIONS: Final = Table(
    "voice_sessions",
    METADATA,
    # identity
    Column("id", _ID, primary_key=True),
    _needed("tenant_id", _ID),
    Column("user_id", _ID),
    Column("created_by", Text),
    _needed("created_at", _INSTANT),
    Column("started_at", _INSTANT),
    Column("live_at", _INSTANT),
    _needed("updated_at", _INSTANT),
    Column("ended_at", _INSTANT),
    _needed("listed_at", _INSTANT),
    # life
    _needed("state", _WORD),
    _needed("status", _WORD),
    _needed("state_since", _INSTANT),
    _needed("last_activity_at", _INSTANT),
    _needed("active_us", BigInteger),
    _needed("pauses", _JSON),
    _needed("pause_reasons", _JSON),
    Column("end_reason", _WORD),
    Column("error", Text),
    _needed("seq", BigInteger),
    Column("deadline_at", _INSTANT),
    # parameters
    _needed("mode", Text),
    _needed("language", Text),
    _needed("model", Text),
    _needed("encoding", _WORD),
    _needed("sample_rate", Integer),
    _needed("channels", Integer),
    _needed("store_audio", Boolean),
    _needed("store_transcript", Boolean),
    _needed("enhance_on_end", Boolean),
    _needed("retention_days", Integer),
    Column("device_type", Text),
    Column("client_version", Text),
    Column("key_hash", Text),
    # consent
    Column("recording_consent", Boolean),
    Column("consent_by", Text),
    Column("consent_wording", Text),
    Column("consent_at", _INSTANT),
    _needed("secrets_blurred", _JSON),
    # words
    Column("transcript_partial", Text),
    Column("transcript_final", Text),
    # results
    Column("audio_uri", Text),
    _needed("audio_partial", Boolean),
    Column("transcript_uri", Text),
    Column("enhancement_job_id", _ID),
    Column("previous_session_id", _ID, ForeignKey("voice_sessions.id", ondelete="SET NULL")),
    # running stats
    _needed("audio_duration_seconds", Float),
    _needed("utterance_count", BigInteger),
    _needed("word_count", BigInteger),
    _needed("message_count", BigInteger),
    _needed("audio_chunks_received", BigInteger),
    _needed("audio_chunks_processed", BigInteger),
    # budget view
    _needed("audio_minutes_used", Float),
    Column("daily_budget_remaining", _JSON),
    # initiation
    Column("session_template_id", _ID),
    Column("room_name", Text, unique=True),
    Column("modality_profile", Text),
    Column("enabled_panels", _JSON),
    Column("token_expiry", _INSTANT),
    # tracking
    Column("worker_id", Text),
    _needed("epoch", BigInteger),
    Column("lease_expires_at", _INSTANT),
    Column("client_ip", Text),
    _needed("metadata", _JSON),
    Index("voice_sessions_listed", "tenant_id", "listed_at", "id"),
    Index("voice_sessions_by_user", "tenant_id", "user_id", "listed_at", "id"),
    Index("voice_sessions_by_state", "tenant_id", "state", "listed_at", "id"),
    Index("voice_sessions_by_status", "tenant_id", "status", "listed_at", "id"),
    Index("voice_sessions_by_mode", "tenant_id", "mode", "listed_at", "id"),
    Index("voice_sessions_of_all", "listed_at", "id"),
    Index("voice_sessions_open", "tenant_id", "user_id", sqlite_where=text(IS_OPEN)),
    Index("voice_sessions_after", "previous_session_id"),
    Index("voice_sessions_due", "deadline_at"),
    Index("voice_sessions_leased", "lease_expires_at"),
)

JOURNAL: Final = Table(
    "voice_journal",
    METADATA,
    Column(
        "session_id", _ID, ForeignKey("voice_sessions.id", ondelete="CASCADE"), primary_key=True
    ),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    _needed("entry", _JSON),
)

UTTERANCES: Final = Table(
    "voice_utterances",
    METADATA,
    Column(
        "session_id", _ID, ForeignKey("voice_sessions.id", ondelete="CASCADE"), primary_key=True
    ),
    Column("id", _ID, primary_key=True),
    _needed("speaker", _WORD),
    _needed("start_us", BigInteger),
    _needed("end_us", BigInteger),
    _needed("text", Text),
    Column("confidence", Float),
    _needed("words", _JSON),
    Column("generated_text", Text),
    Column("spoken_text", Text),
    _needed("interrupted", Boolean),
)

TOMBSTONES: Final = Table(
    "voice_tombstones",
    METADATA,
    Column("place", Integer, primary_key=True),
    _needed("tenant_id", _ID),
    _needed("session_hash", String(64)),
    _needed("deleted_at", _INSTANT),
    Column("deleted_by", Text),
    _needed("reason", Text),
    Index("voice_tombstones_of", "tenant_id", "place"),
)
