"""
The tables, as SQLAlchemy Core defines them; every name of the record is a column.

Instants are whole microseconds since 1970, UTC: exact, and in the same order everywhere.
Three columns are derived from the record so that lists can filter and sort by them:
``status``, ``pause_reasons`` and ``listed_at`` (when it was started, or else created).
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    String,
    Table,
    Text,
    false,
    text,
)

from .columns import IDENTIFIER, INSTANT, JSON, METADATA, NUMBERED, TEXTS, WORD, needed

__all__ = (
    "ACCOUNTS",
    "BALANCES",
    "HOLDS",
    "IS_OPEN",
    "JOURNAL",
    "LIMITS",
    "METADATA",
    "ONLY_ON",
    "SESSIONS",
    "TASKS",
    "TEMPLATES",
    "TOMBSTONES",
    "UTTERANCES",
)

IS_OPEN: Final = "state != 'ENDED'"
"""Which rows the index of open sessions holds; to use it, a query must say the same."""

ONLY_ON: Final = "only_on"
"""Says, in the info of an index, which database alone has it."""

TEMPLATES: Final = Table(
    "voice_templates",
    METADATA,
    Column("id", IDENTIFIER, primary_key=True),
    needed("tenant_id", IDENTIFIER),
    needed("name", Text),
    needed("created_at", INSTANT),
    needed("updated_at", INSTANT),
    needed("modality_profile", Text),
    Column("enabled_panels", TEXTS),
    Column("language", Text),
    Column("model", Text),
    Column("max_active_us", BigInteger),
    Column("max_wall_clock_us", BigInteger),
    Column("audio_budget_us", BigInteger),
    needed("agent_metadata", JSON),
    Index("voice_templates_of", "tenant_id", "id"),
)

SESSIONS: Final = Table(
    "voice_sessions",
    METADATA,
    # identity
    Column("id", IDENTIFIER, primary_key=True),
    needed("tenant_id", IDENTIFIER),
    Column("user_id", Text),
    Column("created_by", Text),
    needed("created_at", INSTANT),
    Column("started_at", INSTANT),
    Column("live_at", INSTANT),
    needed("updated_at", INSTANT),
    Column("ended_at", INSTANT),
    needed("listed_at", INSTANT),
    # life
    needed("state", WORD),
    needed("status", WORD),
    needed("state_since", INSTANT),
    needed("last_activity_at", INSTANT),
    needed("active_us", BigInteger),
    needed("pauses", JSON),
    needed("pause_reasons", JSON),
    Column("end_reason", WORD),
    Column("error", Text),
    needed("seq", BigInteger),
    Column("deadline_at", INSTANT),
    # parameters
    needed("mode", Text),
    needed("language", Text),
    needed("model", Text),
    needed("encoding", WORD),
    needed("sample_rate", Integer),
    needed("channels", Integer),
    needed("store_audio", Boolean),
    needed("store_transcript", Boolean),
    needed("enhance_on_end", Boolean),
    needed("retention_days", Integer),
    Column("legal_hold", Boolean, nullable=False, server_default=false()),
    Column("max_active_us", BigInteger),
    Column("max_wall_clock_us", BigInteger),
    Column("device_type", Text),
    Column("client_version", Text),
    Column("key_hash", Text),
    # consent
    Column("recording_consent", Boolean),
    Column("consent_by", Text),
    Column("consent_wording", Text),
    Column("consent_at", INSTANT),
    needed("secrets_blurred", JSON),
    # words
    Column("transcript_partial", Text),
    Column("transcript_final", Text),
    # results
    Column("audio_uri", Text),
    needed("audio_partial", Boolean),
    Column("transcript_uri", Text),
    Column("enhancement_job_id", IDENTIFIER),
    Column("previous_session_id", IDENTIFIER, ForeignKey("voice_sessions.id", ondelete="SET NULL")),
    # running stats
    needed("audio_duration_seconds", Float),
    needed("utterance_count", BigInteger),
    needed("word_count", BigInteger),
    needed("message_count", BigInteger),
    needed("audio_chunks_received", BigInteger),
    needed("audio_chunks_processed", BigInteger),
    # budget view
    needed("audio_minutes_used", Float),
    Column("daily_budget_remaining", JSON),
    # initiation
    Column(
        "session_template_id",
        IDENTIFIER,
        ForeignKey(TEMPLATES.c.id, name="voice_sessions_made_from", ondelete="SET NULL"),
    ),
    Column("room_name", Text, unique=True),
    Column("modality_profile", Text),
    Column("enabled_panels", TEXTS),
    Column("token_expiry", INSTANT),
    # tracking
    Column("worker_id", Text),
    needed("epoch", BigInteger),
    Column("lease_expires_at", INSTANT),
    Column("client_ip", Text),
    needed("metadata", JSON),
    Index("voice_sessions_listed", "tenant_id", "listed_at", "id"),
    Index("voice_sessions_by_user", "tenant_id", "user_id", "listed_at", "id"),
    Index("voice_sessions_by_state", "tenant_id", "state", "listed_at", "id"),
    Index("voice_sessions_by_status", "tenant_id", "status", "listed_at", "id"),
    Index("voice_sessions_by_mode", "tenant_id", "mode", "listed_at", "id"),
    Index("voice_sessions_of_all", "listed_at", "id"),
    Index("voice_sessions_by_user_and_state", "tenant_id", "user_id", "state"),
    Index(
        "voice_sessions_open",
        *("tenant_id", "user_id", "state"),
        sqlite_where=text(IS_OPEN),
        postgresql_where=text(IS_OPEN),
    ),
    Index("voice_sessions_after", "previous_session_id"),
    Index("voice_sessions_due", "deadline_at"),
    Index("voice_sessions_leased", "lease_expires_at", info={ONLY_ON: "sqlite"}).ddl_if(
        dialect="sqlite"
    ),
    # What is renewed every few seconds is in no index of PostgreSQL, so that it need not touch any.
    Index(
        "voice_sessions_owned",
        "id",
        postgresql_where=text("worker_id IS NOT NULL"),
        info={ONLY_ON: "postgresql"},
    ).ddl_if(dialect="postgresql"),
    Index("voice_sessions_of_template", "session_template_id"),
    Index(
        "voice_sessions_by_metadata",
        "metadata",
        postgresql_using="gin",
        postgresql_ops={"metadata": "jsonb_path_ops"},
        info={ONLY_ON: "postgresql"},
    ).ddl_if(dialect="postgresql"),
    # Each names the other, and a commit may bring both at once.
    ForeignKeyConstraint(
        ["id", "enhancement_job_id"],
        ["voice_tasks.session_id", "voice_tasks.id"],
        name="voice_sessions_enhanced_by",
        use_alter=True,
        deferrable=True,
        initially="DEFERRED",
    ),
    postgresql_with={"fillfactor": 70},  # so that a new state of a row finds room beside the old
)

JOURNAL: Final = Table(
    "voice_journal",
    METADATA,
    Column(
        "session_id",
        IDENTIFIER,
        ForeignKey("voice_sessions.id", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    needed("entry", JSON),
)

UTTERANCES: Final = Table(
    "voice_utterances",
    METADATA,
    Column(
        "session_id",
        IDENTIFIER,
        ForeignKey("voice_sessions.id", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("id", IDENTIFIER, primary_key=True),
    needed("speaker", WORD),
    needed("start_us", BigInteger),
    needed("end_us", BigInteger),
    needed("text", Text),
    Column("confidence", Float),
    needed("words", JSON),
    Column("generated_text", Text),
    Column("spoken_text", Text),
    needed("interrupted", Boolean),
    # Of what begins together, what came first is read first.
    Column("place", BigInteger, nullable=False, server_default=text("0")),
)

TOMBSTONES: Final = Table(
    "voice_tombstones",
    METADATA,
    Column("place", NUMBERED, primary_key=True),
    needed("tenant_id", IDENTIFIER),
    needed("session_hash", String(64)),
    needed("deleted_at", INSTANT),
    Column("deleted_by", Text),
    needed("reason", Text),
    Index("voice_tombstones_of", "tenant_id", "place"),
)

TASKS: Final = Table(
    "voice_tasks",
    METADATA,
    Column(
        "session_id",
        IDENTIFIER,
        ForeignKey("voice_sessions.id", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("id", IDENTIFIER, primary_key=True),
    needed("tenant_id", IDENTIFIER),
    needed("type", Text),
    needed("state", WORD),
    needed("created_at", INSTANT),
    needed("updated_at", INSTANT),
    needed("due_at", INSTANT),
    needed("attempts", BigInteger),
    needed("payload", JSON),
    Column("result_uri", Text),
    Column("error_message", Text),
    Index("voice_tasks_due", "state", "due_at", "id"),
)

# --- the books ---------------------------------------------------------------------------------


def _of_account() -> tuple[Column[str], ...]:
    return (
        Column("tenant_id", IDENTIFIER, primary_key=True),
        Column("scope", WORD, primary_key=True),
        Column("account_id", String(256), primary_key=True),
    )


ACCOUNTS: Final = Table("voice_accounts", METADATA, *_of_account(), Column("zone", Text))
"""One row for each account that was ever booked in: whoever books locks it."""

LIMITS: Final = Table(
    "voice_limits",
    METADATA,
    *_of_account(),
    Column("meter", WORD, primary_key=True),
    Column("window", WORD, primary_key=True),
    needed("amount", BigInteger),
    needed("warn_at", Text),
)

BALANCES: Final = Table(
    "voice_balances",
    METADATA,
    *_of_account(),
    Column("meter", WORD, primary_key=True),
    Column("window", WORD, primary_key=True),
    Column("period", WORD, primary_key=True),
    needed("spent", BigInteger),
    needed("held", BigInteger),
)

HOLDS: Final = Table(
    "voice_holds",
    METADATA,
    Column("id", Text, primary_key=True),
    needed("tenant_id", IDENTIFIER),
    Column("session_id", Text),
    needed("meter", WORD),
    needed("amount", BigInteger),
    needed("lines", JSON),
    Column("expires_at", INSTANT),
    Index("voice_holds_of_session", "tenant_id", "session_id"),
    Index("voice_holds_until", "expires_at"),
)
