"""
The sessions as routes of Starlette; FastAPI need not be installed.

>>> app = voice_app(voicesession.open("sqlite:///voice.db"))
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from attrs import frozen

try:
    from starlette.applications import Starlette
    from starlette.exceptions import HTTPException
    from starlette.requests import Request as StarletteRequest
    from starlette.responses import Response
    from starlette.routing import BaseRoute, Route as StarletteRoute, WebSocketRoute
    from starlette.types import Receive, Scope, Send
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f'Starlette needs {error.name}: pip install "voicesession[web]"', name=error.name
    ) from error

from ..core.errors import VoiceSessionError
from ..runtime.manager import SessionManager
from ..schemas.refusals import MethodNotAllowed, NotFound
from .exchange import body_of, request_of, response_of
from .face import DEFAULT_PREFIXES, Face, Mounted, PipelineMaker
from .gate import Gate
from .options import WebOptions
from .principal import Authenticator
from .socket.mounting import SocketServer, Wire, socket_servers

__all__ = ("voice_app", "voice_routes")

_METHOD_NOT_ALLOWED: Final = 405


def voice_routes(
    voice: SessionManager,
    *,
    pipeline: PipelineMaker | None = None,
    authenticator: Authenticator | None = None,
    prefixes: Sequence[str] = DEFAULT_PREFIXES,
    options: WebOptions | None = None,
) -> list[BaseRoute]:
    """Return the routes, for an application of yours; open *voice* while it runs.

    Args:
        voice: Not opened or closed here: ``Starlette(routes=…, lifespan=voice.lifespan)``.
        pipeline: Makes the engines and the agent of a conversation.
        authenticator: Without one, everybody on this machine may do everything, and nobody
            else may do anything.
        prefixes: Where the sessions are.
        options: What else you may settle.

    Raises:
        InvalidConfig: A prefix is no path.
    """
    return _routes(
        Face.of(
            voice,
            pipeline=pipeline,
            authenticator=authenticator,
            prefixes=prefixes,
            options=options,
        )
    )


def voice_app(
    voice: SessionManager,
    *,
    pipeline: PipelineMaker | None = None,
    authenticator: Authenticator | None = None,
    prefixes: Sequence[str] = DEFAULT_PREFIXES,
    options: WebOptions | None = None,
) -> Starlette:
    """Return an application of the sessions alone, which opens *voice* while it runs.

    Args and errors as for `voice_routes`.
    """
    face = Face.of(
        voice,
        pipeline=pipeline,
        authenticator=authenticator,
        prefixes=prefixes,
        options=options,
    )
    app = Starlette(
        routes=_routes(face),
        lifespan=voice.lifespan,
        exception_handlers={HTTPException: _refusal(face.gate)},
    )
    app.router.redirect_slashes = False
    return app


def _routes(face: Face) -> list[BaseRoute]:
    return [*_socket_routes(face), *_http_routes(face)]


def _socket_routes(face: Face) -> list[WebSocketRoute]:
    return [
        WebSocketRoute(path, _SocketEndpoint(face.voice, serve))
        for path, serve in socket_servers(face).items()
    ]


@frozen
class _SocketEndpoint:
    """A path of ours for WebSockets, as an application: each frame is passed on as it came."""

    voice: SessionManager
    serve: SocketServer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.serve(Wire(scope, receive, send), self.voice, None)


def _http_routes(face: Face) -> list[StarletteRoute]:
    return [
        StarletteRoute(
            mounted.path,
            _Endpoint(face, mounted),
            methods=list(mounted.route.methods),
            name=mounted.route.name,
            include_in_schema=mounted.is_documented,
        )
        for mounted in face.mounted()
    ]


@frozen
class _Endpoint:
    """A route of ours, as an application: nothing of what Starlette puts around a function."""

    face: Face
    mounted: Mounted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        gate, route = self.face.gate, self.mounted.route
        received = StarletteRequest(scope, receive)
        request = request_of(received, gate.options, mount=self.mounted.prefix)
        try:
            principal = await gate.principal_of(request) if route.permissions else None
        except Exception as error:  # noqa: BLE001  # whatever it is, the caller gets an answer
            answer = gate.refuse(error, what=route.name)
        else:
            body = body_of(received)
            answer = await gate.serve(route, request, body, self.face.voice, principal)
        response = await response_of(answer, gate.options, method=request.method)
        await response(scope, receive, send)


def _refusal(gate: Gate) -> Callable[[StarletteRequest, Exception], Awaitable[Response]]:
    """What is at no address of ours, told as everything else is."""

    async def handle(received: StarletteRequest, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else None
        told: VoiceSessionError = NotFound("there is nothing at this address")
        if status == _METHOD_NOT_ALLOWED:
            told = MethodNotAllowed(f"{received.method} is not for this address")
        answer = gate.refuse(told)
        response = await response_of(answer, gate.options, method=received.method)
        if isinstance(error, HTTPException) and error.headers:
            response.headers.update(error.headers)
        return response

    return handle
