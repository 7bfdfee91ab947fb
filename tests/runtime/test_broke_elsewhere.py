"""What broke for others, in production, and does not here."""

import logging
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import anyio
import pytest
from tests.patience import PATIENCE_S

from voicesession.core.accounts import Limit, Scope as SpendingScope
from voicesession.core.admission import AdmissionPolicy
from voicesession.core.errors import LeaseLost, QuotaExceeded
from voicesession.core.floor.config import FloorConfig
from voicesession.core.floor.effects import AwayReason, UserAway
from voicesession.core.identity import DEFAULT_TENANT
from voicesession.core.meters import Meter
from voicesession.core.session import Session
from voicesession.core.states import EndReason, PauseReason, SessionState
from voicesession.core.utterance import Speaker
from voicesession.core.windows import Window
from voicesession.ports.agent import Prompt, ReplyPart
from voicesession.ports.scope import Scope
from voicesession.runtime import ending
from voicesession.runtime.chain import Chain
from voicesession.runtime.clock import SteppedClock
from voicesession.runtime.handle import SessionHandle
from voicesession.runtime.happenings import ChangeReason, EngineChanged, Stage as EngineStage
from voicesession.runtime.hooks import Hooks
from voicesession.runtime.live import VoiceSession
from voicesession.runtime.manager import SessionManager
from voicesession.runtime.orphans import Orphans
from voicesession.runtime.pipeline import Pipeline, SessionConfig
from voicesession.runtime.registry import Registry
from voicesession.runtime.services import Services
from voicesession.stores.memory import MemoryStorage
from voicesession.testing.faults import Faults, FaultyTextToSpeech
from voicesession.testing.scripted import CallbackAgent
from voicesession.testing.stage import PATIENT, Stage, echo

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US


@pytest.fixture
def storage() -> MemoryStorage:
    return MemoryStorage()


# --- reapers ----------------------------------------------------------------------------------


async def test_a_call_is_never_reaped_for_its_age_and_nor_is_its_seat(
    storage: MemoryStorage,
) -> None:
    """A reaper ended live calls after 120 s; slots counted as stale after 20 minutes."""
    async with Stage(storage=storage) as stage:
        budgets = stage.voice.budgets
        seats = Limit(
            account=budgets.account(SpendingScope.TENANT),
            meter=Meter.SESSIONS,
            window=Window.SESSION,
            amount=1,
        )
        await budgets.set_limit(seats)
        other = Services(storage=storage, worker_id="other", clock=stage.clock)
        async with SessionManager(other) as elsewhere, stage.call() as (call, _phone):
            for _ in range(25):
                stage.clock.advance(MINUTE_US)
                await call.settled()
                assert (await elsewhere.rescuer.rescue()).sessions == ()
            assert call.session.state is SessionState.LIVE
            another = await elsewhere.create(user_id="bob")
            async with elsewhere.attach(another.id) as handle:
                with pytest.raises(QuotaExceeded):
                    await handle.live()


async def dead_call(services: Services, **parameters: str) -> Session:
    """A session that is LIVE on a worker of which nothing is heard any more."""
    dead = Services(
        storage=services.storage,
        worker_id="dead",
        clock=services.clock,
        lease=timedelta(microseconds=1),
    )
    registry = Registry(dead, Scope(DEFAULT_TENANT), Orphans(dead, lambda _id, _error: None))
    session = await registry.create(dict(parameters), DEFAULT_TENANT)
    handle = SessionHandle(dead, await registry.take(session.id))
    await handle.live()
    return handle.session


async def test_a_dead_call_keeps_nobody_from_a_new_one(storage: MemoryStorage) -> None:
    # The store stamps leases with real time, so the clock begins there.
    clock = SteppedClock(datetime.now(UTC) + timedelta(seconds=1))  # noqa: TID251
    services = Services(
        storage=storage,
        worker_id="w",
        clock=clock,
        admission=AdmissionPolicy(per_user=1),
    )
    dead = await dead_call(services, user_id="ada")
    async with SessionManager(services) as voice:
        with pytest.raises(QuotaExceeded):
            await voice.create(user_id="ada")
        await voice.rescuer.rescue()
        assert (await voice.get(dead.id)).pause_reasons == {PauseReason.WORKER_LOST}
        clock.advance(31 * SECOND_US)  # nobody resumes it
        assert (await voice.get(dead.id)).end_reason is EndReason.WORKER_LOST
        async with voice.attach((await voice.create(user_id="ada")).id) as handle:
            assert (await handle.live()).state is SessionState.LIVE


# --- what is restored -----------------------------------------------------------------------


async def test_a_resumed_session_claims_no_reply_that_was_in_flight_and_doubles_nothing(
    storage: MemoryStorage,
) -> None:
    asked: list[Prompt] = []

    def answer(prompt: Prompt) -> Iterable[ReplyPart]:
        asked.append(prompt)
        return ["once upon a time there was a king who had a castle and a dog and a cat"]

    async with (
        Stage(storage=storage, worker_id="one") as one,
        Stage(storage=storage, worker_id="two") as two,
        one.call(answer) as (call, phone),
    ):
        await phone.say("tell me a story")
        await phone.wait(1_500_000)
        assert len(phone.heard_words) >= 2
        async with two.call(answer, session_id=call.session.id, take_over=True) as (_, again):
            await again.say("where were you")
            await again.wait(9 * SECOND_US)
        transcript = await two.voice.transcript(call.session.id)
        with pytest.raises(LeaseLost):
            await call.pause()
    told = [(said.speaker, said.text) for said in asked[1].history]
    assert told == [(Speaker.USER, "tell me a story")]
    said = [utterance.text for utterance in transcript.utterances]
    assert said == [
        "tell me a story",
        "where were you",
        "once upon a time there was a king who had a castle and a dog and a cat",
    ]
    assert len({utterance.id for utterance in transcript.utterances}) == len(said)


# --- speech --------------------------------------------------------------------------------


async def test_a_synthesiser_that_recovers_is_gone_back_to() -> None:
    faults = Faults(name="primary")
    async with Stage() as stage:
        pipeline = Pipeline(
            vad=stage.vad,
            stt=stage.stt,
            tts=Chain(FaultyTextToSpeech(stage.tts, faults), stage.tts),
            agent=CallbackAgent(echo),
        )
        faults.fail_for_good("speak")
        async with stage.call(pipeline) as (_, phone):
            await phone.say("one")
            await phone.wait(3 * SECOND_US)
            faults.heal()
            await phone.wait(40 * SECOND_US, step_us=SECOND_US // 5)
            await phone.say("two")
            await phone.wait(3 * SECOND_US)
            assert phone.heard_words == ["you", "said", "one", "you", "said", "two"]
        changes = [c for c in stage.happenings(EngineChanged) if c.stage is EngineStage.TTS]
        assert [(change.after, change.because) for change in changes] == [
            ("scripted", ChangeReason.FAILURE),
            ("primary", ChangeReason.RECOVERY),
        ]


async def test_a_user_is_away_although_there_is_noise() -> None:
    config = SessionConfig(floor=FloorConfig(away_after_us=5 * SECOND_US))
    async with Stage() as stage, stage.call(config=config) as (_, phone):
        await phone.send(stage.lexicon.noise(8 * SECOND_US))
        assert [away.because for away in stage.happenings(UserAway)] == [AwayReason.NOISE]


# --- the end ------------------------------------------------------------------------------


async def test_an_upload_that_never_ends_starves_neither_the_end_nor_the_hosts_hook(
    storage: MemoryStorage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR, logger="voicesession")
    monkeypatch.setattr(ending, "_TRANSCRIPT_TAKES_AT_MOST_S", 0.05)
    reported: list[EndReason | None] = []

    async def report(call: VoiceSession) -> None:
        reported.append(call.session.end_reason)

    async def hang(*_: object) -> None:
        await anyio.sleep_forever()

    config = SessionConfig(floor=PATIENT, hooks=Hooks(ended=report))
    async with Stage(storage=storage) as stage:
        monkeypatch.setattr(ending, "_write_transcript", hang)
        with anyio.fail_after(PATIENCE_S):
            async with stage.call(config=config) as (call, phone):
                await phone.say("goodbye")
    assert reported == [EndReason.COMPLETED]
    assert call.session.error == "timeout: the transcript took longer than 0.05 s"
