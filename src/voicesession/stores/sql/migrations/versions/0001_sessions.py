"""Sessions, their journal, their words, and what is left of deleted ones."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None

ID = sa.String(128).with_variant(sa.String(128, collation="C"), "postgresql")
WORD = sa.String(32)
JSON = sa.Text().with_variant(postgresql.JSONB(), "postgresql")
PANELS = sa.Text().with_variant(postgresql.ARRAY(sa.Text()), "postgresql")


def upgrade(schema: str | None = None) -> None:
    op.create_table(
        "voice_schema", sa.Column("version", sa.Integer, primary_key=True), schema=schema
    )
    op.bulk_insert(_counting(schema), [{"version": 1}])
    op.create_table("voice_sessions", *_session_columns(schema), schema=schema)
    for name, columns in (
        ("voice_sessions_listed", ["tenant_id", "listed_at", "id"]),
        ("voice_sessions_by_user", ["tenant_id", "user_id", "listed_at", "id"]),
        ("voice_sessions_by_state", ["tenant_id", "state", "listed_at", "id"]),
        ("voice_sessions_by_status", ["tenant_id", "status", "listed_at", "id"]),
        ("voice_sessions_by_mode", ["tenant_id", "mode", "listed_at", "id"]),
        ("voice_sessions_of_all", ["listed_at", "id"]),
        ("voice_sessions_after", ["previous_session_id"]),
        ("voice_sessions_due", ["deadline_at"]),
        ("voice_sessions_leased", ["lease_expires_at"]),
    ):
        op.create_index(name, "voice_sessions", columns, schema=schema)
    op.create_index(
        "voice_sessions_open",
        "voice_sessions",
        ["tenant_id", "user_id"],
        schema=schema,
        sqlite_where=sa.text("state != 'ENDED'"),
        postgresql_where=sa.text("state != 'ENDED'"),
    )
    op.create_table(
        "voice_journal",
        _of_session(schema),
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("entry", JSON, nullable=False),
        schema=schema,
    )
    op.create_table(
        "voice_utterances",
        _of_session(schema),
        sa.Column("id", ID, primary_key=True),
        sa.Column("speaker", WORD, nullable=False),
        sa.Column("start_us", sa.BigInteger, nullable=False),
        sa.Column("end_us", sa.BigInteger, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("confidence", sa.Float),
        sa.Column("words", JSON, nullable=False),
        sa.Column("generated_text", sa.Text),
        sa.Column("spoken_text", sa.Text),
        sa.Column("interrupted", sa.Boolean, nullable=False),
        schema=schema,
    )
    op.create_table(
        "voice_tombstones",
        sa.Column("place", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
        sa.Column("tenant_id", ID, nullable=False),
        sa.Column("session_hash", sa.String(64), nullable=False),
        sa.Column("deleted_at", sa.BigInteger, nullable=False),
        sa.Column("deleted_by", sa.Text),
        sa.Column("reason", sa.Text, nullable=False),
        schema=schema,
    )
    op.create_index(
        "voice_tombstones_of", "voice_tombstones", ["tenant_id", "place"], schema=schema
    )


def _counting(schema: str | None) -> sa.TableClause:
    return sa.table("voice_schema", sa.column("version", sa.Integer), schema=schema)


def _of_session(schema: str | None) -> sa.Column[Any]:
    return sa.Column(
        "session_id",
        ID,
        sa.ForeignKey(_in(schema, "voice_sessions.id"), ondelete="CASCADE"),
        primary_key=True,
    )


def _in(schema: str | None, name: str) -> str:
    return name if schema is None else f"{schema}.{name}"


def _session_columns(schema: str | None) -> list[sa.Column[Any]]:
    return [
        sa.Column("id", ID, primary_key=True),
        sa.Column("tenant_id", ID, nullable=False),
        sa.Column("user_id", ID),
        sa.Column("created_by", sa.Text),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("started_at", sa.BigInteger),
        sa.Column("live_at", sa.BigInteger),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.Column("ended_at", sa.BigInteger),
        sa.Column("listed_at", sa.BigInteger, nullable=False),
        sa.Column("state", WORD, nullable=False),
        sa.Column("status", WORD, nullable=False),
        sa.Column("state_since", sa.BigInteger, nullable=False),
        sa.Column("last_activity_at", sa.BigInteger, nullable=False),
        sa.Column("active_us", sa.BigInteger, nullable=False),
        sa.Column("pauses", JSON, nullable=False),
        sa.Column("pause_reasons", JSON, nullable=False),
        sa.Column("end_reason", WORD),
        sa.Column("error", sa.Text),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("deadline_at", sa.BigInteger),
        sa.Column("mode", sa.Text, nullable=False),
        sa.Column("language", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("encoding", WORD, nullable=False),
        sa.Column("sample_rate", sa.Integer, nullable=False),
        sa.Column("channels", sa.Integer, nullable=False),
        sa.Column("store_audio", sa.Boolean, nullable=False),
        sa.Column("store_transcript", sa.Boolean, nullable=False),
        sa.Column("enhance_on_end", sa.Boolean, nullable=False),
        sa.Column("retention_days", sa.Integer, nullable=False),
        sa.Column("device_type", sa.Text),
        sa.Column("client_version", sa.Text),
        sa.Column("key_hash", sa.Text),
        sa.Column("recording_consent", sa.Boolean),
        sa.Column("consent_by", sa.Text),
        sa.Column("consent_wording", sa.Text),
        sa.Column("consent_at", sa.BigInteger),
        sa.Column("secrets_blurred", JSON, nullable=False),
        sa.Column("transcript_partial", sa.Text),
        sa.Column("transcript_final", sa.Text),
        sa.Column("audio_uri", sa.Text),
        sa.Column("audio_partial", sa.Boolean, nullable=False),
        sa.Column("transcript_uri", sa.Text),
        sa.Column("enhancement_job_id", ID),
        sa.Column(
            "previous_session_id",
            ID,
            sa.ForeignKey(_in(schema, "voice_sessions.id"), ondelete="SET NULL"),
        ),
        sa.Column("audio_duration_seconds", sa.Float, nullable=False),
        sa.Column("utterance_count", sa.BigInteger, nullable=False),
        sa.Column("word_count", sa.BigInteger, nullable=False),
        sa.Column("message_count", sa.BigInteger, nullable=False),
        sa.Column("audio_chunks_received", sa.BigInteger, nullable=False),
        sa.Column("audio_chunks_processed", sa.BigInteger, nullable=False),
        sa.Column("audio_minutes_used", sa.Float, nullable=False),
        sa.Column("daily_budget_remaining", JSON),
        sa.Column("session_template_id", ID),
        sa.Column("room_name", sa.Text, unique=True),
        sa.Column("modality_profile", sa.Text),
        sa.Column("enabled_panels", PANELS),
        sa.Column("token_expiry", sa.BigInteger),
        sa.Column("worker_id", sa.Text),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("lease_expires_at", sa.BigInteger),
        sa.Column("client_ip", sa.Text),
        sa.Column("metadata", JSON, nullable=False),
    ]
