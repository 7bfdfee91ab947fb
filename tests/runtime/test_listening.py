"""What the ears do beside hearing: clean, cut, guess, and change streams in good time."""

from collections.abc import AsyncGenerator

import anyio
import pytest
from attrs import evolve

from voicesession.core.audio import AudioFormat
from voicesession.core.errors import ProviderError
from voicesession.core.floor.config import EndpointingConfig, FloorConfig
from voicesession.core.floor.effects import TurnCommitted
from voicesession.core.timeline import Span
from voicesession.ports.recording import ProblemKind, RecordingProblem
from voicesession.ports.speech import EngineLimits, RecognitionStream, TurnSoFar
from voicesession.runtime.happenings import (
    ChangeReason,
    EngineChanged,
    EngineFailed,
    RecorderDegraded,
    Stage as StageName,
    UtteranceStored,
)
from voicesession.runtime.pipeline import Pipeline, SessionConfig
from voicesession.runtime.tape import Tape
from voicesession.testing.faults import Faults, FaultySpeechToText
from voicesession.testing.scripted import (
    CallbackAgent,
    ScriptedSpeechToText,
    ScriptedTextToSpeech,
    ScriptedVoiceActivity,
    ScriptedVoiceActivityDetector,
)
from voicesession.testing.stage import PATIENT, Stage, echo

SECOND_US = 1_000_000


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Both loops: what is heard here takes all of the runtime."""
    loop: str = request.param
    return loop


@pytest.fixture
async def stage() -> AsyncGenerator[Stage]:
    async with Stage() as stage:
        yield stage


async def user_text(stage: Stage, session_id: str) -> str:
    transcript = await stage.voice.transcript(session_id)
    return " ".join(u.text for u in transcript.utterances if u.speaker == "user")


# --- noise ----------------------------------------------------------------------------------


async def test_who_speaks_into_a_noise_is_answered_where_the_recogniser_hears_the_end(
    stage: Stage,
) -> None:
    hears_ends = ScriptedSpeechToText(stage.lexicon, endpoint_us=300_000)
    noise = stage.lexicon.noise(6 * SECOND_US)
    for stt, heard in ((stage.stt, []), (hears_ends, ["you", "said", "good", "morning"])):
        async with stage.call(evolve(stage.pipeline(), stt=stt)) as (_, phone):
            await phone.say("good morning")
            await phone.send(noise)
            assert phone.heard_words == heard


# --- long utterances ------------------------------------------------------------------------


class QuieterBetweenWords(ScriptedVoiceActivityDetector):
    """Less sure of a voice where there is no word."""

    def open(self, audio_format: AudioFormat, /) -> ScriptedVoiceActivity:
        return QuieterStream(audio_format, 20_000)


class QuieterStream(ScriptedVoiceActivity):
    def push(self, pcm: bytes, /) -> list[float]:
        return [0.6 if sure and max(pcm) <= 50 else sure for sure in super().push(pcm)]


def endless(stage: Stage, words: list[str]) -> bytes:
    """Return the audio of *words*, with noise in between and no silence."""
    gap = stage.lexicon.noise(60_000)
    return b"".join(stage.lexicon.speech(word) + gap for word in words)


def cutting(stage: Stage, faults: Faults | None = None) -> tuple[Pipeline, SessionConfig]:
    pipeline = Pipeline(
        vad=QuieterBetweenWords(),
        stt=FaultySpeechToText(stage.stt, faults) if faults else stage.stt,
        tts=stage.tts,
        agent=CallbackAgent(echo),
    )
    floor = evolve(PATIENT, max_utterance_us=2_950_000, cut_search_us=SECOND_US)
    return pipeline, SessionConfig(floor=floor)


async def test_a_word_that_a_cut_has_torn_is_whole_in_the_next_utterance(stage: Stage) -> None:
    words = [f"word{number}" for number in range(30)]
    pipeline, config = cutting(stage)
    async with stage.call(pipeline, config=config) as (call, phone):
        await phone.send(endless(stage, words))
        await phone.wait(2 * SECOND_US)
    transcript = await stage.voice.transcript(call.session.id)
    utterances = [u for u in transcript.utterances if u.speaker == "user"]
    assert len(utterances) >= 3
    kept = [word for u in utterances for word in u.words]
    assert [word.text for word in kept] == words
    assert {word.end_us - word.start_us for word in kept} == {stage.lexicon.word_us}


@pytest.mark.parametrize("after", [140, 148])
async def test_a_stream_that_breaks_around_a_cut_loses_no_word(stage: Stage, after: int) -> None:
    words = [f"word{number}" for number in range(20)]
    faults = Faults()
    faults.fail("push", after=after, times=2)
    pipeline, config = cutting(stage, faults)
    async with stage.call(pipeline, config=config) as (call, phone):
        await phone.send(endless(stage, words))
        await phone.wait(9 * SECOND_US, step_us=100_000)
    assert await user_text(stage, call.session.id) == " ".join(words)


# --- the life of a stream -------------------------------------------------------------------


class ShortLived(ScriptedSpeechToText):
    """An engine that lets a stream live for five seconds."""

    limits = EngineLimits(longest_stream_us=5 * SECOND_US)

    opened = 0

    async def open(self, audio_format: AudioFormat, /, *, language: str) -> RecognitionStream:  # type: ignore[override]  # a stream is a stream
        self.opened += 1
        return await super().open(audio_format, language=language)


def with_stt(stage: Stage, stt: ScriptedSpeechToText) -> Pipeline:
    return Pipeline(vad=stage.vad, stt=stt, tts=stage.tts, agent=CallbackAgent(echo))


async def test_a_stream_gives_way_to_another_before_it_is_too_old(stage: Stage) -> None:
    stt = ShortLived(stage.lexicon)
    async with stage.call(with_stt(stage, stt), turns=20) as (_, phone):
        await phone.wait(13 * SECOND_US, step_us=100_000)
    assert stt.opened == 4
    changes = stage.happenings(EngineChanged)
    assert [change.because for change in changes] == [ChangeReason.ROLLOVER] * 3
    assert stage.happenings(EngineFailed) == []


async def test_it_does_so_between_utterances_and_if_need_be_within_one(stage: Stage) -> None:
    stt = ShortLived(stage.lexicon)
    words = [f"word{number}" for number in range(40)]
    async with stage.call(with_stt(stage, stt)) as (call, phone):
        await phone.say(" ".join(words))
        await phone.wait(2 * SECOND_US)
    assert stt.opened >= 2
    assert await user_text(stage, call.session.id) == " ".join(words)


async def test_no_call_speaks_more_than_the_synthesiser_takes(stage: Stage) -> None:
    class Curt(ScriptedTextToSpeech):
        limits = EngineLimits(longest_text=12)

    pipeline = Pipeline(
        vad=stage.vad, stt=stage.stt, tts=Curt(stage.lexicon), agent=CallbackAgent(echo)
    )
    async with stage.call(pipeline) as (call, phone):
        speech = call.say("one two three four five")
        await phone.wait(2 * SECOND_US)
        assert speech.spoken_text == "one two three four five"
    assert phone.heard_words == ["one", "two", "three", "four", "five"]


# --- ids ------------------------------------------------------------------------------------


async def test_replies_of_one_session_never_share_an_id_whoever_runs_it(stage: Stage) -> None:
    session = await stage.voice.create(user_id="ada")
    ids: list[set[int]] = []
    for _ in range(2):
        with anyio.CancelScope() as worker:
            async with stage.call(session_id=session.id) as (call, phone):
                call.say("hello")
                await phone.wait(SECOND_US)
                ids.append({piece.reply_id for piece in phone.heard})
                worker.cancel()
                await anyio.sleep_forever()
    first, second = ids
    assert first
    assert second
    assert first.isdisjoint(second)


# --- noise, turns, recording ----------------------------------------------------------------


class Halver:
    """Keeps 10 ms to itself, and hands on the rest; counts its streams."""

    name = "halver"

    def __init__(self) -> None:
        self.open_streams = 0

    def open(self, audio_format: AudioFormat, /) -> "Halver.Stream":
        self.open_streams += 1
        return Halver.Stream(self, audio_format.bytes_at(10_000))

    async def aclose(self) -> None: ...

    class Stream:
        def __init__(self, owner: "Halver", kept: int) -> None:
            self._owner = owner
            self._kept = kept
            self._waiting = b""

        def push(self, pcm: bytes, /) -> bytes:
            self._waiting += pcm
            ready = self._waiting[: -self._kept]
            self._waiting = self._waiting[len(ready) :]
            return ready

        def finish(self) -> bytes:
            rest, self._waiting = self._waiting, b""
            return rest

        def close(self) -> None:
            self._owner.open_streams -= 1


async def test_engines_hear_what_is_clean_at_its_right_time(stage: Stage) -> None:
    noise = Halver()
    async with stage.call(evolve(stage.pipeline(), noise=noise)) as (call, phone):
        assert noise.open_streams == 1
        await phone.wait(500_000)
        await phone.say("one two")
        await phone.wait(2 * SECOND_US)
    assert noise.open_streams == 0
    user = (await stage.voice.transcript(call.session.id)).utterances[0]
    assert [(w.text, w.start_us) for w in user.words] == [("one", 500_000), ("two", 740_000)]


class Guesser:
    """Takes a turn that ends in "and" for unfinished."""

    name = "guesser"

    def __init__(self) -> None:
        self.asked: list[TurnSoFar] = []

    async def probability(self, turn: TurnSoFar, /) -> float:
        self.asked.append(turn)
        if turn.text.endswith("broken"):
            raise ProviderError("guesser", "no idea")
        return 0.1 if turn.text.endswith("and") else 0.9

    async def aclose(self) -> None: ...


@pytest.mark.parametrize(("said", "delay_us"), [("this", 500_000), ("this and", 2_000_000)])
async def test_who_seems_to_go_on_is_given_more_time(
    stage: Stage, said: str, delay_us: int
) -> None:
    guesser = Guesser()
    floor = evolve(PATIENT, endpointing=EndpointingConfig(max_delay_us=2 * SECOND_US))
    pipeline = evolve(stage.pipeline(), turns=guesser)
    async with stage.call(pipeline, config=SessionConfig(floor=floor)) as (call, phone):
        committed: list[int] = []
        call.subscribe(
            lambda h: committed.append(call.media_us) if isinstance(h, TurnCommitted) else None
        )
        await phone.say(said)
        ended_us = call.media_us
        await phone.wait(5 * SECOND_US)
        assert 0 <= committed[0] - ended_us - delay_us <= 100_000
    assert guesser.asked[-1].text == said
    assert guesser.asked[-1].is_final


async def test_a_guess_knows_what_the_agent_said_last(stage: Stage) -> None:
    guesser = Guesser()
    async with stage.call(evolve(stage.pipeline(), turns=guesser)) as (_, phone):
        await phone.say("one")
        await phone.wait(3 * SECOND_US)
        await phone.say("two")
        await phone.wait(SECOND_US)
    assert guesser.asked[0].asked == ""
    assert guesser.asked[-1].asked == "you said one"
    assert guesser.asked[-1].text == "two"


async def test_where_the_detector_fails_silence_decides(stage: Stage) -> None:
    async with stage.call(evolve(stage.pipeline(), turns=Guesser())) as (_, phone):
        await phone.say("broken")
        await phone.wait(2 * SECOND_US)
    assert phone.heard_words == ["you", "said", "broken"]
    assert {failed.stage for failed in stage.happenings(EngineFailed)} == {StageName.TURNS}


async def test_what_goes_missing_from_the_recording_is_told_once_for_each_reason(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def problem(kind: ProblemKind) -> RecordingProblem:
        return RecordingProblem(kind=kind, span=Span(0, 1), dropped_bytes=2, detail="full")

    problems: list[RecordingProblem] = []
    monkeypatch.setattr(Tape, "problems", property(lambda _tape: tuple(problems)))
    async with stage.call() as (_, phone):
        await phone.wait(100_000)
        assert stage.happenings(RecorderDegraded) == []
        problems.append(problem(ProblemKind.DISK_FULL))
        await phone.wait(100_000)
        problems.append(problem(ProblemKind.TOO_SLOW))
        await phone.wait(100_000)
    kinds = [degraded.problem.kind for degraded in stage.happenings(RecorderDegraded)]
    assert kinds == [ProblemKind.DISK_FULL, ProblemKind.TOO_SLOW]


async def test_frames_longer_than_a_chunk_leave_room_for_others(stage: Stage) -> None:
    config = SessionConfig(floor=FloorConfig(), ingest_chunk_bytes=640)
    async with stage.call(config=config) as (call, _):
        before = call.session.audio_chunks_received
        audio = stage.lexicon.speech("one two") + stage.lexicon.silence(SECOND_US)
        await call.process_audio(audio)
        await call.settled()
        received = call._handle.ownership.running.audio_chunks_received - before
        assert received == -(-len(audio) // 640)
    assert stage.happenings(UtteranceStored)[0].utterance.text == "one two"
