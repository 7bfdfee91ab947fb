"""What a server's settings come to."""

from datetime import timedelta
from pathlib import Path

import pytest

from voicesession.core.errors import InvalidConfig, QuotaExceeded
from voicesession.schemas.settings import Settings
from voicesession.wiring.configured import configured


def settings(**changes: object) -> Settings:
    return Settings(**{"store": "memory://", "recordings": None} | changes)  # type: ignore[arg-type]


async def test_a_user_may_have_as_many_sessions_as_the_settings_say() -> None:
    async with configured(settings(max_sessions_per_user=1)) as voice:
        await voice.create(user_id="ada")
        with pytest.raises(QuotaExceeded, match="Maximum 1 concurrent"):
            await voice.create(user_id="ada")


async def test_sessions_live_and_are_kept_for_as_long_as_the_settings_say() -> None:
    async with configured(settings(retention_days=-1, session_ttl_hours=0.5)) as voice:
        session = await voice.create()
        assert session.retention_days == -1
        assert voice._services.life.time_to_live == timedelta(minutes=30)


async def test_recordings_go_where_the_settings_say(tmp_path: Path) -> None:
    async with configured(settings(recordings=str(tmp_path), lease_seconds=20)) as voice:
        assert voice._services.lease == timedelta(seconds=20)
        assert voice._services.recorder is not None


def test_a_store_that_cannot_be_is_refused_before_anything_is_opened() -> None:
    with pytest.raises(InvalidConfig, match="store"):
        configured(settings(store="floppy://a"))
