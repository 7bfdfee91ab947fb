"""The files for browsers as routes: for Starlette, and for FastAPI, whose are the same."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import PurePath
from types import MappingProxyType
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ...core.errors import InvalidConfig

__all__ = ("browser_routes", "page_routes")

_MODULE_AT: Final = "/voicesession"
_MEDIA_TYPES: Final = MappingProxyType(
    {
        ".css": "text/css; charset=utf-8",
        ".html": "text/html; charset=utf-8",
        ".js": "text/javascript; charset=utf-8",
    }
)
_HEADERS: Final = MappingProxyType(
    {
        # Their names say nothing of their version: they are kept, and asked for again each time.
        "cache-control": "no-cache",
        "cross-origin-resource-policy": "same-origin",
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
    }
)
_PAGE_HEADERS: Final = MappingProxyType(
    {
        # 'self' is also the WebSocket beside the page; nothing is in line, nothing from elsewhere.
        "content-security-policy": "default-src 'none'; connect-src 'self'; img-src data:; "
        "script-src 'self'; style-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'",
        "cross-origin-opener-policy": "same-origin",
        "permissions-policy": "microphone=(self)",
    }
)


def browser_routes(path: str = _MODULE_AT) -> list[Route]:
    """Return a route for each file of the module; the page imports ``{path}/voicesession.js``.

    The files are the same for everybody, and open to everybody.

    Raises:
        InvalidConfig: *path* is none.
    """
    if not path.startswith("/"):
        raise InvalidConfig("path", path, "a path such as /voicesession")
    return [_route(f"{path.rstrip('/')}/{file.name}", file) for file in _files("static")]


def page_routes() -> list[Route]:
    """Return the routes of a page to talk from: ``/``, and its parts beside the module.

    It expects `browser_routes` at their usual path, sessions at ``/v1/sessions``, and to be let
    in without an account: it is there to try a server on this machine.
    """
    return [
        _route("/", file, _PAGE_HEADERS)
        if file.name == "index.html"
        else _route(f"{_MODULE_AT}/{file.name}", file)
        for file in _files("page")
    ]


def _files(folder: str) -> Iterator[Traversable]:
    place = files(__name__.rpartition(".")[0]) / folder
    for file in sorted(place.iterdir(), key=lambda file: file.name):
        if PurePath(file.name).suffix in _MEDIA_TYPES:
            yield file


def _route(path: str, file: Traversable, more: Mapping[str, str] = MappingProxyType({})) -> Route:
    content = file.read_bytes()
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {**_HEADERS, **more, "etag": etag}
    media_type = _MEDIA_TYPES[PurePath(file.name).suffix]

    async def serve(request: Request) -> Response:
        if etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(content, headers=headers, media_type=media_type)

    return Route(path, serve, methods=["GET"])
