"""Tokens that LiveKit's own verifier takes, and rooms made through its server API."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
import trio
from hypothesis import given, strategies as st
from livekit.api import TokenVerifier
from tests.servers.livekit_server import KEY, SECRET, Answer, LiveKit

from voicesession.core.errors import (
    ProviderBusy,
    ProviderError,
    ProviderUnavailable,
    WrongEventLoop,
)
from voicesession.integrations.livekit import LiveKitRooms, LiveKitServer
from voicesession.ports.rooms import RoomTerms
from voicesession.runtime.clock import SteppedClock
from voicesession.runtime.manager import SessionManager

VERIFIER = TokenVerifier(KEY, SECRET)
SERVER = LiveKitServer(url="wss://livekit.example", api_key=KEY, api_secret=SECRET)
NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)


def terms(since: datetime, life: timedelta = timedelta(hours=1)) -> RoomTerms:
    return RoomTerms(
        since=since,
        until=(since + life).replace(microsecond=0),
        departure_grace=timedelta(seconds=30.5),
        agent={"session_id": "sess_1"},
    )


def now() -> datetime:
    return datetime.fromtimestamp(time.time(), UTC)  # noqa: TID251  # the verifier's clock


# --- tokens ---------------------------------------------------------------------------------------


async def test_the_token_of_a_session_opens_its_room_and_no_other(voice: SessionManager) -> None:
    access = await voice.start("tmpl_visit", user_id="ada")
    claims = VERIFIER.verify(access.access_token)
    assert claims.identity == "ada"
    assert claims.video is not None
    assert (claims.video.room_join, claims.video.room) == (True, access.room_name)
    assert (claims.video.can_publish, claims.video.can_subscribe) == (True, True)
    assert not any(
        (
            claims.video.room_create,
            claims.video.room_admin,
            claims.video.room_list,
            claims.video.room_record,
            claims.video.hidden,
            claims.video.can_update_own_metadata,
        )
    )
    assert json.loads(claims.metadata) == {
        "session_id": access.session.id,
        "session_template_id": "tmpl_visit",
        "user_id": "ada",
        "modality_profile": "audio",
        "enabled_panels": ["notes"],
    }


async def test_the_room_that_a_token_makes_waits_long_enough_and_calls_the_agent(
    voice: SessionManager,
) -> None:
    access = await voice.start("tmpl_visit", user_id="ada")
    config = VERIFIER.verify(access.access_token).room_config
    assert config is not None
    assert config.name == access.room_name
    assert config.departure_timeout >= 30
    assert config.empty_timeout == 3_600
    (agent,) = config.agents
    assert agent.agent_name == "nurse"
    told = json.loads(agent.metadata)
    assert (told["session_id"], told["agent_metadata"]) == (
        access.session.id,
        {"persona": "nurse"},
    )


async def test_a_token_says_when_it_ends_exactly_as_the_session_does(
    voice: SessionManager, clock: SteppedClock
) -> None:
    access = await voice.start("tmpl_visit")
    claims = jwt.decode(access.access_token, SECRET, algorithms=["HS256"])
    assert claims["exp"] == access.token_expiry.timestamp()
    assert claims["nbf"] == int(clock.now().timestamp())
    assert claims["iss"] == KEY
    clock.advance(60_000_000)
    fresh = await voice.rooms.refresh_token(access.session.id)
    again = jwt.decode(fresh.access_token, SECRET, algorithms=["HS256"], leeway=120)
    assert again["exp"] == claims["exp"] + 60
    assert {**again, "exp": 0, "nbf": 0} == {**claims, "exp": 0, "nbf": 0}


@given(NAMES, NAMES, st.dictionaries(NAMES, NAMES | st.none()))
def test_whatever_the_caller_is_called_the_token_says_so(
    room: str, identity: str, metadata: dict[str, Any]
) -> None:
    token = LiveKitRooms(SERVER).generate_access_token(room, identity, metadata, terms=terms(now()))
    claims = VERIFIER.verify(token)
    assert (claims.identity, claims.video and claims.video.room) == (identity, room)
    assert json.loads(claims.metadata) == metadata


def test_no_agent_is_called_where_none_has_a_name() -> None:
    token = LiveKitRooms(SERVER).generate_access_token("room", "ada", {}, terms=terms(now()))
    config = VERIFIER.verify(token).room_config
    assert config is not None
    assert list(config.agents) == []
    assert (config.empty_timeout, config.departure_timeout) == (3_600, 31)


@pytest.mark.parametrize(
    "since", [timedelta(hours=-2), timedelta(minutes=2)], ids=["expired", "not yet good"]
)
def test_out_of_its_time_a_token_is_refused(since: timedelta) -> None:
    token = LiveKitRooms(SERVER).generate_access_token(
        "room", "ada", {}, terms=terms(now() + since)
    )
    with pytest.raises(jwt.InvalidTokenError):
        VERIFIER.verify(token)


@pytest.mark.parametrize("ahead", [timedelta(seconds=50), timedelta(seconds=-3_650)])
def test_clocks_that_differ_by_less_than_a_minute_do_no_harm(ahead: timedelta) -> None:
    token = LiveKitRooms(SERVER).generate_access_token(
        "room", "ada", {}, terms=terms(now() + ahead)
    )
    assert VERIFIER.verify(token).identity == "ada"


@pytest.mark.parametrize(
    "verifier", [TokenVerifier(KEY, SECRET[::-1]), TokenVerifier("APIother", SECRET)]
)
def test_another_server_takes_no_token_of_this_one(verifier: TokenVerifier) -> None:
    token = LiveKitRooms(SERVER).generate_access_token("room", "ada", {}, terms=terms(now()))
    with pytest.raises(jwt.InvalidTokenError):
        verifier.verify(token)


# --- rooms made in advance --------------------------------------------------------------------------


async def test_a_room_is_there_before_its_caller_where_the_server_api_is_known(
    voice: SessionManager, livekit: LiveKit
) -> None:
    access = await voice.start("tmpl_visit", user_id="ada")
    room = livekit.rooms[access.room_name]
    assert room.departure_timeout >= 30
    assert room.empty_timeout == 3_600
    assert [agent.agent_name for agent in room.agents] == ["nurse"]


async def test_without_a_server_api_nobody_is_asked(livekit: LiveKit) -> None:
    await LiveKitRooms(SERVER).open_room("room", terms=terms(now()))
    assert livekit.asked == []


def answers(status: int, body: bytes = b'{"code":"odd","msg":"at 10.0.0.1"}') -> Any:
    return lambda: (status, body, "application/json")


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (answers(400), ProviderError),
        (answers(429), ProviderBusy),
        (answers(500), ProviderUnavailable),
        (answers(503, b"<html>"), ProviderUnavailable),
        (lambda: None, ProviderUnavailable),
    ],
    ids=["refused", "busy", "broken", "away", "cut off"],
)
async def test_a_room_that_cannot_be_made_is_told_and_its_session_is_over(
    voice: SessionManager,
    livekit: LiveKit,
    fault: Callable[[], Answer | None],
    kind: type[ProviderError],
) -> None:
    livekit.fault = fault
    with pytest.raises(kind) as caught:
        await voice.start("tmpl_visit", user_id="ada")
    assert type(caught.value) is kind
    assert "10.0.0.1" not in str(caught.value)
    (session,) = (await voice.find()).sessions
    assert (session.state, session.error) == ("ENDED", f"no room: {kind.code}")


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    with LiveKit() as gone:
        server = LiveKitServer(url=gone.url, api_key=KEY, api_secret=SECRET, api_url=gone.url)
    with pytest.raises(ProviderUnavailable, match="livekit"):
        await LiveKitRooms(server).open_room("room", terms=terms(now()))


async def test_a_key_that_the_server_does_not_know_is_refused(livekit: LiveKit) -> None:
    server = LiveKitServer(url=livekit.url, api_key=KEY, api_secret="x" * 40, api_url=livekit.url)
    with pytest.raises(ProviderError, match="unauthenticated"):
        await LiveKitRooms(server).open_room("room", terms=terms(now()))
    assert livekit.rooms == {}


def test_rooms_are_made_on_asyncio_only_and_it_says_so(livekit: LiveKit) -> None:
    server = LiveKitServer(url=livekit.url, api_key=KEY, api_secret=SECRET, api_url=livekit.url)

    async def make() -> None:
        await LiveKitRooms(server).open_room("room", terms=terms(now()))

    with pytest.raises(WrongEventLoop):
        trio.run(make)
