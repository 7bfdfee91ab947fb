"""Between Starlette's requests and responses, which are FastAPI's too, and our own."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, suppress
from datetime import timedelta
from typing import Final
from urllib.parse import parse_qsl

import anyio
from starlette.requests import ClientDisconnect, HTTPConnection, Request as StarletteRequest
from starlette.responses import Response, StreamingResponse
from starlette.types import Message, Send

from ..schemas.refusals import RequestTimeout
from .call import Answer, Request
from .forwarding import Origin, origin_of
from .options import WebOptions

__all__ = ("body_of", "headers_of", "origin_of_connection", "peer_of", "request_of", "response_of")

_PLAIN_SCHEME: Final = "http"
_NO_CONTENT: Final = 204


def headers_of(connection: HTTPConnection) -> dict[str, str]:
    """Return the headers by their names in lower case; what comes twice is joined."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in connection.scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def origin_of_connection(
    connection: HTTPConnection, headers: Mapping[str, str], options: WebOptions
) -> Origin:
    """Return where a request or a WebSocket comes from, and how it sees us."""
    return origin_of(
        headers,
        peer=peer_of(connection),
        scheme=connection.scope.get("scheme", _PLAIN_SCHEME),
        root=connection.scope.get("root_path", ""),
        trusted=options.trusted_proxies,
        port=options.port,
    )


def peer_of(connection: HTTPConnection) -> str | None:
    """Return the address at the other end."""
    client = connection.scope.get("client")
    return None if client is None else client[0]


def request_of(received: StarletteRequest, options: WebOptions, *, mount: str) -> Request:
    """Return *received* as we see it, without its body."""
    headers = headers_of(received)
    query = received.scope["query_string"].decode("latin-1")
    return Request(
        method=received.method,
        values={name: str(value) for name, value in received.path_params.items()},
        query=parse_qsl(query, keep_blank_values=True) if query else (),
        headers=headers,
        origin=origin_of_connection(received, headers, options),
        peer=peer_of(received),
        mount=mount,
    )


async def body_of(received: StarletteRequest) -> AsyncGenerator[bytes]:
    """Yield the body as it comes.

    Raises:
        RequestTimeout: The caller has left in the middle of it.
    """
    try:
        async for piece in received.stream():
            yield piece
    except ClientDisconnect:
        raise RequestTimeout("the caller has left in the middle of its body") from None


async def response_of(answer: Answer, options: WebOptions, *, method: str) -> Response:
    """Return *answer* as Starlette sends it."""
    content, media_type = answer.content, answer.media_type or None
    if isinstance(content, bytes):
        return _Whole(content, answer.status, answer.headers, media_type)
    if method == "HEAD":
        await content.aclose()
        return _Whole(b"", answer.status, answer.headers, media_type)
    return _Stream(content, answer, within=options.sent_within)


class _Whole(Response):
    """A response all of whose headers are known, by their names in lower case."""

    def init_headers(self, headers: Mapping[str, str] | None = None) -> None:
        known: dict[str, str] = {}
        if self.media_type is not None:
            known["content-type"] = self.media_type
        if self.status_code != _NO_CONTENT:
            known["content-length"] = str(len(self.body))
        known |= headers or {}
        self.raw_headers = [
            (name.encode("latin-1"), value.encode("latin-1")) for name, value in known.items()
        ]


class _Stream(StreamingResponse):
    """A response that closes what it streams, also when the client goes away in between.

    Of a client that does not read the server only knows that nothing more fits into what lies
    between the two; it is given up then, or it would be waited for as long as it likes.
    """

    def __init__(
        self, content: AsyncGenerator[bytes], answer: Answer, *, within: timedelta
    ) -> None:
        super().__init__(content, answer.status, answer.headers, answer.media_type or None)
        self._content = content
        self._within_s = within.total_seconds()

    async def stream_response(self, send: Send) -> None:
        async def send_in_time(message: Message) -> None:
            with anyio.move_on_after(self._within_s) as sending:
                await send(message)
            if sending.cancelled_caught:
                raise _Unread

        async with aclosing(self._content):
            with suppress(_Unread):
                await super().stream_response(send_in_time)


class _Unread(Exception):
    """The client does not read."""
