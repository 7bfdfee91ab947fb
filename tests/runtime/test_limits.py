"""A session ends when it has to, says goodbye before, and nobody's hook can hold it up."""

import logging
from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any
from weakref import ref

import anyio
import pytest

from voicesession.core.deadlines import LifePolicy
from voicesession.core.errors import (
    DeadlineExceeded,
    InvalidConfig,
    InvalidValue,
    SessionExpired,
    SessionNotActive,
    StoreUnavailable,
    VoiceSessionError,
)
from voicesession.core.floor.config import FloorConfig
from voicesession.core.states import EndReason, PauseReason, SessionState
from voicesession.core.utterance import Utterance
from voicesession.runtime.handle import SessionHandle
from voicesession.runtime.happenings import EventsMissed, Failed, KeepAlive, SessionChanged
from voicesession.runtime.hooks import Hooks
from voicesession.runtime.live import VoiceSession
from voicesession.runtime.pipeline import SessionConfig, Timeouts
from voicesession.testing.stage import PATIENT, Stage

SECOND_US = 1_000_000


@pytest.fixture
async def stage() -> AsyncGenerator[Stage]:
    async with Stage() as stage:
        yield stage


def seconds(count: float) -> timedelta:
    return timedelta(seconds=count)


# --- time limits ----------------------------------------------------------------------------


async def test_the_longest_life_of_a_session_holds_to_the_frame(stage: Stage) -> None:
    config = SessionConfig(floor=PATIENT, max_wall_clock=seconds(3))
    async with stage.call(config=config, turns=10) as (call, phone):
        await phone.wait(5 * SECOND_US)
        assert call.is_over
        assert call.session.end_reason is EndReason.LIMIT_REACHED
        assert 3 * SECOND_US <= call.media_us <= 3 * SECOND_US + 40_000


async def test_active_time_does_not_run_in_a_pause(stage: Stage) -> None:
    config = SessionConfig(floor=PATIENT, max_active=seconds(2))
    async with stage.call(config=config, turns=10) as (call, phone):
        await phone.wait(1 * SECOND_US)
        await call.pause()
        await phone.wait(5 * SECOND_US)
        await call.resume()
        await phone.wait(900_000)
        assert call.session.state is SessionState.LIVE
        await phone.wait(200_000)
        assert call.session.pause_reasons == {PauseReason.LIMIT_REACHED}
        await phone.wait(31 * SECOND_US, step_us=200_000)
    assert call.session.end_reason is EndReason.LIMIT_REACHED


async def test_a_session_in_which_nothing_happens_expires_and_says_so(stage: Stage) -> None:
    config = SessionConfig(floor=PATIENT, timeout=seconds(4))
    async with stage.call(config=config, turns=10) as (call, phone):
        await phone.say("hello")
        await phone.wait(3 * SECOND_US)
        assert not call.is_over  # words are a sign of life
        await phone.wait(5 * SECOND_US)
        assert call.session.end_reason is EndReason.EXPIRED
        with pytest.raises(SessionExpired):
            await call.process_audio(b"\0\0")
        with pytest.raises(SessionExpired):
            call.say("too late")


async def test_the_stricter_of_two_limits_holds() -> None:
    life = LifePolicy(max_wall_clock=seconds(2))
    config = SessionConfig(floor=PATIENT, max_wall_clock=seconds(100))
    async with Stage(life=life) as stage, stage.call(config=config, turns=10) as (call, phone):
        await phone.wait(3 * SECOND_US)
        assert call.session.end_reason is EndReason.LIMIT_REACHED


async def test_a_session_keeps_to_the_limits_of_its_template(stage: Stage) -> None:
    template = await stage.voice.templates.create(
        "Visit", max_active_us=2 * SECOND_US, max_wall_clock_us=10 * SECOND_US
    )
    session = await stage.voice.create(user_id="ada", session_template_id=template.id)
    await stage.voice.templates.delete(template.id)  # the session keeps what it took
    async with stage.call(session_id=session.id, turns=10) as (call, phone):
        await phone.wait(1_900_000)
        assert call.session.state is SessionState.LIVE
        await phone.wait(200_000)
        assert call.session.pause_reasons == {PauseReason.LIMIT_REACHED}
        assert 2 * SECOND_US <= call.media_us <= 2 * SECOND_US + 40_000
        await phone.wait(9 * SECOND_US, step_us=200_000)
    assert call.session.end_reason is EndReason.LIMIT_REACHED
    assert call.session.started_at is not None
    assert call.session.ended_at is not None
    assert call.session.ended_at - call.session.started_at < seconds(10.5)


async def test_limits_hold_while_no_audio_comes(stage: Stage) -> None:
    config = SessionConfig(floor=PATIENT, max_wall_clock=seconds(3))
    async with stage.call(config=config) as (call, _):
        for _ in range(40):
            stage.clock.advance(100_000)
            await anyio.wait_all_tasks_blocked()
        assert call.is_over


async def test_keep_alive_is_told_as_often_as_was_asked_and_never_if_not(stage: Stage) -> None:
    config = SessionConfig(floor=PATIENT, keep_alive_interval=seconds(2))
    async with stage.call(config=config, turns=10) as (_, phone):
        await phone.wait(7 * SECOND_US)
    assert len(stage.happenings(KeepAlive)) == 3
    stage.happened.clear()
    silent = SessionConfig(floor=PATIENT, enable_keep_alive=False, keep_alive_interval=seconds(2))
    async with stage.call(config=silent, turns=10) as (_, phone):
        await phone.wait(7 * SECOND_US)
    assert stage.happenings(KeepAlive) == []


# --- hooks ----------------------------------------------------------------------------------


async def test_the_agent_can_say_goodbye_before_time_is_up(stage: Stage) -> None:
    async def goodbye(call: VoiceSession) -> None:
        call.say("time is up", interruptible=False)

    config = SessionConfig(
        floor=PATIENT,
        max_wall_clock=seconds(5),
        goodbye_before=seconds(2),
        hooks=Hooks(goodbye=goodbye),
    )
    async with stage.call(config=config, turns=20) as (call, phone):
        await phone.wait(2_800_000)
        assert phone.heard_words == []
        await phone.wait(4 * SECOND_US)
        assert call.is_over
    assert phone.heard_words == ["time", "is", "up"]


async def test_a_user_who_is_away_can_be_asked_for(stage: Stage) -> None:
    async def ask(call: VoiceSession) -> None:
        await call.say("are you there").wait_for_playout()

    floor = FloorConfig(away_after_us=2 * SECOND_US)
    config = SessionConfig(floor=floor, hooks=Hooks(away=ask))
    async with stage.call(config=config, turns=20) as (_, phone):
        await phone.wait(3_500_000)
        assert phone.heard_words == ["are", "you", "there"]


async def test_a_hook_that_hangs_or_fails_holds_up_nothing(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    ended: list[str] = []

    async def hang(_call: VoiceSession) -> None:
        await anyio.sleep_forever()

    async def fail(_call: VoiceSession) -> None:
        raise RuntimeError("the host's own bug, with a secret in it")

    async def note(call: VoiceSession) -> None:
        assert call.session.state is SessionState.ENDED
        ended.append((await stage.voice.transcript(call.session.id)).text)

    config = SessionConfig(
        floor=FloorConfig(away_after_us=SECOND_US),
        max_wall_clock=seconds(4),
        goodbye_before=seconds(1),
        hooks=Hooks(away=hang, goodbye=fail, ended=note),
        hook_deadline=timedelta(milliseconds=500),
    )
    with caplog.at_level(logging.CRITICAL):
        async with stage.call(config=config, turns=20) as (call, phone):
            await phone.say("hello")
            await phone.wait(6 * SECOND_US)
            assert call.is_over
    assert len(ended) == 1
    assert ended[0].startswith("hello")
    errors = [failed.error for failed in stage.happenings(Failed)]
    assert {type(error) for error in errors} <= {DeadlineExceeded, VoiceSessionError}
    assert "secret" not in str(errors)


async def test_the_hook_for_the_end_is_not_broken_off_by_it(stage: Stage) -> None:
    finished: list[str] = []

    async def slow(call: VoiceSession) -> None:
        await anyio.sleep(0.01)
        finished.append(call.session.status)

    async with stage.call(config=SessionConfig(hooks=Hooks(ended=slow))) as (_, phone):
        await phone.wait(100_000)
    assert finished == ["completed"]


async def test_a_store_that_is_away_does_not_keep_a_session_from_ending(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(_handle: SessionHandle, _utterance: Utterance) -> Utterance:
        raise StoreUnavailable("gone fishing")

    monkeypatch.setattr(SessionHandle, "final", refuse)
    monkeypatch.setattr("voicesession.runtime.conductor._LAST_WORDS_TAKE_AT_MOST_S", 0.05)
    async with stage.call(turns=20) as (call, phone):
        await phone.say("hello")
        await phone.wait(2 * SECOND_US)
    assert call.session.state is SessionState.ENDED
    assert "utterances were lost" in str(stage.happenings(Failed)[-1].error)


# --- events ---------------------------------------------------------------------------------


async def test_states_are_told_by_callback_and_everything_by_iteration(stage: Stage) -> None:
    states: list[SessionState] = []
    async with stage.call() as (call, phone):
        stop = call.on_state_changed(states.append)
        events = call.events()
        await call.pause()
        await call.resume()
        await phone.wait(100_000)
        await call.stop()
        stop()
    assert states == [SessionState.PAUSED, SessionState.LIVE, SessionState.ENDED]
    told = [event async for event in events]
    changes = [event.new_state for event in told if isinstance(event, SessionChanged)]
    assert [state for state in changes if state] == states


async def test_who_iterates_too_slowly_is_told_how_much_was_missed(stage: Stage) -> None:
    async with stage.call() as (call, phone):
        events = call.events(most=3)
        await phone.say("hello")
        await phone.wait(3 * SECOND_US)
    told = [event async for event in events]
    assert len(told) == 4
    assert isinstance(told[0], EventsMissed)
    assert told[0].count == len(stage.happened) - 3


@pytest.mark.parametrize("most", [0, -1, 2.5])
async def test_an_iteration_for_which_no_event_may_wait_is_refused(stage: Stage, most: Any) -> None:
    async with stage.call() as (call, _):
        with pytest.raises(InvalidValue, match="most"):
            call.events(most=most)


async def test_nothing_is_kept_for_who_breaks_an_iteration_off(stage: Stage) -> None:
    async with stage.call() as (call, _):
        held, never_begun = call.events(), ref(call.events())
        await call.pause()
        assert never_begun() is None
        events = call.events()
        broken_off = ref(events)
        await call.resume()
        async for _ in events:
            break
        del events
        assert broken_off() is None
    assert [event async for event in held]


async def test_before_its_start_a_session_has_no_events(stage: Stage) -> None:
    session = await stage.voice.create()
    async with stage.voice.attach(session.id) as handle:
        voice = stage.voice
        call = VoiceSession(
            handle, stage.pipeline(), voice._services, voice._worker.alarms, SessionConfig()
        )
        with pytest.raises(SessionNotActive):
            call.events()
        with pytest.raises(SessionNotActive):
            await call.process_audio(b"\0\0")


# --- settings -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("timeout", timedelta(0)),
        ("timeout", 30),
        ("max_active", timedelta(seconds=-1)),
        ("max_wall_clock", "1 h"),
        ("goodbye_before", None),
        ("enable_keep_alive", 1),
        ("keep_alive_interval", timedelta(0)),
        ("max_retries", -1),
        ("max_retries", 1.5),
        ("retry_delay", 1),
        ("replay", timedelta(0)),
        ("ingest_chunk_bytes", 0),
        ("hook_deadline", None),
        ("unplayed_us", 0),
        ("unstored", True),
        ("history", 0),
    ],
)
def test_a_setting_that_is_not_allowed_is_refused_by_its_name(name: str, value: object) -> None:
    with pytest.raises(InvalidConfig) as refused:
        SessionConfig(**{name: value})  # type: ignore[arg-type]  # that is the point
    assert refused.value.field == name


@pytest.mark.parametrize("name", ["stt", "tts", "agent", "lag"])
def test_a_timeout_is_a_duration(name: str) -> None:
    with pytest.raises(InvalidConfig) as refused:
        Timeouts(**{name: 10})  # type: ignore[arg-type]  # that is the point
    assert refused.value.field == name


def test_the_settings_are_those_that_are_promised() -> None:
    config = SessionConfig()
    assert config.timeout == timedelta(minutes=30)
    assert (config.enable_keep_alive, config.keep_alive_interval) == (True, seconds(30))
    assert (config.max_retries, config.retry_delay) == (3, seconds(1))
    assert config.ingest_chunk_bytes == 8_192
    assert config.floor.away_after_us == 15 * SECOND_US
    assert config.floor.interruption.min_words == 3
    assert config.floor.interruption.min_speech_us == 500_000
    assert config.floor.interruption.false_interruption_us == 2 * SECOND_US
    assert config.floor.endpointing.min_delay_us == 500_000
    assert config.floor.endpointing.max_delay_us == 3 * SECOND_US
    assert config.floor.max_utterance_us == 30 * SECOND_US
