"""What a server's settings come to."""

from datetime import timedelta
from pathlib import Path

import pytest

from voicesession import Limit, Money
from voicesession.core.errors import BudgetExhausted, InvalidConfig, QuotaExceeded
from voicesession.core.meters import Meter
from voicesession.ports.prices import EngineModel
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


async def test_money_is_counted_by_ones_own_prices_and_then_by_the_packages(
    tmp_path: Path,
) -> None:
    own = tmp_path / "prices.toml"
    own.write_text(
        'currency = "USD"\n[[price]]\nengine = "deepgram"\nmodel = "nova-3"\nmeter = "audio_us"\n'
        'amount = "0.0042"\nper = "minute"\nsource = "our contract"\ndate = 2026-11-21\n'
    )
    costs: list[Money] = []
    for prices in (own, None):
        async with configured(settings(prices=prices)) as voice:
            session = await voice.create()
            async with voice.attach(session.id) as handle:
                engine = EngineModel("deepgram", "nova-3")
                await handle.charge(audio_minutes=1, engine=engine)
            costs.append((await voice.budgets.cost(session.id)).total)
    assert costs == [Money("0.0042", "USD"), Money("0.0058", "USD")]


def test_prices_that_cannot_be_read_are_refused_before_anything_is_opened(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfig, match=r"^prices"):
        configured(settings(prices=tmp_path / "no such file"))


async def test_what_nobody_knows_the_price_of_runs_where_the_settings_allow_it() -> None:
    for allowed in (False, True):
        async with configured(settings(allow_unpriced=allowed)) as voice:
            day = Limit(
                account=voice.budgets.account("user", "ada"),
                meter=Meter.MONEY_USD,
                window="day",
                amount=Money("0.50", "USD").units,
            )
            await voice.budgets.set_limit(day)
            session = await voice.create(user_id="ada")
            async with voice.attach(session.id) as handle:  # the engines of a host have no price
                if allowed:
                    assert (await handle.live()).state == "LIVE"
                else:
                    with pytest.raises(BudgetExhausted, match="nobody knows what host costs"):
                        await handle.live()


def test_a_store_that_cannot_be_is_refused_before_anything_is_opened() -> None:
    with pytest.raises(InvalidConfig, match="store"):
        configured(settings(store="floppy://a"))
