"""The files of the browser's module as routes: for Starlette, and for FastAPI, whose are the same."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ...core.errors import InvalidConfig

__all__ = ("browser_routes",)

_MEDIA_TYPE: Final = "text/javascript; charset=utf-8"
_HEADERS: Final = {"cache-control": "no-cache", "x-content-type-options": "nosniff"}


def browser_routes(path: str = "/voicesession") -> list[Route]:
    """Return a route for each file of the module; the page imports ``{path}/voicesession.js``.

    The files are the same for everybody, and open to everybody.

    Raises:
        InvalidConfig: *path* is none.
    """
    if not path.startswith("/"):
        raise InvalidConfig("path", path, "a path such as /voicesession")
    folder = files(__name__.rpartition(".")[0]) / "static"
    return [
        _route(f"{path.rstrip('/')}/{file.name}", file.read_bytes())
        for file in sorted(folder.iterdir(), key=lambda file: file.name)
        if file.name.endswith(".js")
    ]


def _route(path: str, content: bytes) -> Route:
    headers = {**_HEADERS, "etag": f'"{hashlib.sha256(content).hexdigest()[:32]}"'}

    async def serve(request: Request) -> Response:
        if headers["etag"] in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(content, headers=headers, media_type=_MEDIA_TYPE)

    return Route(path, serve, methods=["GET"])
