"""A phone in a tunnel comes back and misses nothing."""

import gc
import json
from typing import Any
from urllib.parse import urlencode

import anyio
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from tests.patience import PATIENCE_S
from websockets.exceptions import ConnectionClosed

from voicesession import LifePolicy, PauseReason, SessionState
from voicesession.testing.effort import examples
from voicesession.web.socket.history import Past
from voicesession.web.socket.options import SocketOptions

PHRASES = ["good morning", "how are you", "what a day", "so long", "and good night"]


async def gone(house: Any, session_id: str) -> Any:
    """Wait until the server has let go of the session, which is returned."""
    with anyio.fail_after(PATIENCE_S):
        while True:
            session = await house.voice.get(session_id)
            if session.state is SessionState.ENDED or session.worker_id is None:
                return session
            await anyio.lowlevel.checkpoint()


async def test_a_client_that_vanishes_pauses_its_session(house: Any) -> None:
    async with house.talk() as talker:
        begin = talker.messages[0]
        await talker.speak("good morning", silence_us=0)
        await talker.next("transcript.partial")
        talker.socket.transport.abort()
    session = await gone(house, begin["session_id"])
    assert session.state is SessionState.PAUSED
    assert session.pause_reasons == {PauseReason.DISCONNECTED}
    words = await house.voice.transcript(session.id)
    assert words.text == "good morning"


async def test_without_a_grace_a_session_ends_with_its_client(
    open_house: Any, brief: LifePolicy
) -> None:
    async with open_house(life=brief) as house:
        async with house.talk() as talker:
            session_id = talker.messages[0]["session_id"]
        session = await gone(house, session_id)
    assert (session.state, session.end_reason) == ("ENDED", "disconnected")


async def test_whoever_comes_back_is_told_what_was_missed_and_goes_on(house: Any) -> None:
    async with house.talk() as talker:
        begin = talker.messages[0]
        await talker.speak("good morning", silence_us=0)
        await talker.next("transcript.partial")
        talker.socket.transport.abort()
    await gone(house, begin["session_id"])
    async with house.back(begin, talker.last_seq) as back:
        again = await back.next("session.begin")
        await back.next("transcript.final")
        await back.speak("how are you")
        await back.next("transcript.final")
        await back.send("end")
        await back.next("session.end")
    assert again["session_id"] == begin["session_id"]
    assert back.words == ["good morning", "how are you"]
    told = [m["seq"] for m in back.messages if "seq" in m]
    assert told == sorted(set(told))
    assert min(told) > talker.last_seq


async def test_a_past_that_is_longer_than_what_may_wait_is_told_whole_and_then_forgotten(
    open_house: Any,
) -> None:
    async with open_house(bounds=SocketOptions(unsent_bytes=3_000)) as house:
        session = await house.voice.create(mode="transcription", store_transcript=True)
        async with house.connect(f"/v1/sessions/{session.id}/stream") as talker:
            begin = await talker.next("session.begin")
            for phrase in PHRASES:
                await talker.speak(phrase)
                await talker.next("transcript.final")
            talker.socket.transport.abort()
        await gone(house, session.id)
        async with house.back(begin, 0) as back:
            for _ in PHRASES:
                await back.next("transcript.final")
            await back.next("session.resumed")
            assert not [thing for thing in gc.get_objects() if isinstance(thing, Past)]
    assert back.words == PHRASES


async def test_what_was_acknowledged_is_told_again_to_whoever_comes_back_with_less(
    house: Any,
) -> None:
    async with house.talk(store_transcript=True) as talker:
        begin = talker.messages[0]
        await talker.speak("good morning", silence_us=0)
        await talker.send("flush")
        final = await talker.next("transcript.final")
        for seq in (final["seq"], final["seq"], 1, 1_000):
            await talker.send("ack", seq=seq)
        talker.socket.transport.abort()
    await gone(house, begin["session_id"])
    async with house.back(begin, 0) as back:
        await back.next("transcript.final")
    assert back.words == ["good morning"]


@settings(
    max_examples=examples(6),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(breaks=st.lists(st.integers(0, 12), min_size=1, max_size=4), acknowledged=st.booleans())
async def test_wherever_the_line_breaks_each_final_arrives_exactly_once(
    house: Any, breaks: list[int], acknowledged: bool
) -> None:
    session = await house.voice.create(mode="transcription", store_transcript=True)
    seen: list[dict[str, Any]] = []
    phrases = iter(PHRASES)
    begin: dict[str, Any] | None = None
    last_seq = 0
    for read in [*breaks, None]:
        path = f"/v1/sessions/{session.id}/stream"
        line = house.connect(path) if begin is None else house.back(begin, last_seq)
        async with line as talker:
            begin = await talker.next("session.begin")
            await talker.speak(next(phrases))
            if read is None:
                await talker.send("end")
                await talker.next("session.end")
            else:
                await take(talker, read)
                talker.socket.transport.abort()
        seen += [m for m in talker.messages if "seq" in m]
        last_seq = max(last_seq, talker.last_seq)
        if acknowledged:
            await gone(house, session.id)
    finals = [m["utterance"] for m in seen if m["type"] == "transcript.final"]
    stored = (await house.voice.transcript(session.id)).utterances
    assert [said["id"] for said in finals] == [said.id for said in stored]
    assert [m["seq"] for m in seen] == sorted({m["seq"] for m in seen})


async def take(talker: Any, count: int) -> None:
    """Read so many messages."""
    for _ in range(count):
        with anyio.move_on_after(0.2):
            frame = await talker.socket.recv()
            if isinstance(frame, str):
                talker.messages.append(json.loads(frame))


async def test_a_second_connection_takes_over_and_the_first_is_told_so(house: Any) -> None:
    async with house.talk() as first:
        await first.speak("good morning", silence_us=0)
        begin = first.messages[0]
        await first.next("transcript.partial")
        async with house.back(begin, first.last_seq) as second:
            await second.next("session.begin")
            assert await first.closed() == 4409
            await second.speak("how are you")
            await second.next("transcript.final")
            await second.next("transcript.final")
            assert second.words == ["good morning", "how are you"]
    terminated = first.all("session.terminated")[0]
    assert (terminated["reason"], terminated["recoverable"]) == ("taken_over", False)


async def test_a_connection_on_another_worker_takes_over(open_house: Any, tmp_path: Any) -> None:
    store = f"sqlite:///{tmp_path / 'voice.db'}"
    here, there = open_house(store=store), open_house(store=store)
    async with here as one, there as other, one.talk() as first:
        begin = first.messages[0]
        async with other.back(begin, first.last_seq) as second:
            await second.next("session.begin")
            await first.send("pause")  # a write, by which the first one finds out
            assert await first.closed() == 4409
            await second.send("end")
            await second.next("session.end")


async def test_a_whole_turn_is_restored_and_a_torn_one_is_not(house: Any) -> None:
    async with house.talk() as talker:
        begin = talker.messages[0]
        await talker.speak("good morning")
        await talker.next("reply.end")
        await talker.next("transcript.final")
        talker.socket.transport.abort()
    await gone(house, begin["session_id"])
    async with house.back(begin, 0) as back:
        assert (await back.next("session.begin"))["state_restored"] is True
        await back.send("text", text="tell me a very long story that goes on and on")
        await back.next("reply.begin")
        back.socket.transport.abort()
    await gone(house, begin["session_id"])
    async with house.back(begin, 0) as again:
        assert (await again.next("session.begin"))["state_restored"] is False


async def test_a_pause_of_the_user_outlives_the_break(house: Any) -> None:
    async with house.talk() as talker:
        begin = talker.messages[0]
        await talker.send("pause")
        await talker.next("session.paused")
        talker.socket.transport.abort()
    await gone(house, begin["session_id"])
    async with house.back(begin, talker.last_seq) as back:
        await back.next("session.begin")
        await back.send("resume")
        await back.next("session.resumed")
    reasons = [set(message["reasons"]) for message in back.all("session.paused")]
    assert reasons == [{"user", "disconnected"}, {"user"}]


async def test_whoever_comes_back_after_the_end_learns_how_it_was(house: Any) -> None:
    async with house.talk(store_transcript=True) as talker:
        begin = talker.messages[0]
        await talker.speak("good morning", silence_us=0)
        await talker.next("transcript.partial")
        talker.socket.transport.abort()
    await gone(house, begin["session_id"])
    await house.voice.end(begin["session_id"])
    async with house.back(begin, talker.last_seq) as back:
        end = await back.next("session.end")
        assert await back.closed() == 1000
    assert back.words == ["good morning"]
    assert end["status"] == "completed"


async def test_a_new_session_may_continue_an_earlier_one(house: Any) -> None:
    async with house.talk(user_id="ada") as talker:
        earlier = talker.messages[0]["session_id"]
        await talker.send("end")
        await talker.closed()
    path = f"/v1/audio/transcriptions/stream?user_id=ada&resume_session_id={earlier}"
    async with house.connect(path) as later:
        begin = await later.next("session.begin")
    assert begin["resumed_from"] == earlier
    assert begin["state_restored"] is False
    session = await house.voice.get(begin["session_id"])
    assert session.previous_session_id == earlier


async def test_the_words_of_a_session_and_of_the_one_it_continues_are_one_transcript(
    house: Any,
) -> None:
    said = {"user_id": "ada", "store_transcript": "true"}
    for phrase in PHRASES[:3]:
        path = f"/v1/audio/transcriptions/stream?{urlencode(said)}"
        async with house.connect(path) as talker:
            begin = await talker.next("session.begin")
            await talker.speak(phrase)
            await talker.send("end")
            await talker.closed()
        said["resume_session_id"] = begin["session_id"]
    document = await house.voice.transcripts.document(said["resume_session_id"], linked=True)
    assert [utterance["text"] for utterance in document["utterances"]] == PHRASES[:3]


async def test_a_session_of_somebody_else_is_not_continued(house: Any) -> None:
    foreign = await house.voice.create(user_id="bob")
    path = f"/v1/audio/transcriptions/stream?user_id=ada&resume_session_id={foreign.id}"
    async with house.connect(path) as talker:
        assert await talker.closed() == 1008


@pytest.mark.parametrize("change", ["session", "mac", "kind", "empty"])
async def test_a_token_that_is_not_the_sessions_own_lets_nobody_in(house: Any, change: str) -> None:
    async with house.talk() as one, house.talk() as other:
        begin = dict(one.messages[0])
        token = begin["resume_token"]
        begin["resume_token"] = {
            "session": other.messages[0]["resume_token"],
            "mac": token[:-2] + ("AA" if not token.endswith("AA") else "BB"),
            "kind": token.replace("v1.", "v2.", 1),
            "empty": ".",
        }[change]
        async with house.back(begin, 0) as back:
            assert await back.closed() == 1008
        await one.send("text", text="still mine")
        await one.next("reply.end")


async def test_nobody_gets_back_without_a_token(house: Any) -> None:
    async with house.talk() as one:
        session_id = one.messages[0]["session_id"]
        async with house.connect(f"/v1/sessions/{session_id}/stream") as two:
            await two.send("text", text="let me in")
            assert await two.closed() == 4400
        with pytest.raises(ConnectionClosed):
            await two.socket.recv()
        await one.send("text", text="still mine")
        await one.next("reply.end")
