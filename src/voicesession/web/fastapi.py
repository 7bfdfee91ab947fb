"""
The sessions as a router of FastAPI, with everything in the OpenAPI document.

>>> voice = voicesession.open("sqlite:///voice.db", recordings="./recordings")
>>> app = FastAPI(lifespan=voice.lifespan)
>>> app.include_router(voice_router(voice, pipeline=make_pipeline))

`get_voice` and `get_principal` are dependencies: ``app.dependency_overrides`` replaces them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Annotated, Any, Final, NamedTuple, cast

try:
    from fastapi import APIRouter, Depends, Request, Response, Security
    from fastapi.responses import JSONResponse
    from fastapi.routing import APIRoute
    from fastapi.security import APIKeyHeader, HTTPBearer
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
from .socket.mounting import socket_routes

__all__ = ("get_principal", "get_voice", "voice_router")

_FACE: Final = "voicesession.face"
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
    router.routes.extend(socket_routes(face))
    return router


class _Fault(Exception):
    """An authenticator of the host's has failed; of a dependency's errors the app decides."""

    def __init__(self, error: Exception) -> None:
        super().__init__(error)
        self.error = error


async def get_voice(request: Request) -> SessionManager:
    """The sessions that the router was made for."""
    return _face(request).voice


async def get_principal(
    request: Request,
    _token: Annotated[object, Security(_bearer)] = None,
    _key: Annotated[object, Security(_api_key)] = None,
) -> Principal:
    """Who calls.

    Raises:
        Unauthenticated: Nobody is known by these credentials.
    """
    try:
        return await _face(request).gate.principal_of(_received(request))
    except VoiceSessionError:
        raise
    except Exception as error:  # noqa: BLE001  # what a framework tells of it may be a secret
        raise _Fault(error) from None


def _face(request: Request) -> Face:
    return cast("Face", request.scope[_FACE])


def _received(request: Request) -> Received:
    return cast("Received", request.scope[_RECEIVED])


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
        """Knows its face, and tells as a problem what a dependency refuses."""

        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handle = super().get_route_handler()

            async def told(request: Request) -> Response:
                request.scope[_FACE] = face
                request.scope[_RECEIVED] = request_of(request, face.gate.options, mount=mount)
                try:
                    return await handle(request)
                except (VoiceSessionError, _Fault) as refusal:
                    error = refusal.error if isinstance(refusal, _Fault) else refusal
                    answer = face.gate.refuse(error, what=self.name)
                    return await response_of(answer, method=request.method)

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
    answer, route = _answering(face, mounted), mounted.route

    async def endpoint(request: Request) -> Response:
        principal = await get_principal(request) if route.permissions else None
        return await answer(request, await get_voice(request), principal)

    router.add_api_route(
        mounted.path,
        endpoint,
        methods=list(_methods(route)),
        name=route.name,
        include_in_schema=False,
        response_model=None,
        route_class_override=kind,
    )


def _add_documented(router: APIRouter, face: Face, mounted: Mounted, kind: type[APIRoute]) -> None:
    route = mounted.route
    is_shown = mounted.is_documented
    responses = responses_of(route) if is_shown else None
    operation = operation_of(route) if is_shown else None
    for method in _methods(route):
        router.add_api_route(
            mounted.path,
            _endpoint(face, mounted),
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


def _endpoint(face: Face, mounted: Mounted) -> Callable[..., Coroutine[Any, Any, Response]]:
    answer = _answering(face, mounted)

    async def known(
        request: Request,
        voice: Annotated[SessionManager, Depends(get_voice)],
        principal: Annotated[Principal, Depends(get_principal)],
    ) -> Response:
        return await answer(request, voice, principal)

    async def anybody(
        request: Request, voice: Annotated[SessionManager, Depends(get_voice)]
    ) -> Response:
        return await answer(request, voice, None)

    return known if mounted.route.permissions else anybody


def _answering(
    face: Face, mounted: Mounted
) -> Callable[[Request, SessionManager, Principal | None], Awaitable[Response]]:
    gate, route = face.gate, mounted.route

    async def answer(
        request: Request, voice: SessionManager, principal: Principal | None
    ) -> Response:
        received = _received(request)
        told = await gate.serve(route, received, body_of(request), voice, principal)
        return await response_of(told, method=received.method)

    return answer
