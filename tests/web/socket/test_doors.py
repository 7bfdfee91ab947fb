"""Who gets in, and what those are told who do not."""

from datetime import UTC, datetime, timedelta
from string import ascii_letters
from typing import Any

import httpx2
import pytest
from hypothesis import given, strategies as st
from websockets.asyncio.client import connect

from voicesession import AdmissionPolicy, EndReason, Limit, Pipeline, Session
from voicesession.core.accounts import Account, Scope
from voicesession.core.errors import InvalidConfig
from voicesession.core.identity import SessionId, TenantId
from voicesession.core.meters import Meter
from voicesession.core.windows import Window
from voicesession.runtime.clock import SteppedClock
from voicesession.web.options import WebOptions
from voicesession.web.principal import Unauthenticated
from voicesession.web.rates import Rate
from voicesession.web.socket.options import SocketOptions
from voicesession.web.starlette import voice_app
from voicesession.web.tickets import Kind, Passes

STREAM = "/v1/audio/transcriptions/stream"
SECRET = bytes(range(32))


async def closed(house: Any, path: str, **settings: Any) -> int:
    async with house.connect(path, **settings) as talker:
        code: int = await talker.closed()
        assert "Traceback" not in str(talker.messages)
        return code


async def test_a_session_that_is_not_there_is_refused(house: Any) -> None:
    assert await closed(house, "/v1/sessions/sess_unknown/stream") == 1008
    assert await closed(house, "/v1/sessions/%20/stream") == 1008
    assert await closed(house, "/ws/voice") == 4400


async def test_the_session_may_stand_in_the_query(house: Any) -> None:
    session = await house.voice.create()
    async with house.connect(f"/ws/voice?session_id={session.id}") as talker:
        assert (await talker.next("session.begin"))["session_id"] == session.id


@pytest.mark.parametrize(
    "query",
    [
        "encoding=mp3",
        "sample_rate=4000",
        "channels=3",
        "retention_days=-2",
        "store_audio=perhaps",
        "model=",
        "laguage=en",
        "language=en&language=de",
    ],
)
async def test_a_parameter_that_is_not_allowed_is_refused(house: Any, query: str) -> None:
    assert await closed(house, f"{STREAM}?{query}") == 4400


async def test_what_is_said_of_a_session_must_agree_with_it(house: Any) -> None:
    session = await house.voice.create(sample_rate=8_000)
    path = f"/v1/sessions/{session.id}/stream?sample_rate="
    assert await closed(house, f"{path}16000") == 4400
    assert await closed(house, f"{path}8000&resume_session_id=sess_earlier") == 4400
    async with house.connect(f"{path}8000") as talker:
        assert (await talker.next("session.begin"))["config"]["sample_rate"] == 8_000


async def test_the_query_of_a_new_session_has_the_documented_defaults(house: Any) -> None:
    async with house.connect(f"{STREAM}?vocabulary=Ada,%20Turing") as talker:
        begin = await talker.next("session.begin")
    assert begin["config"] == {
        "mode": "transcription",
        "language": "auto",
        "model": "fast",
        "encoding": "pcm_s16le",
        "sample_rate": 16_000,
        "channels": 1,
        "store_audio": False,
        "store_transcript": False,
        "enhance_on_end": False,
        "retention_days": 30,
        "interim_results": True,
        "word_timestamps": True,
        "playout": False,
    }
    assert house.sessions[-1].metadata == {"vocabulary": ["Ada", "Turing"]}


async def test_a_session_that_runs_already_is_not_begun_twice(house: Any) -> None:
    async with house.talk() as talker:
        session_id = talker.messages[0]["session_id"]
        async with house.connect(f"/v1/sessions/{session_id}/stream") as other:
            await other.send("end")
            assert await other.closed() == 4400


async def test_who_does_not_say_attach_in_time_is_sent_away_and_it_is_no_fault_of_ours(
    open_house: Any, caplog: pytest.LogCaptureFixture
) -> None:
    brief = SocketOptions(opening=timedelta(milliseconds=500))
    async with open_house(bounds=brief) as house, house.talk() as talker:
        session_id = talker.messages[0]["session_id"]
        assert await closed(house, f"/v1/sessions/{session_id}/stream") == 4400
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


@pytest.mark.parametrize(("reason", "code"), [("completed", 1000), ("expired", 4410)])
async def test_of_a_session_that_is_over_only_its_end_is_told(
    house: Any, reason: str, code: int
) -> None:
    async with house.talk(store_transcript=True) as talker:
        session_id = talker.messages[0]["session_id"]
        await talker.speak("good morning")
        await talker.next("transcript.final")
        await house.voice.end(session_id, reason=EndReason(reason))
        await talker.closed()
    async with house.connect(f"/v1/sessions/{session_id}/stream") as late:
        await late.send("flush")
        assert await late.closed() == code
    assert [message["type"] for message in late.messages] == ["session.begin", "session.end"]


async def test_a_full_house_takes_nobody_more(open_house: Any) -> None:
    path = f"{STREAM}?user_id=ada"
    admission = AdmissionPolicy(per_user=1)
    async with open_house(admission=admission) as house, house.connect(path) as talker:
        await talker.next("session.begin")
        assert await closed(house, path) == 4429


async def test_without_a_budget_nothing_begins(house: Any) -> None:
    ada = Account(tenant_id=house.voice.tenant_id, scope=Scope.USER, id="ada")
    await house.voice.budgets.set_limit(
        Limit(account=ada, meter=Meter.AUDIO_US, window=Window.DAY, amount=0)
    )
    assert await closed(house, f"{STREAM}?user_id=ada") == 4402


async def test_to_resume_without_a_budget_is_refused_and_the_call_waits_for_one(
    house: Any,
) -> None:
    ada = Account(tenant_id=house.voice.tenant_id, scope=Scope.USER, id="ada")
    limit = Limit(account=ada, meter=Meter.AUDIO_US, window=Window.DAY, amount=1_000_000)
    await house.voice.budgets.set_limit(limit)
    async with house.talk(user_id="ada") as talker:
        for _ in range(10):
            await talker.socket.send(bytes(6_400))
        await talker.next("session.paused")
        await talker.send("resume")
        assert (await talker.next("error"))["code"] == "budget_exhausted"
        await house.voice.budgets.raise_limit(ada, limit.meter, limit.window, by=1_000_000)
        await talker.send("resume")
        await talker.next("session.resumed")


async def test_a_worker_that_leaves_sends_its_clients_elsewhere(house: Any) -> None:
    async with house.talk() as talker:
        await house.voice.drain(within=timedelta())
        assert await talker.closed() == 1012
        session = await house.voice.get(talker.messages[0]["session_id"])
        assert await closed(house, STREAM) == 1012
    assert session.pause_reasons == {"shutdown"}
    assert talker.all("session.terminated")[0]["recoverable"] is True


async def test_a_pipeline_that_cannot_be_made_is_our_own_fault(
    open_house: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_session: object) -> Any:
        raise RuntimeError("the secret word is rosebud")

    async with open_house(pipeline=broken) as house, house.connect(STREAM) as talker:
        assert await talker.closed() == 1011
    assert "rosebud" not in str(talker.messages) + caplog.text


# --- who ------------------------------------------------------------------------------------


@pytest.fixture
async def guarded(open_house: Any, keys: Any) -> Any:
    async with open_house(authenticator=keys) as house:
        yield house


async def a_stream_of_ada(house: Any) -> str:
    session = await house.voice.for_tenant("acme").create(user_id="ada")
    return f"/v1/sessions/{session.id}/stream"


async def test_a_header_lets_a_client_in(guarded: Any) -> None:
    path = await a_stream_of_ada(guarded)
    async with guarded.connect(path, additional_headers={"x-api-key": "ada"}) as talker:
        await talker.next("session.begin")


async def test_a_subprotocol_lets_a_browser_in_and_its_token_is_not_sent_back(
    guarded: Any,
) -> None:
    path = await a_stream_of_ada(guarded)
    offers = ["voicesession", "bearer.ada"]
    async with guarded.connect(path, subprotocols=offers) as talker:
        await talker.next("session.begin")
        assert talker.socket.subprotocol == "voicesession"


@pytest.mark.parametrize("who", ["bob", "eve", "reader"])
async def test_nobody_gets_into_the_session_of_another(guarded: Any, who: str) -> None:
    path = await a_stream_of_ada(guarded)
    assert await closed(guarded, path, additional_headers={"x-api-key": who}) == 1008
    if who == "reader":
        assert await closed(guarded, STREAM, additional_headers={"x-api-key": who}) == 1008


@pytest.mark.parametrize("name", ["token", "access_token", "api_key", "authorization"])
async def test_a_secret_that_lasts_has_no_place_in_the_url(guarded: Any, name: str) -> None:
    path = await a_stream_of_ada(guarded)
    for url in (path, STREAM):
        async with guarded.connect(f"{url}?{name}=ada") as talker:
            assert await talker.closed() == 4400
        assert "ada" not in str(talker.messages)


async def test_who_connects_too_often_waits(house: Any, keys: Any, serve: Any) -> None:
    options = WebOptions(rate=Rate(per_second=1, burst=2))
    app = voice_app(house.voice, pipeline=Pipeline, authenticator=keys, options=options)  # type: ignore[arg-type]  # nobody comes so far
    codes: list[int] = []
    async with serve(app) as url:
        for _ in range(4):
            ada = {"x-api-key": "ada"}
            path = f"{url}/v1/sessions/sess_a/stream"
            async with connect(path, compression=None, additional_headers=ada) as socket:
                await socket.wait_closed()
                codes.append(socket.close_code or 0)
    assert codes == [1008, 1008, 4429, 4429]


async def test_without_credentials_only_a_token_to_come_back_with_counts(
    open_house: Any, keys: Any
) -> None:
    brief = SocketOptions(opening=timedelta(milliseconds=500))
    async with open_house(authenticator=keys, bounds=brief) as house:
        path = await a_stream_of_ada(house)
        assert await closed(house, STREAM) == 1008
        async with house.connect(path) as nobody:
            assert await nobody.closed() == 1008
        async with house.connect(path, additional_headers={"x-api-key": "ada"}) as talker:
            begin = await talker.next("session.begin")
            async with house.back(begin, 0) as back:
                assert (await back.next("session.begin"))["session_id"] == begin["session_id"]


async def test_a_ticket_lets_a_client_in_and_into_no_other_session(guarded: Any) -> None:
    path = await a_stream_of_ada(guarded)
    other = await a_stream_of_ada(guarded)
    address = guarded.url.replace("ws://", "http://")
    async with httpx2.AsyncClient(base_url=address, headers={"x-api-key": "ada"}) as http:
        answer = await http.post(path.replace("/stream", "/ticket"))
    assert answer.status_code == 200
    ticket = answer.json()["ticket"]
    assert answer.json()["websocket_url"] == f"{guarded.url}{path}?ticket={ticket}"
    assert await closed_without_attach(guarded, f"{other}?ticket={ticket}") == 1008
    async with guarded.connect(f"{path}?ticket={ticket}") as talker:
        await talker.next("session.begin")


async def closed_without_attach(house: Any, path: str) -> int:
    async with house.connect(path) as talker:
        await talker.send("end")
        code: int = await talker.closed()
        return code


async def test_who_guesses_tickets_is_soon_not_listened_to_any_more(
    house: Any, keys: Any, serve: Any
) -> None:
    options = WebOptions(
        rate=Rate(per_second=1, burst=3), socket=SocketOptions(opening=timedelta(milliseconds=1))
    )
    app = voice_app(house.voice, pipeline=Pipeline, authenticator=keys, options=options)  # type: ignore[arg-type]  # nobody comes so far
    codes: list[int] = []
    async with serve(app) as url:
        for number in range(5):
            path = f"{url}/v1/sessions/sess_a/stream?ticket=v1.guess.{number}"
            async with connect(path, compression=None) as socket:
                await socket.wait_closed()
                codes.append(socket.close_code or 0)
    assert codes == [1008, 1008, 1008, 4429, 4429]


NOW = datetime(2026, 1, 1, tzinfo=UTC)


IDS = st.text(ascii_letters, min_size=1, max_size=8)


@st.composite
def sessions(draw: st.DrawFn) -> Session:
    """Whosever, as far as a pass is about them."""
    return Session(
        id=SessionId(draw(IDS)),
        tenant_id=TenantId(draw(IDS)),
        user_id=draw(st.none() | IDS),
        epoch=draw(st.integers(0, 5)),
        created_at=NOW,
        updated_at=NOW,
        state_since=NOW,
        last_activity_at=NOW,
    )


@given(session=sessions(), other=sessions(), kind=st.sampled_from(Kind))
def test_a_pass_is_good_for_its_session_its_kind_and_its_time(
    session: Session, other: Session, kind: Kind
) -> None:
    clock = SteppedClock(NOW)
    passes = Passes(SECRET, clock=clock, resume_for=timedelta(seconds=30))
    issued = passes.issue(kind, session)
    held = passes.check(kind, issued, session.id)
    assert (held.tenant_id, held.user_id) == (session.tenant_id, session.user_id)
    assert held.epoch == (session.epoch if kind is Kind.TICKET else None)
    another = next(k for k in Kind if k is not kind)
    refused = [(another, issued, session.id), (kind, issued[:-1], session.id)]
    if other.id != session.id:
        refused.append((kind, issued, other.id))
    for args in refused:
        with pytest.raises(Unauthenticated):
            passes.check(*args)
    with pytest.raises(Unauthenticated):
        Passes(bytes(32), clock=clock).check(kind, issued, session.id)
    clock.advance(30_000_000)
    with pytest.raises(Unauthenticated):
        passes.check(kind, issued, session.id)


@given(st.text(max_size=200), st.text(max_size=50))
def test_nothing_else_passes_for_a_pass(shown: str, session_id: str) -> None:
    with pytest.raises(Unauthenticated):
        Passes(SECRET).check(Kind.TICKET, shown, session_id)


def test_a_short_secret_is_refused_and_not_repeated() -> None:
    with pytest.raises(InvalidConfig) as caught:
        Passes(b"hunter2")
    assert "hunter2" not in str(caught.value)
