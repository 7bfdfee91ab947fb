"""Words that begin together are read as they came; those before are read by their ids."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade(schema: str | None = None) -> None:
    place = sa.Column("place", sa.BigInteger, nullable=False, server_default=sa.text("0"))
    op.add_column("voice_utterances", place, schema=schema)
