"""What people see of a call."""

import io

import pytest
from attrs import evolve
from rich.console import Console

from voicesession.cli.timeline import Timeline, clock_face
from voicesession.core.errors import ProviderError
from voicesession.core.floor import effects as floor
from voicesession.core.floor.effects import AwayReason, ReplyId
from voicesession.core.identity import SessionId
from voicesession.core.instants import from_us
from voicesession.core.session import Session
from voicesession.core.states import EndReason, SessionState, TurnState
from voicesession.core.timeline import Span
from voicesession.core.utterance import Speaker, Utterance, UtteranceId
from voicesession.ports.recording import ProblemKind, RecordingProblem
from voicesession.runtime.happenings import (
    AudioUnheard,
    ChangeReason,
    EngineBarred,
    EngineChanged,
    EngineFailed,
    EngineSlow,
    Failed,
    RecorderDegraded,
    ReplyCleared,
    ReplyStarted,
    SessionChanged,
    Stage,
    ToolCalled,
    UtteranceStored,
)

NOW = from_us(0)
LIVE = Session(
    id=SessionId("s1"),
    created_at=NOW,
    updated_at=NOW,
    state_since=NOW,
    last_activity_at=NOW,
    state=SessionState.LIVE,
)


def shown(*happenings: object) -> list[str]:
    """The lines for *happenings*, without the time in front."""
    page = io.StringIO()
    timeline = Timeline(Console(file=page, width=40), lambda: 62_340_000)
    for happening in happenings:
        timeline(happening)
    lines = page.getvalue().splitlines()
    assert all(line.startswith("01:02.34  ") for line in lines)
    return [line.removeprefix("01:02.34  ") for line in lines]


def said(speaker: Speaker, text: str, generated: str | None = None) -> UtteranceStored:
    return UtteranceStored(
        Utterance(
            id=UtteranceId("utt_1"),
            speaker=speaker,
            start_us=0,
            end_us=1,
            text=text,
            generated_text=generated,
            spoken_text=text,
            interrupted=generated is not None,
        )
    )


@pytest.mark.parametrize(
    ("happening", "line"),
    [
        (SessionChanged(LIVE, evolve(LIVE, state="PAUSED")), "session   LIVE → PAUSED"),
        (
            SessionChanged(LIVE, evolve(LIVE, state="ENDED", end_reason=EndReason.COMPLETED)),
            "session   LIVE → ENDED, completed",
        ),
        (floor.SpeechStarted(at_us=0), "caller    speaks"),
        (floor.PartialHeard(text="tell me", start_us=0, end_us=1), "caller    tell me …"),
        (floor.TurnReopened(at_us=0), "caller    goes on"),
        (floor.UserAway(because=AwayReason.NOISE, at_us=0), "floor     nothing but noise"),
        (
            floor.FloorChanged(state=TurnState.SPEAKING, at_us=0),
            "floor     the agent has the floor",
        ),
        (floor.HoldSpeech(ReplyId(1)), "agent     falls silent to listen"),
        (floor.ReleaseSpeech(ReplyId(1)), "agent     goes on"),
        (ReplyCleared(ReplyId(1)), "barge-in  the caller takes the floor"),
        (ReplyStarted(reply_id=1), "agent     speaks"),
        (
            ReplyStarted(reply_id=1, latency_us=612_000),
            "agent     speaks 0.61 s after the caller fell silent",
        ),
        (said(Speaker.USER, "a [red] apple"), "caller    a [red] apple"),
        (said(Speaker.AGENT, "Yes."), "agent     Yes."),
        (
            said(Speaker.AGENT, "Once", "Once upon \n a [time]."),
            "agent     Once ⟨not heard: upon a [time].⟩",
        ),
        (Failed(ProviderError("espeak", "is hoarse")), "problem   espeak: is hoarse"),
        (ToolCalled(reply_id=1, name="look_up", side_effects=False), "agent     calls look_up"),
        (
            ToolCalled(reply_id=1, name="order", side_effects=True),
            "agent     calls order, which changes something",
        ),
        (
            EngineFailed(Stage.TTS, ProviderError("espeak", "is hoarse")),
            "engine    tts: espeak: is hoarse",
        ),
        (EngineBarred(Stage.STT, "[ear]"), "engine    stt: [ear] is left alone for a while"),
        (
            EngineChanged(stage=Stage.AGENT, before="a", after="b", because=ChangeReason.RECOVERY),
            "engine    agent: a → b, recovery",
        ),
        (
            EngineSlow(stage=Stage.AGENT, engine="a", lag_us=3_200_000),
            "engine    agent: waited 3.2 s for a",
        ),
        (
            AudioUnheard(start_us=1_000_000, end_us=3_400_000),
            "problem   2.4 s of the caller were heard by nobody",
        ),
        (
            RecorderDegraded(
                RecordingProblem(
                    kind=ProblemKind.DISK_FULL, span=Span(0, 1), dropped_bytes=2, detail=""
                )
            ),
            "problem   the recording is not whole: disk_full",
        ),
    ],
)
def test_each_happening_is_one_line(happening: object, line: str) -> None:
    assert shown(happening) == [line]


def test_what_does_not_change_is_not_shown_again() -> None:
    partial = floor.PartialHeard(text="tell me", start_us=0, end_us=1)
    assert shown(partial, partial, evolve(partial, end_us=2)) == ["caller    tell me …"]
    assert shown(SessionChanged(LIVE, evolve(LIVE, seq=7))) == []


def test_a_closed_floor_is_left_to_the_state_of_the_session() -> None:
    for state in (TurnState.INITIAL, TurnState.ENDED):
        assert shown(floor.FloorChanged(state=state, at_us=0)) == []


def test_other_happenings_pass_unseen() -> None:
    assert shown(floor.SpeechEnded(at_us=0), object()) == []


@pytest.mark.parametrize(
    ("duration_us", "face"),
    [
        (0, "00:00.00"),
        (59_990_000, "00:59.99"),
        (60_000_000, "01:00.00"),
        (3_661_500_000, "61:01.50"),
    ],
)
def test_time_is_shown_in_minutes_and_seconds(duration_us: int, face: str) -> None:
    assert clock_face(duration_us) == face
