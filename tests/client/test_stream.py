"""A conversation survives its connections: each durable message is given out once."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import pytest
from attrs import evolve
from hypothesis import HealthCheck, given, settings, strategies as st
from tests.client.stage import AT_ONCE, House, open_house
from tests.patience import PATIENCE_S
from tests.servers.proxy import Fault, FaultyProxy, Harm, Way, running_proxy

from voicesession import (
    InvalidValue,
    LifePolicy,
    SessionAlreadyActive,
    SessionNotActive,
    SessionNotFound,
    VoiceSessionError,
    WrongEventLoop,
)
from voicesession.client import AgentAudio, Stream, Unreachable, VoiceClient
from voicesession.core.backoff import Backoff
from voicesession.core.instants import duration_us
from voicesession.schemas import messages
from voicesession.schemas.requests import NewSession
from voicesession.testing.effort import examples

PHRASES = ["good morning", "how are you", "what a day", "so long", "and good night"]
SLOWLY = settings(
    max_examples=examples(8),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


async def created(client: VoiceClient, **said: Any) -> str:
    wanted = {"store_transcript": True} | said
    return (await client.create(NewSession.model_validate(wanted))).id


async def until(stream: Stream, kind: type[Any]) -> Any:
    """Read until something of *kind* comes, which is returned."""
    with anyio.fail_after(PATIENCE_S):
        async for item in stream:
            if isinstance(item, kind):
                return item
    raise AssertionError(kind)


async def say(stream: Stream, house: House, text: str) -> None:
    for frame in house.spoken(text):
        await stream.send_audio(frame)


async def left(house: House, session_id: str) -> None:
    """Wait until the server has let go of a session whose client is gone."""
    with anyio.fail_after(PATIENCE_S):
        while (await house.voice.for_tenant("acme").get(session_id)).worker_id is not None:
            await anyio.lowlevel.checkpoint()


def said(items: list[Any]) -> list[str]:
    finals = [item for item in items if isinstance(item, messages.TranscriptFinal)]
    return [final.utterance.text for final in finals if final.utterance.speaker == "user"]


def seqs(items: list[Any]) -> list[int]:
    return [item.seq for item in items if getattr(item, "seq", None) is not None]


@asynccontextmanager
async def through_proxy(house: House) -> AsyncGenerator[tuple[FaultyProxy, VoiceClient]]:
    async with running_proxy(house.port) as proxy, house.client(url=proxy.url) as client:
        yield proxy, client


async def test_a_conversation_is_begun_heard_answered_and_ended(
    house: House, ada: VoiceClient
) -> None:
    session_id = await created(ada)
    async with ada.stream(session_id, config=messages.Config(playout=True)) as stream:
        begin = await until(stream, messages.SessionBegin)
        assert (begin.session_id, begin.config.playout) == (session_id, False)
        await say(stream, house, "good morning")
        piece = await until(stream, AgentAudio)
        await stream.played(piece.reply_id, 60_000)
        await stream.end()
        items = [item async for item in stream]
        assert [item async for item in stream] == []
    end = items[-1]
    assert isinstance(end, messages.SessionEnd)
    assert piece.sample_rate == begin.config.sample_rate
    assert (end.status, end.end_reason) == ("completed", "completed")
    assert (await ada.get(session_id)).status == "completed"


async def test_whatever_can_be_said_is_understood(house: House, ada: VoiceClient) -> None:
    session_id = await created(ada, store_audio=True)
    async with ada.stream(session_id) as stream:
        await stream.configure(messages.Config(interim_results=False))
        await stream.set_consent(consent=True)
        await stream.set_consent(consent=None)
        await stream.clear()
        await stream.flush()
        await stream.send_text("open sesame")
        await until(stream, messages.ReplyBegin)
        await stream.interrupt()
        await until(stream, messages.ReplyEnd)
        await stream.pause()
        assert (await until(stream, messages.SessionPaused)).reasons == ("user",)
        await stream.resume()
        await until(stream, messages.SessionResumed)
        await stream.end()
        items = [item async for item in stream]
    assert isinstance(items[-1], messages.SessionEnd)
    assert not [item for item in items if isinstance(item, messages.ErrorOccurred)]


@SLOWLY
@given(cuts=st.lists(st.integers(0, 1_500), min_size=1, max_size=4), ways=st.booleans())
async def test_wherever_the_line_is_cut_each_final_is_given_out_once(
    house: House, cuts: list[int], ways: bool
) -> None:
    items: list[Any] = []
    async with through_proxy(house) as (proxy, client):
        session_id = await created(client, mode="transcription")
        async with client.stream(session_id) as stream:
            for at_byte, phrase in zip([*cuts, None], PHRASES, strict=False):
                if at_byte is not None:
                    way = Way.TO_CLIENT if ways else Way.TO_SERVER
                    proxy.harm(Fault(harm=Harm.CUT, way=way, at_byte=at_byte))
                await say(stream, house, phrase)
                await stream.flush()
            proxy.harm()
            await stream.end()
            with anyio.fail_after(PATIENCE_S):
                items += [item async for item in stream]
    stored = await house.voice.for_tenant("acme").transcript(session_id)
    finals = [item for item in items if isinstance(item, messages.TranscriptFinal)]
    assert [final.utterance.id for final in finals] == [one.id for one in stored.utterances]
    assert seqs(items) == sorted(set(seqs(items)))
    assert isinstance(items[-1], messages.SessionEnd)
    begins = [item for item in items if isinstance(item, messages.SessionBegin)]
    assert len(begins) >= 1


@given(told=st.lists(st.integers(1, 30)))
def test_whatever_the_lines_repeat_is_given_out_once_and_in_order(told: list[int]) -> None:
    # Who sends may repair a line while its reader still has frames of the one before.
    stream = VoiceClient("http://127.0.0.1:1").stream("sess_1")
    line: Any = None
    given_out: list[int] = []
    for seq in told:
        message = messages.SessionResumed(at=datetime(2026, 1, 1, tzinfo=UTC), seq=seq)
        item = stream._take(message.model_dump_json(), line)
        given_out += seqs([item])
        assert stream.bookmark.last_seq == max(given_out)
    assert given_out == sorted(set(given_out))
    assert given_out[-1:] == ([max(told)] if told else [])


@pytest.mark.parametrize("frame", ['{"type": "of.tomorrow", "seq": 7}', b"a voice of no reply"])
def test_what_a_newer_server_says_is_passed_over(frame: str | bytes) -> None:
    stream = VoiceClient("http://127.0.0.1:1").stream("sess_1")
    line: Any = None
    assert stream._take(frame, line) is None
    assert stream.bookmark.last_seq == 0


@pytest.mark.parametrize("frame", ["", "[]", "{}", '{"type": "session.resumed"}'])
def test_what_is_no_message_is_an_error_and_not_passed_over(frame: str) -> None:
    stream = VoiceClient("http://127.0.0.1:1").stream("sess_1")
    line: Any = None
    with pytest.raises(VoiceSessionError, match="no message"):
        stream._take(frame, line)


async def test_a_line_that_breaks_while_nobody_speaks_is_made_again(house: House) -> None:
    async with through_proxy(house) as (proxy, client):
        session_id = await created(client)
        async with client.stream(session_id) as stream:
            await until(stream, messages.SessionBegin)
            proxy.close()
            await until(stream, messages.SessionBegin)
            await say(stream, house, "good morning")
            assert (await until(stream, messages.TranscriptFinal)).utterance.text == PHRASES[0]
            proxy.close()
            await stream.end()
            assert await until(stream, messages.SessionEnd)


async def test_the_wish_to_end_outlives_the_line_it_was_said_on(house: House) -> None:
    async with through_proxy(house) as (proxy, client):
        session_id = await created(client)
        async with client.stream(session_id) as stream:
            await until(stream, messages.SessionBegin)
            proxy.harm(Fault(harm=Harm.CUT, way=Way.TO_SERVER))
            await stream.end()
            assert (await until(stream, messages.SessionEnd)).end_reason == "completed"


async def test_another_process_goes_on_from_a_bookmark(house: House, ada: VoiceClient) -> None:
    session_id = await created(ada)
    async with ada.stream(session_id) as stream:
        await say(stream, house, "good morning")
        await until(stream, messages.TranscriptFinal)
        bookmark = stream.bookmark
    assert bookmark.resume_token not in repr(bookmark)
    async with house.client() as later, later.stream(session_id, bookmark=bookmark) as again:
        await again.end()
        items = [item async for item in again]
    assert said(items) == []
    assert min(seqs(items)) > bookmark.last_seq
    whole = evolve(bookmark, last_seq=0)
    async with ada.stream(session_id, bookmark=whole) as late:
        assert said([item async for item in late]) == ["good morning"]


async def test_whoever_is_taken_over_is_told_so_and_does_not_come_back(
    house: House, ada: VoiceClient
) -> None:
    session_id = await created(ada)
    async with ada.stream(session_id) as first:
        await until(first, messages.SessionBegin)
        async with ada.stream(session_id, bookmark=first.bookmark) as second:
            await until(second, messages.SessionBegin)
            with pytest.raises(SessionAlreadyActive, match="taken"):
                await until(first, messages.SessionEnd)
            await second.end()
            await until(second, messages.SessionEnd)


async def test_a_stream_of_a_stranger_does_not_open(house: House, ada: VoiceClient) -> None:
    session_id = await created(ada)
    async with house.client("eve") as eve:
        with pytest.raises(SessionNotFound):
            async with eve.stream(session_id):
                pass
    async with ada.stream(session_id) as stream:
        await stream.end()
        assert [item async for item in stream]


async def test_a_bookmark_is_of_its_own_session(house: House, ada: VoiceClient) -> None:
    session_id = await created(ada)
    async with ada.stream(session_id) as stream:
        with pytest.raises(InvalidValue, match="bookmark"):
            ada.stream("another", bookmark=stream.bookmark)
        forged = evolve(stream.bookmark, resume_token="v1.forged.token")  # noqa: S106
    with pytest.raises(Exception, match="token") as refused:
        async with ada.stream(session_id, bookmark=forged):
            pass
    assert refused.value.code == "unauthenticated"  # type: ignore[attr-defined]


async def test_after_the_end_nothing_can_be_sent(house: House, ada: VoiceClient) -> None:
    session_id = await created(ada)
    stream = ada.stream(session_id)
    with pytest.raises(SessionNotActive):
        await stream.send_audio(b"")
    async with stream:
        await stream.end()
        assert [item async for item in stream]
        with pytest.raises(SessionNotActive):
            await stream.send_audio(bytes(640))
        await stream.end()


async def test_a_server_that_stays_away_is_given_up(tmp_path: Path) -> None:
    twice = Backoff(retries=2, first_us=1_000, longest_us=1_000)
    async with (
        open_house(tmp_path) as house,
        running_proxy(house.port) as proxy,
        VoiceClient(proxy.url, api_key="ada", backoff=twice) as client,
    ):
        session_id = await created(client)
        async with client.stream(session_id) as stream:
            await until(stream, messages.SessionBegin)
            proxy.harm(Fault(harm=Harm.CUT, way=Way.TO_CLIENT), forever=True)
            proxy.close()
            with pytest.raises(Unreachable):
                await until(stream, messages.SessionEnd)


async def test_whoever_comes_back_too_late_is_told_how_it_ended(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house, house.client() as ada:
        session_id = await created(ada)
        async with ada.stream(session_id) as stream:
            await say(stream, house, "good morning")
            await until(stream, messages.TranscriptFinal)
            bookmark = evolve(stream.bookmark, last_seq=0)
        await left(house, session_id)
        await ada.end(session_id, reason="cancelled")
        async with ada.stream(session_id, bookmark=bookmark) as late:
            items = [item async for item in late]
    assert said(items) == ["good morning"]
    assert isinstance(items[-1], messages.SessionEnd)
    assert items[-1].end_reason == "cancelled"


async def test_without_a_websocket_on_the_server_nothing_opens(house: House) -> None:
    async with VoiceClient(house.url, api_key="ada", prefix="/nowhere", backoff=AT_ONCE) as client:
        with pytest.raises(Exception, match="answered 40") as refused:
            async with client.stream("sess_1"):
                pass
    assert refused.value.code in {"not_found", "access_denied"}  # type: ignore[attr-defined]


def test_a_stream_says_that_it_runs_on_asyncio_alone() -> None:
    async def open_one() -> None:
        async with VoiceClient("http://127.0.0.1:1") as client, client.stream("sess_1"):
            pass

    with pytest.raises(WrongEventLoop):
        anyio.run(open_one, backend="trio")


def test_the_grace_of_a_session_is_shorter_than_our_patience() -> None:
    grace_us = duration_us(LifePolicy().reconnect_grace)
    backoff = VoiceClient("http://127.0.0.1:1")._backoff
    assert sum(backoff.delay_us(retry, 0.5) for retry in range(backoff.retries)) > grace_us * 0.8
