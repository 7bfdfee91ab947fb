"""A line that breaks before the session has begun on it strands nobody."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import anyio
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from tests.client.stage import House, open_house
from tests.patience import PATIENCE_S
from tests.servers.proxy import Fault, Harm, Way, running_proxy

from voicesession import LifePolicy, Session, SessionNotFound, SessionState
from voicesession.client import Bookmark, Unreachable, VoiceClient
from voicesession.core.backoff import Backoff
from voicesession.ports.storage import Scope
from voicesession.schemas import messages
from voicesession.schemas.messages import SessionBegin
from voicesession.schemas.requests import NewSession
from voicesession.testing.effort import examples

HANDSHAKE = rb"GET /v1/sessions/\S+/stream"


@settings(
    max_examples=examples(12),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(at_bytes=st.lists(st.integers(0, 900), min_size=1, max_size=3))
async def test_wherever_the_line_breaks_the_session_begins_and_every_word_is_heard(
    house: House, at_bytes: list[int]
) -> None:
    async with running_proxy(house.port) as proxy, house.client(url=proxy.url) as client:
        said = {"mode": "transcription", "store_transcript": True}
        wanted = NewSession.model_validate(said)
        session_id = (await client.create(wanted)).id
        proxy.harm(*(cut(at_byte) for at_byte in at_bytes))
        with anyio.fail_after(PATIENCE_S):
            async with client.stream(session_id) as stream:
                for frame in house.spoken("good morning"):
                    await stream.send_audio(frame)
                proxy.harm()
                await stream.end()
                items = [item async for item in stream]
    finals = [item for item in items if isinstance(item, messages.TranscriptFinal)]
    stored = (await house.voice.for_tenant("acme").transcript(session_id)).utterances
    assert [final.utterance.id for final in finals] == [said.id for said in stored]
    assert isinstance(items[-1], messages.SessionEnd)


def cut(at_byte: int) -> Fault:
    """Cut a line so many bytes after its handshake has gone out."""
    return Fault(harm=Harm.CUT, way=Way.TO_CLIENT, at_byte=at_byte, once_seen=HANDSHAKE)


async def test_who_is_refused_does_not_try_again(ada: VoiceClient) -> None:
    with pytest.raises(SessionNotFound):
        async with ada.stream("sess_nobody"):
            pass


async def test_whoever_never_comes_back_leaves_a_session_that_ends_on_time(
    tmp_path: Path,
) -> None:
    soon = LifePolicy(reconnect_grace=timedelta(milliseconds=200))
    async with (
        open_house(tmp_path, life=soon, lease=timedelta(seconds=2)) as house,
        running_proxy(house.port) as proxy,
        VoiceClient(proxy.url, api_key="ada", backoff=Backoff(retries=0)) as client,
    ):
        session_id = (await client.create()).id
        proxy.harm(cut(at_byte=250), forever=True)
        with pytest.raises(Unreachable):
            async with client.stream(session_id):
                pass
        session = await ended(house, session_id)
    assert (session.end_reason, session.worker_id) == ("disconnected", None)


async def ended(house: House, session_id: str) -> Session:
    """Return the session once the sweeper has ended it: nobody asks it to."""
    store, scope = house.voice._services.storage.sessions, Scope("acme")  # type: ignore[arg-type]
    with anyio.fail_after(PATIENCE_S):
        while (session := await store.load(session_id, scope)).state is not SessionState.ENDED:  # type: ignore[arg-type]
            await anyio.lowlevel.checkpoint()
    return session


def test_a_bookmark_goes_back_where_a_store_has_lost_its_last_moments() -> None:
    begin = SessionBegin.model_construct(resume_token="v1.a.b", last_seq=7)  # noqa: S106
    assert Bookmark(session_id="s", last_seq=9).begun(begin).last_seq == 7
    assert Bookmark(session_id="s", last_seq=5).begun(begin).last_seq == 5
