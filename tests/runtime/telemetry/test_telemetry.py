"""What dashboards see of sessions, while they run; and that it stays small."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import pytest
from hypothesis import given, strategies as st
from opentelemetry.trace import StatusCode
from tests.patience import PATIENCE_S

from voicesession.core.accounts import Limit, Scope
from voicesession.core.errors import ProviderError, SessionNotFound, VoiceSessionError
from voicesession.core.floor.config import FloorConfig
from voicesession.core.meters import Meter
from voicesession.core.states import EndReason
from voicesession.core.timeline import Track
from voicesession.core.windows import Window
from voicesession.ports.agent import Agent, Prompt, ReplyPart, TokensUsed
from voicesession.ports.recording import Backlog
from voicesession.ports.scope import EVERYTHING
from voicesession.recording.file import FileObjectStore
from voicesession.recording.recorder import SpoolRecorder
from voicesession.recording.shipping import Shipping
from voicesession.runtime.chain import Chain
from voicesession.runtime.clock import SteppedClock
from voicesession.runtime.manager import SessionManager
from voicesession.runtime.pipeline import Pipeline, SessionConfig
from voicesession.runtime.services import Services
from voicesession.runtime.telemetry import INSTRUMENTS, Telemetry
from voicesession.runtime.telemetry.reporting import code_of
from voicesession.stores.memory import MemoryStorage
from voicesession.testing.faults import Faults, FaultyAgent
from voicesession.testing.scripted import CallbackAgent
from voicesession.testing.stage import START, Stage, echo

if TYPE_CHECKING:
    from .conftest import Told

SECOND_US = 1_000_000


# --- the life of a session ------------------------------------------------------------------


async def test_a_session_is_counted_while_it_runs_and_once_when_it_starts_and_stops(
    stage: Stage, told: Told
) -> None:
    async with stage.call() as (call, phone):
        await phone.wait(3 * SECOND_US)
        assert told.value("session.active") == 1
        assert told.value("session.started.total") == 1
        await call.pause()
        await call.resume()
        assert told.value("session.started.total") == 1
        assert told.value("session.stopped.total") == 0
    assert told.value("session.active") == 0
    assert told.value("session.stopped.total", status="completed", end_reason="completed") == 1
    assert told.value("session.stopped.total") == 1
    assert told.sum_s("session.duration") == pytest.approx(3)


async def test_every_change_of_state_is_counted(stage: Stage, told: Told) -> None:
    async with stage.call() as (call, _phone):
        await call.pause()
        await call.resume()
    moves = [
        ("IDLE", "CONNECTING"),
        ("CONNECTING", "LIVE"),
        ("LIVE", "PAUSED"),
        ("PAUSED", "LIVE"),
        ("LIVE", "ENDED"),
    ]
    for before, after in moves:
        assert told.value("session.transitions.total", **{"from": before, "to": after}) == 1
    assert told.value("session.transitions.total") == len(moves)


async def test_a_session_that_nobody_connected_to_has_stopped_without_having_started(
    stage: Stage, told: Told
) -> None:
    session = await stage.voice.create(user_id="ada")
    stage.clock.advance(31 * SECOND_US)
    assert (await stage.voice.get(session.id)).end_reason is EndReason.CONNECT_TIMEOUT
    assert told.value("session.stopped.total", end_reason="connect_timeout") == 1
    assert told.value("session.started.total") == 0
    assert told.value("session.duration") == 0


async def test_a_session_of_a_dead_worker_is_swept_and_stops_once(
    told: Told, telemetry: Telemetry
) -> None:
    # The store stamps leases with real time, so the clock begins there.
    clock = SteppedClock(datetime.now(UTC) + timedelta(seconds=1))  # noqa: TID251
    storage = MemoryStorage()
    services = Services(storage=storage, worker_id="w2", clock=clock, telemetry=telemetry)
    async with SessionManager(services) as voice:
        session = await voice.create(user_id="ada")
        await storage.sessions.take_lease(
            session.id,
            EVERYTHING,
            worker_id="w1",
            duration=timedelta(microseconds=1),
        )
        assert (await voice.rescuer.rescue()).sessions == (session.id,)
        assert told.value("session.orphans.swept.total", state="CONNECTING") == 1
        clock.advance(60 * SECOND_US)
        assert (await voice.get(session.id)).end_reason is EndReason.CONNECT_TIMEOUT
    assert told.value("session.orphans.swept.total") == 1
    assert told.value("session.stopped.total") == 1


# --- operations ----------------------------------------------------------------------------


async def test_an_operation_is_timed_and_traced_with_its_session(stage: Stage, told: Told) -> None:
    session = await stage.voice.create(user_id="ada")
    await stage.voice.get(session.id)
    for name in ("create", "get"):
        assert told.value("session.operation.latency", operation=name, outcome="ok") == 1
        (span,) = told.spans(f"session.{name}")
        assert span.attributes == {"session_id": session.id, "state": "CONNECTING"}


async def test_an_operation_that_fails_is_counted_by_its_code_and_tells_nothing_else(
    stage: Stage, told: Told
) -> None:
    with pytest.raises(SessionNotFound):
        await stage.voice.pause("sess_secret")
    labels = {"code": "session_not_found", "source": "operation"}
    assert told.value("session.errors.total", **labels) == 1
    assert told.value("session.operation.latency", outcome="session_not_found") == 1
    (span,) = told.spans("session.pause")
    assert span.status.status_code is StatusCode.ERROR
    assert span.status.description == "session_not_found"
    assert span.events == ()


async def test_an_operation_that_is_broken_off_is_no_error(stage: Stage, told: Told) -> None:
    async with stage.call() as (_call, _phone), anyio.create_task_group() as tasks:
        tasks.start_soon(stage.voice.drain)
        await anyio.wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()
    assert told.value("session.operation.latency", operation="drain", outcome="cancelled") == 1
    assert told.value("session.errors.total") == 0


async def test_the_end_of_a_session_is_an_operation_of_its_own(stage: Stage, told: Told) -> None:
    async with stage.call() as (call, _phone):
        pass
    (span,) = told.spans("session.finish")
    assert span.attributes is not None
    assert span.attributes["session_id"] == call.session.id


# --- turns ----------------------------------------------------------------------------------


async def test_a_turn_is_a_span_that_names_the_session_and_who_answered(
    stage: Stage, told: Told
) -> None:
    async with stage.call() as (call, phone):
        await phone.say("good morning")
        await phone.wait(2 * SECOND_US)
        (turn,) = told.spans("session.turn")
    assert turn.attributes == {
        "session_id": call.session.id,
        "state": "LIVE",
        "outcome": "answered",
        "provider": "callback",
        "provider.stt": "scripted",
        "provider.tts": "scripted",
    }
    assert [event.name for event in turn.events] == ["reply.started"]
    assert told.value("session.turns.total", outcome="answered") == 1


async def test_turns_and_latencies_are_told_while_the_session_goes_on(
    stage: Stage, told: Told
) -> None:
    async with stage.call() as (_call, phone):
        for number in range(1, 4):
            await phone.say("good morning")
            await phone.wait(2 * SECOND_US)
            assert told.value("session.response.latency") == number
            assert told.value("session.turns.total") == number
    # The floor waits for half a second of silence; the engines take no time.
    assert told.sum_s("session.response.latency") / 3 == pytest.approx(0.5, abs=0.2)


async def test_an_interrupted_turn_is_one(stage: Stage, told: Told) -> None:
    async with stage.call(lambda _: ["once upon a time there was a king and a queen"]) as (
        _,
        phone,
    ):
        await phone.say("tell me a story")
        await phone.wait(1_500_000)
        await phone.say("please stop it now")
        assert told.value("session.turns.total", outcome="interrupted") == 1


async def test_a_turn_whose_session_stands_still_is_broken_off(stage: Stage, told: Told) -> None:
    async with stage.call(lambda _: ["once upon a time there was a king and a queen"]) as (
        call,
        phone,
    ):
        await phone.say("tell me a story")
        await phone.wait(1_500_000)
        assert told.spans("session.turn") == []
        await call.pause()
        assert told.value("session.turns.total", outcome="broken_off") == 1


# --- what goes wrong ---------------------------------------------------------------------


async def test_an_engine_that_fails_is_counted_by_code_stage_and_name(
    stage: Stage, told: Told
) -> None:
    faults = Faults(name="primary")
    faults.fail("reply", ProviderError("primary", "the user said: my secret"))
    agents: Chain[Agent] = Chain(FaultyAgent(CallbackAgent(echo), faults), CallbackAgent(echo))
    pipeline = Pipeline(vad=stage.vad, stt=stage.stt, tts=stage.tts, agent=agents)
    async with stage.call(pipeline) as (_call, phone):
        await phone.say("good morning")
        await phone.wait(2 * SECOND_US)
    labels = {"code": "provider_failed", "source": "agent", "provider": "primary"}
    assert told.value("session.errors.total", **labels) == 1
    changed = {"stage": "agent", "because": "failure", "provider": "callback"}
    assert told.value("session.engine.changes.total", **changed) == 1
    (turn,) = told.spans("session.turn")
    assert turn.attributes is not None
    assert turn.attributes["provider"] == "callback"


async def test_what_engines_use_is_told_while_they_do_and_what_was_wasted_apart(
    stage: Stage, told: Told
) -> None:
    def billed(prompt: Prompt) -> Iterable[ReplyPart]:
        yield from echo(prompt)
        yield TokensUsed(input=700, output=30)

    config = SessionConfig(floor=FloorConfig())
    async with stage.call(billed, config=config) as (_, phone):
        await phone.send(stage.lexicon.noise(100_000))
        await phone.say("good morning")
        await phone.wait(300_000)  # an answer is begun, and thrown away
        await phone.say("to everybody out there")
        await phone.wait(4 * SECOND_US)
        used = {"meter": "llm_input_tokens", "provider": "callback"}
        name = "session.engine.used.total"
        assert told.value(name, **used, wasted="false") == 700
        assert told.value(name, **used, wasted="true") == 700
        spoken = len("you said good morning to everybody out there")
        characters = {"meter": "tts_characters", "provider": "scripted", "wasted": "false"}
        assert told.value(name, **characters) == spoken


async def test_what_goes_on_in_the_background_is_counted_too(
    stage: Stage, told: Told, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR, logger="voicesession")
    stage.voice._worker._note(None, RuntimeError("secret"))
    assert told.value("session.errors.total", code="internal_error", source="background") == 1


# --- budgets and recordings --------------------------------------------------------------


async def test_what_is_spent_is_told_while_it_is(stage: Stage, told: Told) -> None:
    limit = Limit(
        account=stage.voice.budgets.account(Scope.USER, "ada"),
        meter=Meter.AUDIO_US,
        window=Window.DAY,
        amount=10 * SECOND_US,
    )
    await stage.voice.budgets.set_limit(limit)
    async with stage.call() as (_call, phone):
        await phone.wait(6 * SECOND_US)
        # Told at each tick of the supervisor, of which there are three in a lease.
        assert 4.5 <= told.value("session.budget.used") <= 6
        await phone.wait(3 * SECOND_US)
        labels = {"meter": "audio_us", "scope": "user", "level": "warned"}
        assert told.value("session.budget.levels.total", **labels) == 1
    assert told.value("session.budget.used") == pytest.approx(9)


async def test_how_far_recordings_are_from_being_safe_is_told(
    telemetry: Telemetry, told: Told, tmp_path: Path
) -> None:
    clock = SteppedClock(START)
    shipping = Shipping(clock=clock)
    recorder = SpoolRecorder(
        tmp_path / "spool", FileObjectStore(tmp_path / "kept"), shipping=shipping
    )
    services = Services(
        storage=MemoryStorage(),
        worker_id="w",
        clock=clock,
        recorder=recorder,
        telemetry=telemetry,
    )
    async with SessionManager(services) as voice:
        session = await voice.create(user_id="ada", store_audio=True, recording_consent=True)
        async with voice.attach(session.id) as handle:
            await handle.live()
            handle.audio(Track.USER, bytes(32_000))
            with anyio.fail_after(PATIENCE_S):  # the writer is a thread
                while not recorder.backlog.unshipped_bytes:  # noqa: ASYNC110  # which tells nobody
                    await anyio.sleep(0.01)
            clock.advance(5 * SECOND_US)  # to the next tick
            await anyio.wait_all_tasks_blocked()
            assert told.value("session.recording.unshipped") == 32_000
            assert told.value("session.recording.lag") == 1
    telemetry.recorded(Backlog(unshipped_bytes=7, lag_us=1_500_000))
    assert told.value("session.recording.unshipped") == 7
    assert told.value("session.recording.lag") == 1.5


# --- cardinality ---------------------------------------------------------------------------


async def test_more_sessions_users_tenants_and_words_make_no_more_series(
    stage: Stage, told: Told
) -> None:
    async def one(number: int) -> None:
        voice = stage.voice.for_tenant(f"tenant{number}")
        session = await voice.create(
            user_id=f"user{number}",
            session_id=f"id{number}",
            language=f"l{number}",
            mode=f"m{number}",
        )

        def answer(prompt: Prompt) -> Iterable[ReplyPart]:
            yield f"word{number} {prompt.text}"

        async with voice.converse(session.id, stage.pipeline(answer)) as call:
            await call.process_audio(stage.lexicon.speech(f"hello{number} there"))
            await call.settled()
            await call.process_audio(stage.lexicon.silence(SECOND_US))
            await call.settled()
        with pytest.raises(SessionNotFound):
            await voice.get(f"nobody{number}")

    await one(1)
    before = told.series()
    assert before
    for number in range(2, 6):
        await one(number)
    assert told.series() == before


async def test_only_documented_labels_are_used(stage: Stage, told: Told) -> None:
    allowed = {each.name: set(each.labels) for each in INSTRUMENTS}
    async with stage.call() as (_call, phone):
        await phone.say("good morning")
        await phone.wait(2 * SECOND_US)
    for name, labels in told.series():
        assert {label for label, _ in labels} <= allowed[name]


@given(text=st.text())
def test_whatever_an_error_says_its_label_is_a_code(text: str) -> None:
    assert code_of(RuntimeError(text)) == VoiceSessionError.code
    assert code_of(SessionNotFound(text)) == "session_not_found"
