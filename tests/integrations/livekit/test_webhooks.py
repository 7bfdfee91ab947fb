"""What LiveKit tells of its rooms: signed as LiveKit signs, late, twice, in any order, or forged."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from itertools import permutations
from typing import Any

import jwt
import pytest
from google.protobuf.json_format import MessageToJson
from livekit.api import AccessToken, TokenVerifier, WebhookReceiver
from livekit.protocol.egress import EgressInfo, EgressStatus, FileInfo
from livekit.protocol.models import DisconnectReason, ParticipantInfo, Room, RoomEndReason
from livekit.protocol.webhook import WebhookEvent
from tests.servers.livekit_server import KEY, SECRET, signed

from voicesession.core.errors import AccessDenied, InvalidValue
from voicesession.core.session import Session
from voicesession.integrations.livekit import LiveKitServer, LiveKitWebhooks
from voicesession.runtime.clock import SteppedClock
from voicesession.runtime.manager import SessionManager
from voicesession.runtime.rooms import RoomAccess

Stored = Callable[[], Awaitable[Session]]


class Stage:
    """A room of LiveKit's in which things happen, and are told by webhooks."""

    def __init__(self, access: RoomAccess, clock: SteppedClock, webhooks: LiveKitWebhooks) -> None:
        self.name = access.room_name
        self._clock = clock
        self._webhooks = webhooks
        self._begun = clock.now()

    def event(self, kind: str, *, after: float = 0, **parts: Any) -> WebhookEvent:
        """An event of so many seconds after the beginning; LiveKit tells whole seconds of it."""
        moment = int((self._begun + timedelta(seconds=after)).timestamp())
        if "egress_info" not in parts:  # which names its room itself
            parts["room"] = Room(sid="RM_1", name=self.name)
        return WebhookEvent(event=kind, id=f"EV_{kind}_{after}", created_at=moment, **parts)

    def caller(
        self, joined: float, *, identity: str = "ada", kind: str = "STANDARD", **more: Any
    ) -> ParticipantInfo:
        moment = self._begun + timedelta(seconds=joined)
        return ParticipantInfo(
            sid=f"PA_{joined}",
            identity=identity,
            kind=kind,
            joined_at=int(moment.timestamp()),
            joined_at_ms=int(moment.timestamp() * 1_000),
            **more,
        )

    def joined(self, after: float, **caller: Any) -> WebhookEvent:
        participant = self.caller(after, **caller)
        return self.event("participant_joined", after=after, participant=participant)

    def left(self, after: float, *, joined: float, **caller: Any) -> WebhookEvent:
        participant = self.caller(joined, state="DISCONNECTED", **caller)
        return self.event("participant_left", after=after, participant=participant)

    def finished(self, after: float, **more: Any) -> WebhookEvent:
        return self.event("room_finished", after=after, **more)

    def egress(self, status: EgressStatus, *files: FileInfo) -> WebhookEvent:
        info = EgressInfo(egress_id="EG_1", room_name=self.name, status=status, file_results=files)
        return self.event("egress_ended", egress_info=info)

    async def tell(self, *events: WebhookEvent) -> None:
        for event in events:
            await self._webhooks.receive(*signed(event))

    def at(self, seconds: float) -> datetime:
        moment = self._begun + timedelta(seconds=seconds)
        return moment.replace(microsecond=moment.microsecond // 1_000 * 1_000)


@pytest.fixture
async def access(voice: SessionManager) -> RoomAccess:
    return await voice.start("tmpl_visit", user_id="ada")


@pytest.fixture
def room(access: RoomAccess, clock: SteppedClock, webhooks: LiveKitWebhooks) -> Stage:
    return Stage(access, clock, webhooks)


@pytest.fixture
def stored(voice: SessionManager, access: RoomAccess) -> Stored:
    return lambda: voice.get(access.session.id)


# --- what drives a session ----------------------------------------------------------------------


async def test_a_call_from_its_first_event_to_its_last(
    room: Stage, stored: Stored, clock: SteppedClock
) -> None:
    await room.tell(room.event("room_started"))
    assert (await stored()).state == "CONNECTING"
    await room.tell(room.joined(3.25))
    live = await stored()
    assert (live.state, live.live_at) == ("LIVE", room.at(3.25))
    await room.tell(room.event("track_published", after=4), room.left(9, joined=3.25))
    assert (await stored()).pause_reasons == {"disconnected"}
    await room.tell(room.joined(20))
    assert (await stored()).state == "LIVE"
    clock.advance(60_000_000)
    await room.tell(room.finished(60))
    await room.tell(
        room.egress(EgressStatus.EGRESS_COMPLETE, FileInfo(location="s3://calls/1.ogg"))
    )
    ended = await stored()
    assert (ended.state, ended.end_reason) == ("ENDED", "completed")
    assert (ended.audio_uri, ended.audio_partial) == ("s3://calls/1.ogg", False)


async def test_a_caller_who_does_not_come_back_within_the_grace_was_cut_off(
    room: Stage, stored: Stored, clock: SteppedClock
) -> None:
    await room.tell(room.joined(1), room.left(5, joined=1))
    clock.advance(36_000_000)
    assert (await stored()).end_reason == "disconnected"


async def test_in_any_order_and_twice_a_call_comes_to_the_same(
    voice: SessionManager, clock: SteppedClock, webhooks: LiveKitWebhooks
) -> None:
    for order in permutations(range(4)):
        access = await voice.start("tmpl_visit", user_id="ada")
        room = Stage(access, clock, webhooks)
        events = [
            room.event("room_started"),
            room.joined(1.5),
            room.left(5.5, joined=1.5),
            room.joined(7.5),
        ]
        for number in order:
            await room.tell(events[number], events[number])
        session = await voice.get(access.session.id)
        assert session.state == "LIVE", order
        await voice.end(session.id)


async def test_when_the_room_is_gone_nothing_that_is_told_later_brings_it_back(
    voice: SessionManager, clock: SteppedClock, webhooks: LiveKitWebhooks
) -> None:
    for order in permutations(range(2)):
        access = await voice.start("tmpl_visit", user_id="ada")
        room = Stage(access, clock, webhooks)
        late = [room.joined(1), room.left(5, joined=1)]
        await room.tell(room.finished(9), *(late[number] for number in order), room.finished(9))
        assert (await voice.get(access.session.id)).state == "ENDED"


@pytest.mark.parametrize("who", [{"kind": "AGENT"}, {"kind": "EGRESS"}, {"identity": "bob"}])
async def test_agents_recorders_and_guests_are_not_callers(
    room: Stage, stored: Stored, who: dict[str, str]
) -> None:
    await room.tell(room.joined(1, **who))
    assert (await stored()).state == "CONNECTING"
    await room.tell(room.joined(2), room.left(5, joined=1, **who))
    assert (await stored()).state == "LIVE"


async def test_somebody_on_the_telephone_is_a_caller_if_they_go_by_the_name(
    room: Stage, stored: Stored
) -> None:
    await room.tell(room.joined(1, kind="SIP"))
    assert (await stored()).state == "LIVE"


@pytest.mark.parametrize(
    "reason", [DisconnectReason.DUPLICATE_IDENTITY, DisconnectReason.MIGRATION]
)
async def test_a_caller_who_moves_to_another_connection_is_not_gone(
    room: Stage, stored: Stored, reason: DisconnectReason
) -> None:
    await room.tell(room.joined(1), room.left(5, joined=1, disconnect_reason=reason))
    assert (await stored()).state == "LIVE"


@pytest.mark.parametrize(
    ("reason", "state"),
    [
        (RoomEndReason.ROOM_END_SERVER_SHUTDOWN, "LIVE"),
        (RoomEndReason.ROOM_END_SUPERSEDED, "LIVE"),
        (RoomEndReason.ROOM_END_API_DELETE, "ENDED"),
        (RoomEndReason.ROOM_END_IDLE_TIMEOUT, "ENDED"),
    ],
)
async def test_a_room_that_goes_on_elsewhere_is_not_over(
    room: Stage, stored: Stored, reason: RoomEndReason, state: str
) -> None:
    await room.tell(room.joined(1), room.finished(9, room_end_reason=reason))
    assert (await stored()).state == state


@pytest.mark.parametrize("untold", [["joined_at_ms"], ["joined_at_ms", "joined_at"]])
async def test_a_server_that_tells_less_of_when_somebody_came_is_understood(
    room: Stage, stored: Stored, untold: list[str]
) -> None:
    came, went = room.joined(3), room.left(6, joined=3)
    for event in (came, went):
        for name in untold:
            event.participant.ClearField(name)
    await room.tell(came)
    assert (await stored()).state == "LIVE"
    await room.tell(went)
    assert (await stored()).pause_reasons == {"disconnected"}


async def test_where_agents_attach_only_the_end_of_the_room_is_taken_from_livekit(
    voice: SessionManager, server: LiveKitServer, access: RoomAccess, clock: SteppedClock
) -> None:
    room = Stage(access, clock, LiveKitWebhooks(server, voice.room_news, callers=False))
    await room.tell(room.joined(1))
    assert (await voice.get(access.session.id)).state == "CONNECTING"
    async with voice.attach(access.session.id) as agent:
        await agent.live()
        await room.tell(room.left(5, joined=1))
        assert (await voice.get(access.session.id)).state == "LIVE"
        await room.tell(room.finished(9))
        assert agent.session.end_reason == "completed"


async def test_rooms_of_others_are_none_of_our_business(
    voice: SessionManager, webhooks: LiveKitWebhooks
) -> None:
    event = WebhookEvent(event="room_finished", room=Room(name="lobby"), created_at=1_800_000_000)
    assert await webhooks.receive(*signed(event)) is None


# --- recordings -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "files", "linked"),
    [
        (
            EgressStatus.EGRESS_COMPLETE,
            [FileInfo(location="s3://c/1.ogg")],
            ("s3://c/1.ogg", False),
        ),
        (EgressStatus.EGRESS_COMPLETE, [FileInfo(filename="/out/1.ogg")], ("/out/1.ogg", False)),
        (EgressStatus.EGRESS_LIMIT_REACHED, [FileInfo(location="s3://c/1")], ("s3://c/1", True)),
        (EgressStatus.EGRESS_ABORTED, [FileInfo(filename="/out/1.ogg")], (None, True)),
        (EgressStatus.EGRESS_FAILED, [FileInfo()], (None, True)),
        (EgressStatus.EGRESS_COMPLETE, [], (None, False)),
    ],
)
async def test_a_recording_is_linked_with_what_is_known_of_it(
    room: Stage,
    stored: Stored,
    status: EgressStatus,
    files: list[FileInfo],
    linked: tuple[str | None, bool],
) -> None:
    await room.tell(room.joined(1), *[room.egress(status, *files)] * 2, room.finished(9))
    session = await stored()
    assert (session.audio_uri, session.audio_partial) == linked


# --- who may tell ---------------------------------------------------------------------------------


async def test_what_the_tests_sign_livekits_own_receiver_takes(room: Stage) -> None:
    body, header = signed(room.joined(1))
    event = WebhookReceiver(TokenVerifier(KEY, SECRET)).receive(body.decode(), header)
    assert event.participant.identity == "ada"


async def test_the_word_bearer_may_stand_before_the_token(
    room: Stage, webhooks: LiveKitWebhooks, stored: Stored
) -> None:
    body, header = signed(room.joined(1))
    await webhooks.receive(body, f"Bearer {header}")
    assert (await stored()).state == "LIVE"


@pytest.mark.parametrize("ahead_s", [-50, 50])
async def test_clocks_that_differ_by_less_than_a_minute_do_no_harm(
    room: Stage, webhooks: LiveKitWebhooks, stored: Stored, ahead_s: int
) -> None:
    ahead = timedelta(seconds=ahead_s)
    await webhooks.receive(*signed(room.joined(ahead_s + 100), since=ahead, life=timedelta(0)))
    await webhooks.receive(*signed(room.left(ahead_s + 110, joined=ahead_s + 100), since=ahead))
    assert (await stored()).pause_reasons == {"disconnected"}


def _hashless(body: bytes) -> str:
    return AccessToken(KEY, SECRET).to_jwt()


def _of_another_body(body: bytes) -> str:
    digest = base64.b64encode(hashlib.sha256(body + b" ").digest()).decode()
    return AccessToken(KEY, SECRET).with_sha256(digest).to_jwt()


def _with_a_broken_hash(body: bytes) -> str:
    return AccessToken(KEY, SECRET).with_sha256("§").to_jwt()


def _unsigned(body: bytes) -> str:
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    claims = AccessToken(KEY, SECRET).with_sha256(digest).claims.asdict() | {"iss": KEY}
    return jwt.encode(claims, "", "none")


def _without_an_end(body: bytes) -> str:
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    return jwt.encode({"iss": KEY, "sha256": digest}, SECRET, "HS256")


@pytest.mark.parametrize(
    "forge", [_hashless, _of_another_body, _with_a_broken_hash, _unsigned, _without_an_end]
)
async def test_what_livekit_did_not_sign_as_it_is_changes_nothing(
    room: Stage,
    webhooks: LiveKitWebhooks,
    stored: Stored,
    forge: Callable[[bytes], str],
) -> None:
    before = await stored()
    body = MessageToJson(room.joined(1)).encode()
    with pytest.raises(AccessDenied) as caught:
        await webhooks.receive(body, forge(body))
    assert SECRET not in str(caught.value)
    assert await stored() == before


@pytest.mark.parametrize(
    "wrong",
    [
        {"since": timedelta(minutes=-10)},
        {"since": timedelta(minutes=2)},
        {"key": "APIother"},
        {"secret": SECRET[::-1]},
    ],
    ids=["expired", "from the future", "another key", "another secret"],
)
async def test_a_signature_of_another_time_or_server_is_refused(
    room: Stage, webhooks: LiveKitWebhooks, stored: Stored, wrong: dict[str, Any]
) -> None:
    with pytest.raises(AccessDenied):
        await webhooks.receive(*signed(room.joined(1), **wrong))
    assert (await stored()).state == "CONNECTING"


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer x.y.z", "Basic abc", "§"])
async def test_without_a_token_nothing_is_believed(
    room: Stage, webhooks: LiveKitWebhooks, header: str | None
) -> None:
    body, _ = signed(room.joined(1))
    with pytest.raises(AccessDenied):
        await webhooks.receive(body, header)


async def test_a_callers_token_signs_no_webhook(
    room: Stage, webhooks: LiveKitWebhooks, access: RoomAccess
) -> None:
    body, _ = signed(room.finished(1))
    with pytest.raises(AccessDenied):
        await webhooks.receive(body, access.access_token)


@pytest.mark.parametrize("body", [b"", b"[]", b"\xff", b'{"event": 7}', b'{"room": "x"}'])
async def test_what_is_signed_and_no_event_is_refused(
    webhooks: LiveKitWebhooks, body: bytes
) -> None:
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    token = AccessToken(KEY, SECRET).with_sha256(digest).to_jwt()
    with pytest.raises(InvalidValue, match="body"):
        await webhooks.receive(body, token)


async def test_an_event_from_a_newer_livekit_is_no_error(
    webhooks: LiveKitWebhooks, server: LiveKitServer
) -> None:
    body = b'{"event": "room_painted", "colour": "blue", "createdAt": "1800000000"}'
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    token = AccessToken(KEY, SECRET).with_sha256(digest).to_jwt()
    assert await webhooks.receive(body, token) is None
