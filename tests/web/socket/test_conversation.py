"""Two voices over one socket: the agent's is the binary between reply.begin and reply.end."""

from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any

import anyio
import pytest
from hypothesis import given, strategies as st

from voicesession import EndReason, Limit, Session, SessionConfig, VoiceSession
from voicesession.core.accounts import Account, Scope
from voicesession.core.meters import Meter
from voicesession.core.windows import Window
from voicesession.runtime.hooks import Hooks
from voicesession.runtime.playout import AgentAudio
from voicesession.web.socket.playback import Playback


@pytest.fixture
async def talker(house: Any) -> AsyncGenerator[Any]:
    async with house.talk(user_id="ada", store_transcript=True) as talker:
        yield talker


async def test_the_agents_voice_is_the_binary_between_begin_and_end(talker: Any) -> None:
    await talker.speak("good morning")
    begin = await talker.next("reply.begin")
    assert talker.audio == b""
    end = await talker.next("reply.end")
    assert end["reply_id"] == begin["reply_id"]
    assert end["interrupted"] is False
    assert end["spoken_text"] == "you said good morning"
    assert begin["sample_rate"] == 16_000
    assert bytes(talker.audio) == talker.lexicon.speech("you said good morning")


async def test_both_voices_come_as_durable_finals_with_ascending_seq(talker: Any) -> None:
    await talker.speak("good morning")
    await talker.next("transcript.final")
    agent = await talker.next("transcript.final")
    assert talker.words == ["good morning"]
    assert agent["utterance"]["text"] == "you said good morning"
    assert agent["utterance"]["speaker"] == "agent"
    assert agent["utterance"]["spoken_text"] == "you said good morning"
    seqs = [message["seq"] for message in talker.messages if "seq" in message]
    assert seqs == sorted(set(seqs))
    assert all("at" in message for message in talker.messages)


async def test_who_has_the_floor_is_told(talker: Any) -> None:
    await talker.speak("good morning")
    await talker.next("reply.end")
    states = [message["state"] for message in talker.all("turn.state")]
    assert states[:3] == ["listening", "processing", "speaking"]
    assert talker.all("vad.speech_start")[0]["timestamp"] == 0
    assert talker.all("vad.speech_end")[0]["timestamp"] == pytest.approx(0.2, abs=0.02)


async def test_a_typed_turn_is_answered(talker: Any) -> None:
    await talker.send("text", text="what now")
    end = await talker.next("reply.end")
    assert end["spoken_text"] == "you said what now"


async def test_a_barge_in_empties_the_clients_buffer_and_ends_the_reply(talker: Any) -> None:
    await talker.send("text", text="tell me a very long story that nobody wants to hear")
    begin = await talker.next("reply.begin")
    await talker.send("interrupt")
    clear = await talker.next("reply.clear")
    end = await talker.next("reply.end")
    assert clear["reply_id"] == end["reply_id"] == begin["reply_id"]
    assert end["interrupted"] is True


async def test_the_host_says_how_each_conversation_is_held(open_house: Any) -> None:
    called = anyio.Event()

    async def goodbye(call: VoiceSession) -> None:
        call.say("goodbye")
        called.set()

    def config(session: Session) -> SessionConfig:
        assert session.user_id == "ada"
        return SessionConfig(
            max_wall_clock=timedelta(seconds=60),
            goodbye_before=timedelta(seconds=60),
            hooks=Hooks(goodbye=goodbye),
        )

    async with open_house(config=config) as house, house.talk(user_id="ada") as talker:
        end = await talker.next("reply.end")
        assert end["spoken_text"] == "goodbye"
        assert called.is_set()


async def test_whoever_speaks_over_the_agent_is_heard_and_the_agent_falls_silent(
    talker: Any,
) -> None:
    await talker.send("text", text="tell me a very long story that nobody wants to hear")
    begin = await talker.next("reply.begin")
    await talker.speak("no please stop talking right now thanks")
    clear = await talker.next("reply.clear")
    end = await talker.next("reply.end")
    assert clear["reply_id"] == end["reply_id"] == begin["reply_id"]
    assert end["interrupted"] is True
    assert end["spoken_text"] != "you said tell me a very long story that nobody wants to hear"
    while "no please stop talking right now thanks" not in talker.words:
        await talker.next("transcript.final")


async def test_a_client_that_reports_its_playout_settles_what_was_heard(talker: Any) -> None:
    await talker.send("config", playout=True)
    await talker.send("text", text="one two three four")
    begin = await talker.next("reply.begin")
    while len(talker.audio) < len(talker.lexicon.speech("you said one")):
        frame = await talker.socket.recv()
        talker.audio += frame if isinstance(frame, bytes) else b""
    await talker.send("playout", reply_id=begin["reply_id"], played_ms=200)
    await talker.send("interrupt")
    end = await talker.next("reply.end")
    assert end["spoken_text"] == "you said"


async def test_a_reply_is_over_once_all_of_it_is_reported(talker: Any) -> None:
    await talker.send("config", playout=True)
    await talker.send("text", text="one")
    begin = await talker.next("reply.begin")
    await talker.send("playout", reply_id=begin["reply_id"], played_ms=10_000)
    while len(talker.audio) < len(talker.lexicon.speech("you said one")):
        frame = await talker.socket.recv()
        talker.audio += frame if isinstance(frame, bytes) else b""
    await talker.send("playout", reply_id=begin["reply_id"], played_ms=300)
    end = await talker.next("reply.end")
    assert (end["interrupted"], end["spoken_text"]) == (False, "you said one")


async def test_a_pause_is_told_and_what_is_said_in_it_is_not_heard(talker: Any) -> None:
    await talker.send("pause")
    paused = await talker.next("session.paused")
    assert paused["reasons"] == ["user"]
    await talker.speak("nobody hears this")
    await talker.send("resume")
    await talker.next("session.resumed")
    await talker.speak("good morning")
    await talker.next("transcript.final")
    assert talker.words == ["good morning"]


async def test_what_cannot_be_done_now_is_an_error_and_the_call_goes_on(talker: Any) -> None:
    await talker.send("resume")
    error = await talker.next("error")
    assert (error["code"], error["retryable"]) == ("invalid_state", False)
    await talker.send("text", text="still there")
    await talker.next("reply.end")


async def test_a_flush_gives_the_words_before_any_silence(talker: Any) -> None:
    await talker.speak("good morning", silence_us=0)
    await talker.next("transcript.partial")
    await talker.send("flush")
    final = await talker.next("transcript.final")
    assert final["utterance"]["text"] == "good morning"


async def test_what_is_taken_back_never_becomes_final(talker: Any) -> None:
    await talker.speak("strike that", silence_us=0)
    while talker.all("transcript.partial")[-1:] == [] or (
        talker.all("transcript.partial")[-1]["text"] != "strike that"
    ):
        await talker.next("transcript.partial")
    await talker.send("clear")
    await talker.speak("good morning")
    await talker.next("transcript.final")
    assert talker.words == ["good morning"]


async def test_a_client_may_do_without_interim_results_and_word_times(house: Any) -> None:
    async with house.talk() as talker:
        await talker.send("config", interim_results=False, word_timestamps=False)
        await talker.send("ack", seq=2)
        await talker.speak("good morning")
        final = await talker.next("transcript.final")
    assert final["utterance"]["words"] == []
    assert talker.all("transcript.partial") == []


async def test_consent_is_kept_with_the_one_who_gave_it(open_house: Any, keys: Any) -> None:
    async with open_house(authenticator=keys) as house:
        voice = house.voice.for_tenant("acme")
        session = await voice.create(user_id="ada", store_audio=True)
        path = f"/v1/sessions/{session.id}/stream"
        async with house.connect(path, additional_headers={"x-api-key": "ada"}) as talker:
            await talker.next("session.begin")
            await talker.send("consent", recording_consent=True)
            await talker.send("end")
            await talker.next("session.end")
        session = await voice.get(session.id)
    assert (session.recording_consent, session.consent_by) == (True, "ada")


async def test_the_end_is_answered_when_all_is_stored(house: Any) -> None:
    async with house.talk(store_audio=True, store_transcript=True) as talker:
        await talker.speak("good morning", silence_us=0)
        await talker.send("end")
        end = await talker.next("session.end")
        assert await talker.closed() == 1000
    assert talker.words == ["good morning"]
    assert end["audio_uri"].startswith("file:///")
    assert end["transcript_uri"].startswith("file:///")
    assert end["end_reason"] == "completed"
    assert end["totals"]["audio_duration_seconds"] == pytest.approx(0.2)
    assert end["seq"] == (await house.voice.get(end["session_id"])).seq


async def test_a_session_that_is_ended_elsewhere_says_so(house: Any) -> None:
    async with house.talk() as talker:
        session_id = talker.messages[0]["session_id"]
        await house.voice.end(session_id, reason=EndReason.CANCELLED)
        end = await talker.next("session.end")
        assert (end["end_reason"], end["status"]) == ("cancelled", "completed")
        assert await talker.closed() == 1000


async def test_a_budget_warns_and_then_pauses(house: Any) -> None:
    ada = Account(tenant_id=house.voice.tenant_id, scope=Scope.USER, id="ada")
    await house.voice.budgets.set_limit(
        Limit(account=ada, meter=Meter.AUDIO_US, window=Window.DAY, amount=2_000_000)
    )
    async with house.talk(user_id="ada") as talker:
        for _ in range(20):
            await talker.socket.send(bytes(6_400))
        await talker.next("session.paused")
    warning = talker.all("budget.warning")[0]
    assert (warning["meter"], warning["scope"]) == ("audio_us", "user")
    assert talker.all("session.paused")[0]["reasons"] == ["budget_exhausted"]


@given(st.lists(st.integers(1, 20), min_size=1), st.integers(0, 500))
def test_a_report_in_whole_milliseconds_counts_what_began_in_them(
    lengths_ms: list[int], played_ms: int
) -> None:
    playback = Playback(10**9)
    at_us = 0
    for length_ms in lengths_ms:
        end_us = at_us + length_ms * 1_000 + 500
        piece = AgentAudio(reply_id=1, pcm=b"", start_us=at_us, end_us=end_us)  # type: ignore[arg-type]
        assert list(playback.sent(piece)) == []
        at_us = end_us
    played = list(playback.played(1, played_ms))
    assert all(piece.end_us < (played_ms + 1) * 1_000 for piece in played)
    assert list(playback.played(1, played_ms)) == []
    left = list(playback.played(1, 10**6))
    assert len(played) + len(left) == len(lengths_ms)
    assert all(piece.end_us >= (played_ms + 1) * 1_000 for piece in left)
