"""What a live session costs, to the last unit, and what a limit on money does to it."""

from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterable
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

import pytest
from anyio.lowlevel import checkpoint
from attrs import evolve

from voicesession.core.accounts import Limit, Standing
from voicesession.core.errors import BudgetExhausted, InvalidConfig, InvalidValue
from voicesession.core.ledger import LedgerEntry, Posted
from voicesession.core.meters import Meter
from voicesession.core.price import Money, Price
from voicesession.core.states import EndReason, PauseReason, SessionState
from voicesession.core.timeline import Track
from voicesession.core.windows import Window
from voicesession.ports.agent import HangUp, Prompt, ReplyPart, TokensUsed
from voicesession.ports.prices import EngineModel
from voicesession.runtime.budget_policy import BudgetPolicy
from voicesession.runtime.happenings import BudgetRanOut, EngineUsed, SessionChanged
from voicesession.runtime.live import VoiceSession
from voicesession.runtime.pipeline import Pipeline, SessionConfig
from voicesession.stores.memory import MemoryStorage
from voicesession.testing.phone import Phone
from voicesession.testing.scripted import (
    CallbackAgent,
    ScriptedSpeechToText,
    ScriptedTextToSpeech,
)
from voicesession.testing.stage import Answer, Stage

LISTENER = EngineModel("deepgram", "nova-3")
VOICE = EngineModel("elevenlabs", "eleven_flash_v2_5")
MIND = EngineModel("openai", "gpt-4o-mini")
RATES = {
    (LISTENER, Meter.AUDIO_US): Fraction("0.0058") / 60_000_000,
    (VOICE, Meter.TTS_CHARACTERS): Fraction("0.05") / 1_000,
    (MIND, Meter.LLM_INPUT_TOKENS): Fraction("0.15") / 10**6,
    (MIND, Meter.LLM_OUTPUT_TOKENS): Fraction("0.60") / 10**6,
}
A_REPLY = TokensUsed(input=1_000, output=50)
SECOND_US = 1_000_000
A_TICK_US = 5_000_000
SECOND = bytes(32_000)


class Rates:
    """A price book of these rates."""

    currency = "USD"

    def __init__(self, rates: dict[tuple[EngineModel, Meter], Fraction] | None = None) -> None:
        self.rates = RATES if rates is None else rates

    def price(self, engine: EngineModel, meter: Meter, /, *, at: object) -> Price | None:
        amount = self.rates.get((engine, meter))
        if amount is None:
            return None
        today = date(2026, 11, 21)
        return Price(meter=meter, amount=amount, currency="USD", source="test", date=today)


class Listener(ScriptedSpeechToText):
    name = LISTENER.engine
    model = LISTENER.model


class Voice(ScriptedTextToSpeech):
    name = VOICE.engine
    model = VOICE.model


class Mind(CallbackAgent):
    name = MIND.engine
    model = MIND.model


def billed(prompt: Prompt) -> Iterable[ReplyPart]:
    yield f"you said {prompt.text}"
    yield A_REPLY


def engines(stage: Stage, answer: Answer = billed) -> Pipeline:
    return Pipeline(
        vad=stage.vad,
        stt=Listener(stage.lexicon),
        tts=Voice(stage.lexicon),
        agent=Mind(answer),
    )


def on_stage(**services: Any) -> Stage:
    stage = Stage()
    services = {"prices": Rates(), **services}
    stage.voice._services = evolve(stage.voice._services, **services)
    stage.voice = type(stage.voice)(stage.voice._services)
    return stage


@pytest.fixture
async def stage() -> AsyncGenerator[Stage]:
    async with on_stage() as stage:
        yield stage


async def limit(stage: Stage, amount: str | timedelta, meter: Meter = Meter.MONEY_USD) -> Limit:
    """Limit the user's day: money, or audio."""
    ada = stage.voice.budgets.account("user", "ada")
    if isinstance(amount, timedelta):
        meter, units = Meter.AUDIO_US, amount // timedelta(microseconds=1)
    else:
        units = Money(amount, "USD").units
    made = Limit(account=ada, meter=meter, window=Window.DAY, amount=units)
    await stage.voice.budgets.set_limit(made)
    return made


def is_paused(call: VoiceSession) -> bool:
    return call.session.pause_reasons == {PauseReason.BUDGET_EXHAUSTED}


async def until(holds: Callable[[], bool]) -> None:
    for _ in range(1_000):
        if holds():
            return
        await checkpoint()
    raise AssertionError("it never came true")


def priced(used: dict[Meter, int]) -> Fraction:
    """What is used costs, added up by somebody else."""
    rates = {meter: rate for (_, meter), rate in RATES.items()}
    return sum((amount * rates[meter] for meter, amount in used.items()), Fraction())


# --- what it costs --------------------------------------------------------------------------


async def test_a_conversation_costs_what_its_engines_used_exactly_while_it_runs(
    stage: Stage,
) -> None:
    async with stage.call(engines(stage)) as (call, phone):
        for _ in range(3):
            await phone.say("good morning")
            await phone.wait(4 * SECOND_US)
            cost = await call.handle.cost()
            assert cost.known.amount == priced(dict(cost.used))
            assert cost.used[Meter.AUDIO_US] == call.media_us
        told = sum((Counter(one.used) for one in stage.happenings(EngineUsed)), Counter[Meter]())
    assert told == {
        Meter.TTS_CHARACTERS: 3 * len("you said good morning"),
        Meter.LLM_INPUT_TOKENS: 3_000,
        Meter.LLM_OUTPUT_TOKENS: 150,
    }
    booked = await stage.voice.budgets.cost(call.session.id)
    assert booked.used == {**told, Meter.AUDIO_US: call.session.audio_duration_us}
    assert booked.total == Money(priced(dict(booked.used)), "USD")
    assert (booked.unpriced, booked.wasted) == (0, {})


async def test_a_pause_costs_nothing(stage: Stage) -> None:
    async with stage.call(engines(stage)) as (call, phone):
        await phone.wait(2 * SECOND_US)
        await call.pause()
        before = await call.handle.cost()
        await phone.wait(60 * SECOND_US, step_us=SECOND_US)
        assert await call.handle.cost() == before


async def test_what_was_begun_too_early_is_counted_apart_and_costs_the_same(stage: Stage) -> None:
    config = SessionConfig()  # replies are begun before the turn is over
    async with stage.call(engines(stage), config=config) as (call, phone):
        await phone.say("what time")
        await phone.wait(400_000)
        await phone.say("is it in Rome")
        await phone.wait(6 * SECOND_US)
        assert "Rome" in phone.heard_words
    wasted = [one for one in stage.happenings(EngineUsed) if one.wasted]
    assert wasted
    cost = await stage.voice.budgets.cost(call.session.id)
    assert cost.used[Meter.LLM_OUTPUT_TOKENS] == A_REPLY.output
    assert cost.wasted[Meter.WASTED_OUTPUT_TOKENS] >= A_REPLY.output
    back = {
        Meter.WASTED_OUTPUT_TOKENS: Meter.LLM_OUTPUT_TOKENS,
        Meter.WASTED_INPUT_TOKENS: Meter.LLM_INPUT_TOKENS,
        Meter.WASTED_CHARACTERS: Meter.TTS_CHARACTERS,
    }
    of_waste = priced({back[meter]: amount for meter, amount in cost.wasted.items()})
    assert cost.total.amount == priced(dict(cost.used)) + of_waste


async def test_a_session_keeps_the_prices_that_it_began_with() -> None:
    rates = dict(RATES)
    async with on_stage(prices=Rates(rates)) as stage:
        async with stage.call(engines(stage)) as (call, phone):
            await phone.say("good morning")
            await phone.wait(4 * SECOND_US)
            for key in rates:
                rates[key] *= 2
            await phone.say("good morning")
            await phone.wait(4 * SECOND_US)
        cost = await stage.voice.budgets.cost(call.session.id)
        assert cost.total.amount == priced(dict(cost.used))


async def test_what_has_no_price_is_not_free(stage: Stage) -> None:
    async with stage.call() as (call, phone):  # engines that nobody knows
        await phone.say("good morning")
        await phone.wait(3 * SECOND_US)
    cost = await stage.voice.budgets.cost(call.session.id)
    assert cost.unpriced > 0
    with pytest.raises(InvalidValue, match="price"):
        _ = cost.total


async def test_a_host_charges_with_the_price_of_the_engine_that_it_names(stage: Stage) -> None:
    session = await stage.voice.create(user_id="ada")
    async with stage.voice.attach(session.id) as handle:
        await handle.live()
        await handle.charge(counts={"llm_input_tokens": 2_000}, engine=MIND)
        assert (await handle.cost()).known == Money("0.0003", "USD")
        await handle.charge(audio_minutes=1, engine=LISTENER)
        assert (await handle.cost()).known == Money("0.0061", "USD")


async def test_without_prices_nobody_can_say_what_a_session_costs() -> None:
    async with on_stage(prices=None) as stage:
        session = await stage.voice.create(user_id="ada")
        with pytest.raises(InvalidConfig, match="prices"):
            await stage.voice.budgets.cost(session.id)


# --- limits on money ------------------------------------------------------------------------


async def test_where_money_runs_out_the_session_pauses_one_reply_over_at_most(
    stage: Stage,
) -> None:
    made = await limit(stage, "0.003")
    async with stage.call(engines(stage)) as (call, phone):
        while call.session.state is SessionState.LIVE:
            await phone.say("good morning")
            await phone.wait(3 * SECOND_US)
        assert call.session.pause_reasons == {PauseReason.BUDGET_EXHAUSTED}
        cost = (await call.handle.cost()).total
    a_reply = priced({Meter.TTS_CHARACTERS: 21, Meter.LLM_INPUT_TOKENS: 1_000})
    a_reply += priced({Meter.LLM_OUTPUT_TOKENS: 50, Meter.AUDIO_US: 10 * SECOND_US})
    assert made.amount <= cost.units <= made.amount + Money(a_reply, "USD").units
    (ran_out,) = stage.happenings(BudgetRanOut)
    assert [standing.line.meter for standing in ran_out.exhausted] == [Meter.MONEY_USD]


@pytest.mark.parametrize(("amount", "within_us"), [("1", 4 * A_TICK_US), ("0.0193", A_TICK_US)])
async def test_the_closer_a_limit_on_money_comes_the_sooner_it_is_booked_what_audio_costs(
    stage: Stage, amount: str, within_us: int
) -> None:
    await limit(stage, amount)
    ada = stage.voice.budgets.account("user", "ada")
    async with stage.call(engines(stage)) as (call, phone):
        for _ in range(120):
            await phone.wait(SECOND_US)
            used = call.handle.ownership.running.audio_used_us
            day, _month = await stage.voice.budgets.standings(ada, [Meter.MONEY_USD])
            booked = Money.of_units(day.spent, "USD").amount
            assert (used - within_us) * RATES[LISTENER, Meter.AUDIO_US] <= booked


async def test_more_money_lets_it_go_on_by_itself(stage: Stage) -> None:
    await limit(stage, "0.0005")
    async with stage.call(engines(stage)) as (call, phone):
        while call.session.state is SessionState.LIVE:
            await phone.say("good morning")
            await phone.wait(3 * SECOND_US)
        stage.clock.advance(3 * A_TICK_US)
        for _ in range(50):
            await checkpoint()
        assert is_paused(call)
        await limit(stage, "1")
        stage.clock.advance(A_TICK_US)
        await until(lambda: call.session.state is SessionState.LIVE)


async def test_what_others_have_used_up_stops_a_session_too(stage: Stage) -> None:
    await limit(stage, "1")
    async with stage.call(engines(stage)) as (call, phone):
        await phone.say("good morning")
        await phone.wait(3 * SECOND_US)
        whole = {Meter.MONEY_USD.value: Money(1, "USD").units}
        await stage.voice.budgets.track_usage("ada", counts=whole)
        await phone.say("good morning")
        await phone.wait(4 * A_TICK_US)
        assert call.session.pause_reasons == {PauseReason.BUDGET_EXHAUSTED}


async def test_a_session_without_money_does_not_begin_and_holds_nothing(stage: Stage) -> None:
    await limit(stage, "0")
    with pytest.raises(BudgetExhausted, match="money_usd is left that the user may spend"):
        async with stage.call(engines(stage)):
            raise AssertionError
    ada = stage.voice.budgets.account("user", "ada")
    found = await stage.voice.budgets.standings(ada, [Meter.AUDIO_US, Meter.SESSIONS])
    assert [standing.held for standing in found] == [0, 0, 0]


@pytest.mark.parametrize("unknown", [LISTENER, VOICE, MIND])
async def test_with_money_limited_nothing_runs_whose_price_nobody_knows(
    unknown: EngineModel,
) -> None:
    rates = {key: rate for key, rate in RATES.items() if key[0] != unknown}
    async with on_stage(prices=Rates(rates)) as stage:
        await limit(stage, "1")
        with pytest.raises(BudgetExhausted, match=f"nobody knows what {unknown} costs"):
            async with stage.call(engines(stage)):
                raise AssertionError
        ada = stage.voice.budgets.account("user", "ada")
        (seats,) = await stage.voice.budgets.standings(ada, [Meter.SESSIONS])
        assert seats.held == 0


async def test_a_limit_that_is_set_in_a_call_stops_what_has_no_price() -> None:
    async with on_stage(prices=Rates({})) as stage, stage.call(engines(stage)) as (call, phone):
        await phone.say("good morning")
        await phone.wait(3 * SECOND_US)
        assert call.session.state is SessionState.LIVE
        await limit(stage, "1")
        await phone.wait(60 * SECOND_US, step_us=SECOND_US)
        assert call.session.pause_reasons == {PauseReason.BUDGET_EXHAUSTED}


async def test_a_host_may_allow_what_has_no_price() -> None:
    policy = BudgetPolicy(allow_unpriced=True)
    async with on_stage(prices=Rates({}), budgets=policy) as stage:
        await limit(stage, "1")
        async with stage.call(engines(stage)) as (call, phone):
            await phone.say("good morning")
            await phone.wait(3 * SECOND_US)
            assert call.session.state is SessionState.LIVE
            assert (await call.handle.cost()).unpriced > 0


async def test_with_money_limited_a_worker_without_prices_runs_nothing() -> None:
    async with on_stage(prices=None) as stage:
        await limit(stage, "1")
        with pytest.raises(BudgetExhausted, match="nobody knows what anything in USD costs"):
            async with stage.call(engines(stage)):
                raise AssertionError


async def test_a_limit_in_another_currency_than_the_prices_is_refused(stage: Stage) -> None:
    with pytest.raises(InvalidValue, match=r"^meter is 'money_eur'; allowed: money_usd"):
        await limit(stage, "1", meter=Meter.MONEY_EUR)


# --- the end of it --------------------------------------------------------------------------


def states_of(stage: Stage) -> list[SessionState | None]:
    return [one.new_state for one in stage.happenings(SessionChanged)]


def a_long_answer(_prompt: Prompt) -> Iterable[ReplyPart]:
    yield "one two three four five six seven eight nine ten eleven twelve"


async def spend_it_all(stage: Stage, call: VoiceSession, phone: Phone) -> None:
    """Let somebody else use up the user's audio while the agent speaks."""
    await phone.say("go on")
    await phone.wait(2 * SECOND_US)
    await stage.voice.budgets.track_usage("ada", audio_minutes=10)
    await call.handle.ownership.spending.charge({Meter.AUDIO_US: 1})


async def test_when_nothing_is_left_the_agent_finishes_and_then_the_session_pauses() -> None:
    async with on_stage(prices=None) as stage:
        await limit(stage, timedelta(minutes=10))
        async with stage.call(engines(stage, a_long_answer)) as (call, phone):
            await spend_it_all(stage, call, phone)
            assert not is_paused(call)
            before_us = call.media_us
            await phone.wait(4 * SECOND_US)
            assert is_paused(call)
            assert phone.heard_words[-1] == "twelve"
            assert call.media_us == before_us  # nobody was heard meanwhile


async def test_the_last_words_last_only_so_long() -> None:
    policy = BudgetPolicy(last_words=timedelta(milliseconds=500))
    async with on_stage(prices=None, budgets=policy) as stage:
        await limit(stage, timedelta(minutes=10))
        async with stage.call(engines(stage, a_long_answer)) as (call, phone):
            await spend_it_all(stage, call, phone)
            await phone.wait(SECOND_US)
            assert is_paused(call)
            assert "twelve" not in phone.heard_words


async def test_the_agent_is_cut_short_where_the_host_wants_it() -> None:
    policy = BudgetPolicy(last_words=timedelta())
    async with on_stage(prices=None, budgets=policy) as stage:
        await limit(stage, timedelta(minutes=10))
        async with stage.call(engines(stage, a_long_answer)) as (call, phone):
            await spend_it_all(stage, call, phone)
            assert is_paused(call)


async def test_what_is_raised_in_the_last_words_pauses_nobody() -> None:
    async with on_stage(prices=None) as stage:
        await limit(stage, timedelta(minutes=10))
        async with stage.call(engines(stage, a_long_answer)) as (call, phone):
            await spend_it_all(stage, call, phone)
            await limit(stage, timedelta(minutes=100))
            await phone.wait(6 * SECOND_US)
            assert call.session.state is SessionState.LIVE
            assert phone.heard_words[-1] == "twelve"
        assert SessionState.PAUSED not in states_of(stage)


async def test_an_agent_that_hangs_up_with_its_last_words_ends_the_session_and_pauses_nobody() -> (
    None
):
    def goodbye(prompt: Prompt) -> Iterable[ReplyPart]:
        yield from a_long_answer(prompt)
        yield HangUp()

    async with on_stage(prices=None) as stage:
        await limit(stage, timedelta(minutes=10))
        async with stage.call(engines(stage, goodbye)) as (call, phone):
            await spend_it_all(stage, call, phone)
            await phone.wait(4 * SECOND_US)
            assert phone.heard_words[-1] == "twelve"
            assert call.session.end_reason is EndReason.COMPLETED
        assert SessionState.PAUSED not in states_of(stage)


async def test_an_agent_that_hangs_up_without_a_word_as_money_runs_out_pauses_nobody_either() -> (
    None
):
    def goodbye(_prompt: Prompt) -> Iterable[ReplyPart]:
        yield TokensUsed(input=10_000_000, output=0)
        yield HangUp()

    async with on_stage() as stage:
        await limit(stage, "0.50")
        async with stage.call(engines(stage, goodbye)) as (call, phone):
            await phone.say("go on")
            await phone.wait(4 * SECOND_US)
            assert call.session.end_reason is EndReason.COMPLETED
        assert SessionState.PAUSED not in states_of(stage)


async def test_an_agent_whose_goodbye_was_cut_short_has_not_hung_up() -> None:
    def goodbye(prompt: Prompt) -> Iterable[ReplyPart]:
        yield from a_long_answer(prompt)
        yield HangUp()

    async with on_stage(prices=None, budgets=BudgetPolicy(last_words=timedelta())) as stage:
        await limit(stage, timedelta(minutes=10))
        async with stage.call(engines(stage, goodbye)) as (call, phone):
            await spend_it_all(stage, call, phone)
            assert is_paused(call)
            await limit(stage, timedelta(minutes=100))
            await phone.wait(6 * SECOND_US)
            assert call.session.state is SessionState.LIVE


async def test_a_host_may_want_to_resume_by_hand() -> None:
    async with on_stage(prices=None, budgets=BudgetPolicy(resumes=False)) as stage:
        await limit(stage, timedelta(seconds=1))
        session = await stage.voice.create(user_id="ada")
        async with stage.voice.attach(session.id) as handle:
            await handle.live()
            assert handle.audio(Track.USER, SECOND)
            handle.audio(Track.USER, SECOND)
            await until(lambda: not handle.is_live)
            await limit(stage, timedelta(seconds=9))
            stage.clock.advance(3 * A_TICK_US)
            for _ in range(50):
                await checkpoint()
            assert not handle.is_live
            assert (await handle.live()).state is SessionState.LIVE


@pytest.mark.parametrize(
    "setting",
    [
        {"last_words": 10},
        {"last_words": timedelta(-1)},
        {"resumes": 1},
        {"allow_unpriced": "yes"},
    ],
)
def test_a_policy_that_cannot_be_is_refused(setting: dict[str, Any]) -> None:
    with pytest.raises(InvalidConfig, match=next(iter(setting))):
        BudgetPolicy(**setting)


# --- how often the ledger is asked ----------------------------------------------------------


class CountedStorage(MemoryStorage):
    """Counts the round trips to its ledger."""

    def __init__(self) -> None:
        super().__init__()
        self.trips: Counter[str] = Counter()
        post, standings = self.ledger.post, self.ledger.standings

        async def counted_post(entry: LedgerEntry, /) -> Posted:
            self.trips["post"] += 1
            return await post(entry)

        async def counted_standings(*args: Any, **kwargs: Any) -> Iterable[Standing]:
            self.trips["standings"] += 1
            return await standings(*args, **kwargs)

        self.ledger.post = counted_post  # type: ignore[method-assign]
        self.ledger.standings = counted_standings  # type: ignore[method-assign, assignment]


async def test_a_live_conversation_asks_the_ledger_at_most_once_in_five_seconds() -> None:
    storage = CountedStorage()
    async with on_stage(storage=storage) as stage, stage.call(engines(stage)) as (call, phone):
        storage.trips.clear()
        for _ in range(30):
            await phone.say("good morning")
            await phone.wait(3 * SECOND_US)
        assert len(stage.happenings(EngineUsed)) >= 60
        assert storage.trips.total() <= call.media_us // (5 * SECOND_US) + 1
