"""
A LiveKit server as far as sessions see it: its server API (Twirp: protobuf over HTTP) and its webhooks.

It checks what LiveKit checks: the token of each call and its grants. The rooms that it makes
are real, the callers in them are told to it.
"""

from __future__ import annotations

import base64
import hashlib
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

import jwt
from google.protobuf.json_format import MessageToJson
from google.protobuf.message import DecodeError
from livekit.api import AccessToken, TokenVerifier
from livekit.protocol.models import Room
from livekit.protocol.room import CreateRoomRequest
from livekit.protocol.webhook import WebhookEvent

KEY = "APIkey"
SECRET = "a secret that is as long as it has to be"  # noqa: S105  # nobody's

Answer = tuple[int, bytes, str]


class LiveKit:
    """Serves ``/twirp/livekit.RoomService/CreateRoom`` on a port of its own."""

    def __init__(self) -> None:
        self.rooms: dict[str, CreateRoomRequest] = {}
        self.asked: list[str] = []
        self.fault: Callable[[], Answer | None] | None = None
        """What it does instead of answering; None from it answers nothing at all."""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def answer(self, path: str, token: str, body: bytes) -> Answer | None:
        self.asked.append(path)
        if self.fault is not None:
            return self.fault()
        try:
            grants = TokenVerifier(KEY, SECRET).verify(token).video
        except jwt.InvalidTokenError:
            return _refusal(401, "unauthenticated")
        if path != "/twirp/livekit.RoomService/CreateRoom":
            return _refusal(404, "bad_route")
        if grants is None or not grants.room_create:
            return _refusal(403, "permission_denied")
        try:
            request = CreateRoomRequest.FromString(body)
        except DecodeError:
            return _refusal(400, "malformed")
        self.rooms.setdefault(request.name, request)
        room = Room(sid=f"RM_{len(self.rooms)}", name=request.name)
        return 200, room.SerializeToString(), "application/protobuf"


def _refusal(status: int, code: str) -> Answer:
    return status, f'{{"code":"{code}","msg":"no"}}'.encode(), "application/json"


def _handler(livekit: LiveKit) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            token = self.headers.get("Authorization", "").removeprefix("Bearer ")
            answer = livekit.answer(self.path, token, body)
            if answer is None:
                self.close_connection = True
                return
            status, content, kind = answer
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its name
            pass

    return Handler


def signed(
    event: WebhookEvent,
    *,
    key: str = KEY,
    secret: str = SECRET,
    since: timedelta = timedelta(),
    life: timedelta = timedelta(minutes=5),
) -> tuple[bytes, str]:
    """Return the body and the header of a webhook, as LiveKit sends them.

    Args:
        since: How far LiveKit's clock is ahead of ours.
    """
    body = MessageToJson(event).encode()
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    claims = AccessToken(key, secret).with_sha256(digest).claims.asdict()
    now = datetime.now(UTC) + since  # noqa: TID251  # LiveKit's clock is nobody's argument
    return body, jwt.encode(claims | {"iss": key, "nbf": now, "exp": now + life}, secret, "HS256")
