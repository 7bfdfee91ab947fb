"""Tasks, templates and the books; sessions refer to the tasks and templates that there are."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"

ID = sa.String(128).with_variant(sa.String(128, collation="C"), "postgresql")
WORD = sa.String(32)
JSON = sa.Text().with_variant(postgresql.JSONB(), "postgresql")
PANELS = sa.Text().with_variant(postgresql.ARRAY(sa.Text()), "postgresql")


def upgrade(schema: str | None = None) -> None:
    _make_templates(schema)
    _make_tasks(schema)
    _forget_what_is_not_there(schema)
    _refer(schema)
    _make_books(schema)
    op.drop_table("voice_schema", schema=schema)  # Alembic counts from here on


def _make_templates(schema: str | None) -> None:
    op.create_table(
        "voice_templates",
        sa.Column("id", ID, primary_key=True),
        sa.Column("tenant_id", ID, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.Column("modality_profile", sa.Text, nullable=False),
        sa.Column("enabled_panels", PANELS),
        sa.Column("language", sa.Text),
        sa.Column("model", sa.Text),
        sa.Column("max_active_us", sa.BigInteger),
        sa.Column("max_wall_clock_us", sa.BigInteger),
        sa.Column("audio_budget_us", sa.BigInteger),
        sa.Column("agent_metadata", JSON, nullable=False),
        schema=schema,
    )
    op.create_index("voice_templates_of", "voice_templates", ["tenant_id", "id"], schema=schema)


def _make_tasks(schema: str | None) -> None:
    op.create_table(
        "voice_tasks",
        sa.Column(
            "session_id",
            ID,
            sa.ForeignKey(_in(schema, "voice_sessions.id"), ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("id", ID, primary_key=True),
        sa.Column("tenant_id", ID, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("state", WORD, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.Column("due_at", sa.BigInteger, nullable=False),
        sa.Column("attempts", sa.BigInteger, nullable=False),
        sa.Column("payload", JSON, nullable=False),
        sa.Column("result_uri", sa.Text),
        sa.Column("error_message", sa.Text),
        schema=schema,
    )
    op.create_index("voice_tasks_due", "voice_tasks", ["state", "due_at", "id"], schema=schema)


def _forget_what_is_not_there(schema: str | None) -> None:
    # Until now sessions could name templates and tasks that nobody kept.
    sessions = sa.table(
        "voice_sessions",
        sa.column("session_template_id"),
        sa.column("enhancement_job_id"),
        schema=schema,
    )
    op.execute(sessions.update().values(session_template_id=None, enhancement_job_id=None))


def _refer(schema: str | None) -> None:
    with op.batch_alter_table("voice_sessions", schema=schema) as sessions:
        sessions.add_column(
            sa.Column("legal_hold", sa.Boolean, nullable=False, server_default=sa.false())
        )
        sessions.alter_column("user_id", existing_type=ID, type_=sa.Text())
        sessions.create_foreign_key(
            "voice_sessions_made_from",
            "voice_templates",
            ["session_template_id"],
            ["id"],
            referent_schema=schema,
            ondelete="SET NULL",
        )
        sessions.create_foreign_key(
            "voice_sessions_enhanced_by",
            "voice_tasks",
            ["id", "enhancement_job_id"],
            ["session_id", "id"],
            referent_schema=schema,
            deferrable=True,
            initially="DEFERRED",
        )
    for name, columns in (
        ("voice_sessions_by_user_and_state", ["tenant_id", "user_id", "state"]),
        ("voice_sessions_of_template", ["session_template_id"]),
    ):
        op.create_index(name, "voice_sessions", columns, schema=schema)
    op.drop_index("voice_sessions_open", "voice_sessions", schema=schema)
    op.create_index(
        "voice_sessions_open",
        "voice_sessions",
        ["tenant_id", "user_id", "state"],
        schema=schema,
        sqlite_where=sa.text("state != 'ENDED'"),
        postgresql_where=sa.text("state != 'ENDED'"),
    )
    if op.get_context().dialect.name == "postgresql":
        _suit_postgres(schema)


def _suit_postgres(schema: str | None) -> None:
    op.create_index(
        "voice_sessions_by_metadata",
        "voice_sessions",
        ["metadata"],
        schema=schema,
        postgresql_using="gin",
        postgresql_ops={"metadata": "jsonb_path_ops"},
    )
    op.drop_index("voice_sessions_leased", "voice_sessions", schema=schema)
    op.create_index(
        "voice_sessions_owned",
        "voice_sessions",
        ["id"],
        schema=schema,
        postgresql_where=sa.text("worker_id IS NOT NULL"),
    )
    op.execute(f"ALTER TABLE {_in(schema, 'voice_sessions')} SET (fillfactor = 70)")


def _make_books(schema: str | None) -> None:
    op.create_table("voice_accounts", *_account(), sa.Column("zone", sa.Text), schema=schema)
    op.create_table(
        "voice_limits",
        *_account(),
        sa.Column("meter", WORD, primary_key=True),
        sa.Column("window", WORD, primary_key=True),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("warn_at", sa.Text, nullable=False),
        schema=schema,
    )
    op.create_table(
        "voice_balances",
        *_account(),
        sa.Column("meter", WORD, primary_key=True),
        sa.Column("window", WORD, primary_key=True),
        sa.Column("period", WORD, primary_key=True),
        sa.Column("spent", sa.BigInteger, nullable=False),
        sa.Column("held", sa.BigInteger, nullable=False),
        schema=schema,
    )
    op.create_table(
        "voice_holds",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("tenant_id", ID, nullable=False),
        sa.Column("session_id", sa.Text),
        sa.Column("meter", WORD, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("lines", JSON, nullable=False),
        sa.Column("expires_at", sa.BigInteger),
        schema=schema,
    )
    for name, columns in (
        ("voice_holds_of_session", ["tenant_id", "session_id"]),
        ("voice_holds_until", ["expires_at"]),
    ):
        op.create_index(name, "voice_holds", columns, schema=schema)


def _account() -> list[sa.Column[Any]]:
    return [
        sa.Column("tenant_id", ID, primary_key=True),
        sa.Column("scope", WORD, primary_key=True),
        sa.Column("account_id", sa.String(256), primary_key=True),
    ]


def _in(schema: str | None, name: str) -> str:
    return name if schema is None else f"{schema}.{name}"
