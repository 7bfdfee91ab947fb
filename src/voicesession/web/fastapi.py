"""
The sessions as a router of FastAPI, with everything in the OpenAPI document.

>>> voice = voicesession.open("sqlite:///voice.db", recordings="./recordings")
>>> app = FastAPI(lifespan=voice.lifespan)
>>> app.include_router(voice_router(voice, pipeline=make_pipeline))

`get_voice` and `get_principal` are dependencies: ``app.dependency_overrides`` replaces them,
for calls and for WebSockets.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from typing import Annotated, Any, Final, NamedTuple, cast

try:
    from fastapi import APIRouter, Depends, Request, Response, Security, WebSocket
    from fastapi.responses import JSONResponse
    from fastapi.routing import APIRoute
    from fastapi.security import APIKeyHeader, HTTPBearer
    from starlette.requests import HTTPConnection
    from starlette.routing import Match
    from starlette.types import Scope
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f'FastAPI needs {error.name}: pip install "voicesession[fastapi]"', name=error.name
    ) from error

from ..core.errors import VoiceSessionError
from ..runtime.manager import SessionManager
from .call import Request as Received
from .exchange import body_of, request_of, response_of
from .face import DEFAULT_PREFIXES, Face, Mounted, PipelineMaker
from .operations import operation_of, responses_of
from .options import WebOptions
from .principal import Authenticator, Principal
from .routing import Route
from .socket.mounting import SocketServer, Wire, socket_servers

__all__ = ("get_principal", "get_voice", "voice_router")

_RECEIVED: Final = "voicesession.received"

_bearer = HTTPBearer(auto_error=False, scheme_name="token", description="A token, or an API key.")
_api_key = APIKeyHeader(name="X-API-Key", auto_error=False, scheme_name="api_key")


def voice_router(
    voice: SessionManager,
    *,
    pipeline: PipelineMaker | None = None,
    authenticator: Authenticator | None = None,
    prefixes: Sequence[str] = DEFAULT_PREFIXES,
    options: WebOptions | None = None,
) -> APIRouter:
    """Return the router, for an application of yours; open *voice* while it runs.

    Args:
        voice: Not opened or closed here: ``FastAPI(lifespan=voice.lifespan)``.
        pipeline: Makes the engines and the agent of a conversation.
        authenticator: Without one, everybody on this machine may do everything, and nobody
            else may do anything.
        prefixes: Where the sessions are; only what stands behind the first is documented.
        options: What else you may settle.

    Raises:
        InvalidConfig: A prefix is no path.
    """
    face = Face.of(
        voice,
        pipeline=pipeline,
        authenticator=authenticator,
        prefixes=prefixes,
        options=options,
    )
    router = APIRouter()
    kinds = {mounted.prefix: _route_classes(face, mounted.prefix) for mounted in face.mounted()}
    for mounted in face.mounted():
        _add_plain(router, face, mounted, kinds[mounted.prefix].plain)
    for mounted in face.mounted():
        _add_documented(router, face, mounted, kinds[mounted.prefix].documented)
    for path, serve in socket_servers(face).items():
        _add_socket(router, face, path, serve)
    return router


class _Fault(Exception):
    """An authenticator of the host's has failed; of a dependency's errors the app decides."""

    def __init__(self, error: Exception) -> None:
        super().__init__(error)
        self.error = error


async def get_voice(connection: HTTPConnection) -> SessionManager:
    """The sessions that the router was made for."""
    return _face(connection).voice


async def get_principal(
    connection: HTTPConnection,
    _token: Annotated[object, Security(_bearer)] = None,
    _key: Annotated[object, Security(_api_key)] = None,
) -> Principal | None:
    """Who calls; None of a WebSocket.

    Who comes in there is asked when it is open: a browser is told nothing of why a handshake was
    refused, and one who comes back shows its token only then. What replaces this may know it
    before, and shuts the door by raising; it leaves the rest to us by returning None.

    Raises:
        Unauthenticated: Nobody is known by these credentials.
    """
    face = _face(connection)
    if connection.scope["type"] == "websocket":
        return None
    try:
        return await face.gate.principal_of(_received(connection))
    except VoiceSessionError:
        raise
    except Exception as error:  # noqa: BLE001  # what a framework tells of it may be a secret
        raise _Fault(error) from None


def _face(connection: HTTPConnection) -> Face:
    endpoint = getattr(connection.scope["endpoint"], "__self__", None)
    if not isinstance(endpoint, _Endpoint):
        raise RuntimeError("get_voice and get_principal are for the routes of voice_router")  # noqa: TRY004  # a wrong use, not a wrong type
    return endpoint.face


def _received(connection: HTTPConnection) -> Received:
    return cast("Received", connection.scope[_RECEIVED])


class _RouteClasses(NamedTuple):
    """Each route is there twice, of either class.

    FastAPI solves the dependencies of a route anew with every call, which costs about as much
    as everything that we do in front of the sessions. So one of the two has none of ours, and
    calls them by itself; it stands aside as soon as the application replaces any. What a host
    asks for besides is asked for by both.
    """

    plain: type[APIRoute]
    documented: type[APIRoute]


def _route_classes(face: Face, mount: str) -> _RouteClasses:
    class VoiceRoute(APIRoute):
        """Tells as a problem what a dependency refuses."""

        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handle = super().get_route_handler()

            async def told(request: Request) -> Response:
                request.scope[_RECEIVED] = request_of(request, face.gate.options, mount=mount)
                try:
                    return await handle(request)
                except (VoiceSessionError, _Fault) as refusal:
                    error = refusal.error if isinstance(refusal, _Fault) else refusal
                    answer = face.gate.refuse(error, what=self.name)
                    return await response_of(answer, face.gate.options, method=request.method)

            return told

    class PlainRoute(VoiceRoute):
        def matches(self, scope: Scope) -> tuple[Match, Scope]:
            if getattr(scope.get("app"), "dependency_overrides", None):
                return Match.NONE, {}
            return super().matches(scope)

    return _RouteClasses(plain=PlainRoute, documented=VoiceRoute)


def _methods(route: Route) -> tuple[str, ...]:
    """The first one is documented. What may be read may be asked about, as Starlette has it."""
    return (*route.methods, "HEAD") if "GET" in route.methods else route.methods


def _add_plain(router: APIRouter, face: Face, mounted: Mounted, kind: type[APIRoute]) -> None:
    router.add_api_route(
        mounted.path,
        _Calls(face, mounted.route).plain,
        methods=list(_methods(mounted.route)),
        name=mounted.route.name,
        include_in_schema=False,
        response_model=None,
        route_class_override=kind,
    )


def _add_documented(router: APIRouter, face: Face, mounted: Mounted, kind: type[APIRoute]) -> None:
    route = mounted.route
    calls = _Calls(face, route)
    is_shown = mounted.is_documented
    responses = responses_of(route) if is_shown else None
    operation = operation_of(route) if is_shown else None
    for method in _methods(route):
        router.add_api_route(
            mounted.path,
            calls.known if route.permissions else calls.anybody,
            methods=[method],
            name=route.name,
            operation_id=route.name,
            summary=route.summary,
            description=route.description,
            tags=[route.tag],
            status_code=route.status,
            response_class=Response if route.answer is None else JSONResponse,
            include_in_schema=is_shown and method == route.methods[0],
            response_model=route.answer if is_shown else None,
            responses=responses,
            openapi_extra=operation,
            route_class_override=kind,
        )


def _add_socket(router: APIRouter, face: Face, path: str, serve: SocketServer) -> None:
    sockets = _Sockets(face, serve)
    router.add_api_websocket_route(path, sockets.stream, dependencies=[Depends(sockets.told)])


class _Endpoint:
    """What FastAPI calls are methods of it, by which a dependency finds the face."""

    def __init__(self, face: Face) -> None:
        self.face = face


class _Calls(_Endpoint):
    """Answers the calls of a route."""

    def __init__(self, face: Face, route: Route) -> None:
        super().__init__(face)
        self._route = route

    async def plain(self, request: Request) -> Response:
        principal = await get_principal(request) if self._route.permissions else None
        return await self._answer(request, self.face.voice, principal)

    async def known(
        self,
        request: Request,
        voice: Annotated[SessionManager, Depends(get_voice)],
        principal: Annotated[Principal, Depends(get_principal)],
    ) -> Response:
        return await self._answer(request, voice, principal)

    async def anybody(
        self, request: Request, voice: Annotated[SessionManager, Depends(get_voice)]
    ) -> Response:
        return await self._answer(request, voice, None)

    async def _answer(
        self, request: Request, voice: SessionManager, principal: Principal | None
    ) -> Response:
        gate, received = self.face.gate, _received(request)
        answer = await gate.serve(self._route, received, body_of(request), voice, principal)
        return await response_of(answer, gate.options, method=received.method)


class _Sockets(_Endpoint):
    """Serves the WebSockets of a path."""

    def __init__(self, face: Face, serve: SocketServer) -> None:
        super().__init__(face)
        self._serve = serve

    async def told(self, websocket: WebSocket) -> AsyncGenerator[None]:
        """Tell as a problem what a dependency refuses."""
        try:
            yield
        except VoiceSessionError as refusal:
            gate = self.face.gate
            answer = gate.refuse(refusal, what="a WebSocket")
            response = await response_of(answer, gate.options, method="GET")
            await websocket.send_denial_response(response)

    async def stream(
        self,
        websocket: WebSocket,
        voice: Annotated[SessionManager, Depends(get_voice)],
        principal: Annotated[Principal | None, Depends(get_principal)],
    ) -> None:
        wire = Wire(websocket.scope, websocket.receive, websocket.send)
        await self._serve(wire, voice, principal)
