"""Sessions have time limits of their own, such as their template's; those before have none."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade(schema: str | None = None) -> None:
    for name in ("max_active_us", "max_wall_clock_us"):
        op.add_column("voice_sessions", sa.Column(name, sa.BigInteger), schema=schema)
