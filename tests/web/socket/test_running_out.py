"""What a client is told of the budget, up to the pause."""

from typing import Any

from voicesession.core.accounts import Account, Limit, Scope
from voicesession.core.meters import Meter
from voicesession.core.windows import Window


async def test_a_client_is_told_once_of_each_level_and_then_why_it_pauses(house: Any) -> None:
    ada = Account(tenant_id=house.voice.tenant_id, scope=Scope.USER, id="ada")
    await house.voice.budgets.set_limit(
        Limit(account=ada, meter=Meter.AUDIO_US, window=Window.DAY, amount=10_000_000)
    )
    async with house.talk(user_id="ada") as talker:
        for _ in range(60):
            await talker.socket.send(bytes(6_400))
        await talker.next("session.paused")
    first, last = talker.all("budget.warning")
    assert (
        (first["meter"], first["scope"]) == (last["meter"], last["scope"]) == ("audio_us", "user")
    )
    assert 0.8 <= first["utilization"] < 1
    assert (last["utilization"], last["remaining"]) == (1, 0)
    assert first["seq"] < last["seq"] < talker.last_seq
    assert talker.messages[-1]["reasons"] == ["budget_exhausted"]


async def test_who_pauses_for_what_others_used_is_told_which_limit_that_was(house: Any) -> None:
    ada = Account(tenant_id=house.voice.tenant_id, scope=Scope.USER, id="ada")
    await house.voice.budgets.set_limit(
        Limit(account=ada, meter=Meter.LLM_INPUT_TOKENS, window=Window.MONTH, amount=100)
    )
    async with house.talk(user_id="ada") as talker:
        await house.voice.budgets.track_usage("ada", counts={"llm_input_tokens": 150})
        for _ in range(20):
            await talker.socket.send(bytes(6_400))
        await talker.next("session.paused")
    (warning,) = talker.all("budget.warning")
    assert (warning["meter"], warning["scope"]) == ("llm_input_tokens", "user")
    assert (warning["utilization"], warning["remaining"]) == (1.5, 0)
    assert "seq" not in warning
    assert talker.messages[-1]["reasons"] == ["budget_exhausted"]


async def test_each_time_it_runs_out_the_client_is_told_why(house: Any) -> None:
    ada = Account(tenant_id=house.voice.tenant_id, scope=Scope.USER, id="ada")
    limit = Limit(account=ada, meter=Meter.LLM_INPUT_TOKENS, window=Window.MONTH, amount=100)
    await house.voice.budgets.set_limit(limit)
    async with house.talk(user_id="ada") as talker:
        for used in (150, 100):
            await house.voice.budgets.track_usage("ada", counts={"llm_input_tokens": used})
            for _ in range(20):
                await talker.socket.send(bytes(6_400))
            await talker.next("session.paused")
            await house.voice.budgets.raise_limit(ada, limit.meter, limit.window, by=100)
            await talker.send("resume")
            await talker.next("session.resumed")
    told = [warning["utilization"] for warning in talker.all("budget.warning")]
    assert told == [1.5, 1.25]
