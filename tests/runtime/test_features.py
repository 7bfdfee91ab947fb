"""What a good listener does, with engines at work; when it does it is the floor's own business."""

from collections.abc import AsyncGenerator, Iterable
from contextlib import ExitStack

import anyio
import pytest
from anyio.lowlevel import checkpoint
from attrs import evolve
from tests.patience import PATIENCE_S
from tests.providers.wire.deepgram import DeepgramServer
from tests.providers.wire.elevenlabs import ElevenLabsServer

from voicesession.core.audio import AudioFormat, Encoding
from voicesession.core.floor.config import FloorConfig, PreemptionConfig, PreemptionStrategy
from voicesession.core.floor.effects import CancelReply, HoldSpeech, ReleaseSpeech, TurnCommitted
from voicesession.core.pcm import to_s16_mono
from voicesession.core.session import Session
from voicesession.core.utterance import Utterance
from voicesession.ports.agent import Prompt, ReplyPart
from voicesession.ports.speech import RecognitionStream
from voicesession.providers.deepgram import DeepgramSpeechToText
from voicesession.providers.elevenlabs import ElevenLabsTextToSpeech
from voicesession.runtime.happenings import ReplyCleared, UtteranceStored
from voicesession.runtime.pipeline import Pipeline, SessionConfig
from voicesession.testing.scripted import ScriptedRecognition, ScriptedSpeechToText
from voicesession.testing.stage import PATIENT, Stage, echo

SECOND_US = 1_000_000


@pytest.fixture
async def stage() -> AsyncGenerator[Stage]:
    async with Stage() as stage:
        yield stage


def a_story(_prompt: Prompt) -> Iterable[ReplyPart]:
    yield "Once upon a time there was a king. "
    yield "He had a castle and a dog."


async def said(stage: Stage, session: Session) -> list[Utterance]:
    return list((await stage.voice.transcript(session.id)).utterances)


# --- barge-in -------------------------------------------------------------------------------


async def test_within_the_frame_that_interrupts_the_agent_is_silent_and_stays_so(
    stage: Stage,
) -> None:
    async with stage.call(a_story) as (_, phone):
        await phone.say("tell me a story")
        await phone.wait(3 * SECOND_US)
        speech = stage.lexicon.speech("stop it please now")
        played, cleared = 0, list[ReplyCleared]()
        for start in range(0, len(speech), 640):
            played = len(phone.heard)
            await phone.send(speech[start : start + 640])
            if cleared := stage.happenings(ReplyCleared):
                break
        assert len(phone.heard) == played
        await phone.say("and again")
        await phone.wait(300_000)
        assert all(piece.reply_id != cleared[0].reply_id for piece in phone.heard[played:])


async def test_it_is_so_with_vendors_on_the_line_as_well(stage: Stage) -> None:
    with ExitStack() as servers:
        deepgram = servers.enter_context(DeepgramServer(lexicon=stage.lexicon).running())
        elevenlabs = servers.enter_context(ElevenLabsServer().running())
        voice = ElevenLabsTextToSpeech("ada", base_url=elevenlabs.url, api_key="k")
        pipeline = evolve(
            stage.pipeline(a_story),
            stt=DeepgramSpeechToText(base_url=deepgram.url, api_key="k"),
            tts=voice,
        )
        with anyio.fail_after(PATIENCE_S):
            async with stage.call(pipeline) as (call, phone):
                await phone.say("tell me a story")
                while len(phone.heard) < 20:
                    await phone.wait(20_000)
                await phone.say("stop it now")
                while not stage.happenings(ReplyCleared):  # the vendor takes time; we have none
                    await checkpoint()
                (cleared,) = stage.happenings(ReplyCleared)
                played = len(phone.heard)
                await phone.wait(200_000)
                assert all(piece.reply_id != cleared.reply_id for piece in phone.heard[played:])
        await voice.aclose()
    story = next(u for u in await said(stage, call.session) if u.interrupted)
    assert story.generated_text == "Once upon a time there was a king. He had a castle and a dog."
    assert story.spoken_text
    assert story.generated_text.startswith(story.spoken_text)
    assert len(story.spoken_text) < len(story.generated_text)


async def test_a_voice_without_words_holds_the_agent_who_then_goes_on_where_it_was(
    stage: Stage,
) -> None:
    async with stage.call(a_story) as (call, phone):
        await phone.say("tell me a story")
        await phone.wait(2 * SECOND_US)
        await phone.send(stage.lexicon.noise(800_000))
        held_at = len(phone.heard)
        assert stage.happenings(HoldSpeech)
        await phone.wait(SECOND_US)
        assert len(phone.heard) == held_at
        await phone.wait(7 * SECOND_US)
        assert stage.happenings(ReleaseSpeech)
        assert " ".join(phone.heard_words) == "".join(map(str, a_story(None)))  # type: ignore[arg-type]
    assert not any(u.interrupted for u in await said(stage, call.session))


async def test_what_is_not_to_be_interrupted_is_heard_to_its_end_and_then_the_user(
    stage: Stage,
) -> None:
    notice = "this call is recorded for good reasons"
    async with stage.call(echo) as (call, phone):
        speech = call.say(notice, interruptible=False)
        await phone.wait(400_000)
        await phone.say("stop it please now")
        await phone.wait(SECOND_US)
        await speech.wait_for_playout()
        assert (speech.spoken_text, speech.interrupted) == (notice, False)
        await phone.wait(3 * SECOND_US)
    assert " ".join(phone.heard_words) == f"{notice} you said stop it please now"


# --- preemptive generation ---------------------------------------------------------------------


@pytest.mark.parametrize("strategy", [each for each in PreemptionStrategy if each != "off"])
async def test_a_reply_is_begun_before_the_turn_is_over_and_used_if_nothing_changes(
    stage: Stage, strategy: PreemptionStrategy
) -> None:
    def noting(prompt: Prompt) -> Iterable[ReplyPart]:
        stage.happened.append(prompt)
        return echo(prompt)

    config = SessionConfig(floor=FloorConfig(preemption=PreemptionConfig(strategy=strategy)))
    async with stage.call(noting, config=config) as (_, phone):
        await phone.send(stage.lexicon.noise(100_000))  # until the detector is sure of a voice
        await phone.say("good morning")
        await phone.wait(3 * SECOND_US)
    order = [type(one) for one in stage.happened if isinstance(one, Prompt | TurnCommitted)]
    assert order == [Prompt, TurnCommitted]
    assert phone.heard_words == ["you", "said", "good", "morning"]


async def test_one_that_other_words_have_overtaken_is_thrown_away_unheard(stage: Stage) -> None:
    config = SessionConfig(floor=FloorConfig())
    async with stage.call(config=config) as (_, phone):
        await phone.send(stage.lexicon.noise(100_000))
        await phone.say("good morning")
        await phone.wait(300_000)
        await phone.say("to everybody out there")
        await phone.wait(4 * SECOND_US)
    assert [cancelled.wasted for cancelled in stage.happenings(CancelReply)] == [True]
    assert " ".join(phone.heard_words) == "you said good morning to everybody out there"


# --- what engines are given ----------------------------------------------------------------------


class Taped(ScriptedSpeechToText):
    """Takes any format, as a vendor does, and keeps what it is given."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage.lexicon)
        self.formats: list[AudioFormat] = []
        self.pushed = bytearray()

    async def open(self, audio_format: AudioFormat, /, *, language: str) -> ScriptedRecognition:
        self.formats.append(audio_format)
        plain = AudioFormat(sample_rate=audio_format.sample_rate)
        return _Taped(self, audio_format, await super().open(plain, language=language))  # type: ignore[return-value]


class _Taped:
    def __init__(self, tape: Taped, audio_format: AudioFormat, stream: RecognitionStream) -> None:
        self._tape, self._format, self._stream = tape, audio_format, stream
        self.flush, self.aclose = stream.flush, stream.aclose
        self.mark = stream.mark  # type: ignore[attr-defined]

    def push(self, pcm: bytes, at_us: int, /) -> None:
        self._tape.pushed += pcm
        self._stream.push(to_s16_mono(pcm, self._format), at_us)

    def __aiter__(self) -> object:
        return aiter(self._stream)


FORMATS = [
    AudioFormat(Encoding.MULAW, 8_000),
    AudioFormat(Encoding.ALAW, 16_000),
    AudioFormat(Encoding.PCM_F32LE, 16_000),
    AudioFormat(Encoding.PCM_S16LE, 48_000, 2),
]


@pytest.mark.parametrize("audio_format", FORMATS, ids=str)
async def test_a_recogniser_gets_the_callers_audio_as_it_is(
    stage: Stage, audio_format: AudioFormat
) -> None:
    stt = Taped(stage)
    pipeline: Pipeline = evolve(stage.pipeline(), stt=stt)
    session = await stage.voice.create(
        encoding=audio_format.encoding,
        sample_rate=audio_format.sample_rate,
        channels=audio_format.channels,
    )
    audio = bytes(range(256)) * 150
    audio = audio[: len(audio) - len(audio) % audio_format.frame_bytes]
    async with stage.voice.converse(
        session.id, pipeline, config=SessionConfig(floor=PATIENT)
    ) as call:
        for start in range(0, len(audio), 777):
            await call.process_audio(audio[start : start + 777])
        await call.settled()
    assert stt.formats == [audio_format]
    assert bytes(stt.pushed) == audio


# --- what is kept -------------------------------------------------------------------------------


async def test_words_may_be_asked_for_and_taken_back_while_they_are_said(stage: Stage) -> None:
    async with stage.call(echo) as (call, phone):
        await phone.say("my number is")
        call.clear()
        await phone.say("forget it")
        call.flush()
        await call.settled()
        stored = [each.utterance.text for each in stage.happenings(UtteranceStored)]
        assert stored == ["forget it"]


async def test_what_is_stored_of_a_running_session_is_never_older_than_ten_seconds(
    stage: Stage,
) -> None:
    async with stage.call(turns=10) as (call, phone):
        for _ in range(6):
            await phone.wait(7 * SECOND_US)
            stored = await stage.voice._services.storage.sessions.load(
                call.session.id, call.handle.ownership.scope
            )
            behind_us = call.media_us - stored.audio_duration_us
            assert behind_us <= 10 * SECOND_US
            assert stored.audio_chunks_received > 0
