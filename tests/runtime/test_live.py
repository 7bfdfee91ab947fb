"""A live conversation: what the caller says, what they hear, and what is kept of it."""

from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing

import pytest
from anyio import to_thread

from voicesession.core.errors import (
    ProviderError,
    SessionAlreadyActive,
    SessionNotActive,
    WrongThread,
)
from voicesession.core.floor.effects import FloorChanged
from voicesession.core.states import EndReason, SessionState, TurnState
from voicesession.core.utterance import Speaker
from voicesession.ports.agent import HangUp, Prompt, ReplyPart
from voicesession.runtime.happenings import Failed, ReplyCleared, ReplyStarted
from voicesession.runtime.pipeline import Pipeline, SessionConfig
from voicesession.testing.scripted import (
    ScriptedRecognition,
    ScriptedSpeechToText,
)
from voicesession.testing.stage import PATIENT, Stage, echo


@pytest.fixture
async def stage() -> AsyncGenerator[Stage]:
    async with Stage() as stage:
        yield stage


def a_long_story(_prompt: Prompt) -> Iterable[ReplyPart]:
    yield "Once upon a time there was a king. "
    yield "He had a castle and a dog and a very long story to tell."


async def test_what_is_said_is_answered_and_both_are_kept(stage: Stage) -> None:
    async with stage.call(echo) as (call, phone):
        await phone.say("good morning computer")
        await phone.wait(4_000_000)
        assert phone.heard_words == ["you", "said", "good", "morning", "computer"]
    transcript = await stage.voice.transcript(call.session.id)
    user, agent = transcript.utterances
    assert (user.speaker, user.text) == (Speaker.USER, "good morning computer")
    assert [(w.text, w.start_us, w.end_us) for w in user.words][-1] == (
        "computer",
        480_000,
        720_000,
    )
    assert (
        agent.text == agent.spoken_text == agent.generated_text == "you said good morning computer"
    )
    assert not agent.interrupted
    assert call.session.end_reason is EndReason.COMPLETED


async def test_the_floor_goes_from_one_to_the_other_and_back(stage: Stage) -> None:
    async with stage.call(echo) as (call, phone):
        await phone.say("good morning")
        await phone.wait(4_000_000)
        assert call.turn is TurnState.LISTENING
    states = [h.state for h in stage.happenings(FloorChanged)]
    assert states == [
        TurnState.PROCESSING,
        TurnState.SPEAKING,
        TurnState.LISTENING,
        TurnState.INITIAL,
        TurnState.ENDED,
    ]


async def test_an_interruption_stops_the_voice_at_once_and_keeps_what_was_heard(
    stage: Stage,
) -> None:
    async with stage.call(a_long_story) as (call, phone):
        await phone.say("tell me a story")
        await phone.wait(3_000_000)
        assert call.turn is TurnState.SPEAKING
        await phone.say("stop it please now")
        pieces = len(phone.heard)
        assert call.turn is not TurnState.SPEAKING
        await phone.wait(200_000)
        assert len(phone.heard) == pieces
        heard = phone.heard_words
        await phone.wait(1_000_000)
    assert len(stage.happenings(ReplyCleared)) >= 1
    story = next(
        u
        for u in (await stage.voice.transcript(call.session.id)).utterances
        if u.speaker is Speaker.AGENT and u.interrupted
    )
    assert story.generated_text is not None
    assert story.spoken_text is not None
    assert story.generated_text.startswith(story.spoken_text)
    assert story.text == story.spoken_text
    assert 0 < len(story.spoken_text) < len(story.generated_text)
    # Words that were played whole are the words that were heard, but for the one that was cut.
    spoken = story.spoken_text.split()
    assert spoken == heard[: len(spoken)]
    assert len(heard) - len(spoken) <= 1


async def test_the_agent_hears_what_was_said_before_as_it_was_heard(stage: Stage) -> None:
    prompts: list[Prompt] = []

    def answer(prompt: Prompt) -> Iterable[ReplyPart]:
        prompts.append(prompt)
        return a_long_story(prompt)

    async with stage.call(answer) as (_, phone):
        await phone.say("tell me a story")
        await phone.wait(3_000_000)
        await phone.say("stop it please now")
        await phone.wait(1_500_000)
    first, second = prompts
    assert first.history == ()
    assert second.text == "stop it please now"
    # What is said in this turn stands in the prompt's text, and nowhere else.
    asked, told = second.history
    assert (asked.speaker, asked.text) == (Speaker.USER, "tell me a story")
    assert told.speaker is Speaker.AGENT
    assert told.interrupted
    assert second.elapsed > first.elapsed


async def test_an_agent_that_hangs_up_ends_the_session_after_its_last_word(stage: Stage) -> None:
    def goodbye(_prompt: Prompt) -> Iterable[ReplyPart]:
        yield "Goodbye then."
        yield HangUp()

    async with stage.call(goodbye) as (call, phone):
        await phone.say("goodbye")
        await phone.wait(5_000_000)
        assert call.is_over
        with pytest.raises(SessionNotActive):
            await call.process_audio(b"\0\0")
    assert phone.heard_words == ["Goodbye", "then."]
    assert call.session.end_reason is EndReason.COMPLETED
    assert (await stage.voice.transcript(call.session.id)).text == "goodbye Goodbye then."


async def test_frames_of_any_size_give_the_same_conversation(stage: Stage) -> None:
    other = Stage()
    async with other, stage.call(echo) as (_, phone), other.call(echo) as (ragged, _):
        await phone.say("good morning")
        await phone.wait(1_500_000)
        audio = other.lexicon.speech("good morning") + other.lexicon.silence(1_500_000)
        start = 0
        for size in [1, 3, 641, 7, 5_001] * 100:
            if start >= len(audio):
                break
            await ragged.process_audio(audio[start : start + size])
            await ragged.settled()
            start += size
        heard = (await stage.voice.find()).sessions[0]
        ragged_heard = ragged.session
        mine = (await stage.voice.transcript(heard.id)).utterances[0]
        theirs = (await other.voice.transcript(ragged_heard.id)).utterances[0]
    assert mine.text == theirs.text
    # A piece may begin between two microseconds.
    for one, other_one in zip(mine.words, theirs.words, strict=True):
        assert abs(one.start_us - other_one.start_us) <= 1
        assert abs(one.end_us - other_one.end_us) <= 1


async def test_a_pause_silences_both_and_time_stands_still(stage: Stage) -> None:
    async with stage.call(a_long_story) as (call, phone):
        await phone.say("tell me a story")
        await phone.wait(3_000_000)
        assert call.turn is TurnState.SPEAKING
        await call.pause()
        pieces, stood_at = len(phone.heard), call.media_us
        await phone.wait(2_000_000)
        assert (len(phone.heard), call.media_us) == (pieces, stood_at)
        assert call.session.state is SessionState.PAUSED
        await call.resume()
        await phone.say("are you there")
        await phone.wait(2_000_000)
        assert call.turn is TurnState.SPEAKING


async def test_typed_turns_are_answered_like_spoken_ones(stage: Stage) -> None:
    async with stage.call(echo) as (call, phone):
        call.send_text("by hand")
        await phone.wait(2_000_000)
    assert phone.heard_words == ["you", "said", "by", "hand"]
    texts = [u.text for u in (await stage.voice.transcript(call.session.id)).utterances]
    assert texts == ["by hand", "you said by hand"]


async def test_say_tells_when_and_how_much_of_it_was_heard(stage: Stage) -> None:
    async with stage.call(echo) as (call, phone):
        greeting = call.say("welcome to the show")
        cut = call.say("this one is cut short by the host")
        await phone.wait(1_200_000)
        await greeting.wait_for_playout()
        assert (greeting.spoken_text, greeting.interrupted) == ("welcome to the show", False)
        await phone.wait(600_000)
        cut.interrupt()
        await cut.wait_for_playout()
        assert cut.interrupted
        assert "this one is cut short by the host".startswith(cut.spoken_text)
        assert len(phone.heard_words) < 12


async def test_an_agent_that_fails_costs_its_reply_and_not_the_session(stage: Stage) -> None:
    calls = 0

    def fragile(prompt: Prompt) -> Iterable[ReplyPart]:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise RuntimeError("no answer from the model")
        return echo(prompt)

    async with stage.call(fragile) as (call, phone):
        await phone.say("one")
        await phone.wait(2_000_000)
        await phone.say("two")
        await phone.wait(2_000_000)
        assert call.turn is TurnState.LISTENING
    assert [type(f.error) for f in stage.happenings(Failed)] == [ProviderError]
    assert phone.heard_words == ["you", "said", "two"]


async def test_latency_is_counted_from_the_end_of_speech(stage: Stage) -> None:
    async with stage.call(echo) as (_, phone):
        await phone.say("good morning")
        await phone.wait(2_000_000)
    (started,) = stage.happenings(ReplyStarted)
    assert started.latency_us is not None
    # Engines take no time here: what is left is the wait for the end of the turn.
    assert 500_000 <= started.latency_us <= 700_000


async def test_speech_that_nobody_plays_makes_the_synthesiser_wait(stage: Stage) -> None:
    def endless(_prompt: Prompt) -> Iterable[ReplyPart]:
        for _ in range(1_000):
            yield "word after word after word. "

    config = SessionConfig(floor=PATIENT, unplayed_us=1_000_000)
    async with stage.call(endless, config=config) as (call, phone):
        await phone.say("talk")
        await phone.wait(3_000_000)
        mouth = call._conductor.mouth
        (reply_id,) = mouth._making
        assert mouth._playout.unplayed_us(reply_id) <= 1_500_000


async def test_audio_comes_out_by_itself_for_who_iterates(stage: Stage) -> None:
    heard: list[bytes] = []
    async with stage.call(echo) as (call, _):
        call.say("one two")
        await call.settled()
        async with aclosing(call.audio()) as audio:
            async for piece in audio:
                heard.append(piece.pcm)
                call.played(piece)
                if sum(map(len, heard)) == len(stage.lexicon.speech("one two")):
                    break
                stage.clock.advance(20_000)
    assert b"".join(heard) == stage.lexicon.speech("one two")


async def test_a_session_is_started_once_and_belongs_to_one_thread(stage: Stage) -> None:
    async with stage.call(echo) as (call, _):
        with pytest.raises(SessionAlreadyActive):
            await call.start()
        call.events()
        for bare in (call.interrupt, call.events):
            with pytest.raises(WrongThread):
                await to_thread.run_sync(bare)


async def test_an_engine_that_cannot_be_had_leaves_the_session_as_it_was(stage: Stage) -> None:
    class Missing(ScriptedSpeechToText):
        async def open(self, *_args: object, **_options: object) -> ScriptedRecognition:
            raise ProviderError("missing", "no such engine")

    session = await stage.voice.create(user_id="ada")
    pipeline = stage.pipeline(echo)
    broken = Pipeline(
        vad=pipeline.vad, stt=Missing(stage.lexicon), tts=pipeline.tts, agent=pipeline.agent
    )
    with pytest.raises(ProviderError):
        async with stage.voice.converse(session.id, broken):
            pass
    assert (await stage.voice.get(session.id)).status == "error"


async def test_words_that_are_still_being_recognised_when_the_session_stops_are_kept(
    stage: Stage,
) -> None:
    async with stage.call(echo) as (call, phone):
        await phone.say("these are my last words")
    texts = [u.text for u in (await stage.voice.transcript(call.session.id)).utterances]
    assert texts == ["these are my last words"]


async def test_a_host_that_fails_in_mid_sentence_loses_no_word_and_sees_its_own_error(
    stage: Stage,
) -> None:
    async def host() -> None:
        async with stage.call(a_long_story) as (_, phone):
            await phone.say("tell me a story")
            await phone.wait(2_500_000)
            await phone.say("and another")
            raise RuntimeError("the host's own bug")

    with pytest.raises(RuntimeError, match="the host's own bug"):
        await host()
    (session,) = (await stage.voice.find()).sessions
    assert session.error == "RuntimeError: the host's own bug"
    texts = [u.text for u in (await stage.voice.transcript(session.id)).utterances]
    assert texts[0] == "tell me a story"
    assert texts[-1] == "and another"
