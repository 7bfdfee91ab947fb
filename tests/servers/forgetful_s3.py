"""An S3 server that forgets an upload once it is complete, as some do, and AWS after a while."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from aiohttp import web

__all__ = ("ForgetfulS3", "running_forgetful_s3")

_BEGUN = """<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>"""
_GONE = "<Error><Code>NoSuchUpload</Code></Error>"


class ForgetfulS3:
    """Takes one upload and keeps its answers to its completion to itself.

    Attributes:
        loses_object: Whether the completion does not even happen.
        requests: What was asked, in order.
    """

    def __init__(self, *, loses_object: bool) -> None:
        self.loses_object = loses_object
        self.requests: list[str] = []
        self._hashes = b""
        self._etag = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        asked = f"{request.method} {' '.join(sorted(request.query))}".strip()
        self.requests.append(asked)
        match asked:
            case "POST uploads":
                return web.Response(text=_BEGUN)
            case "PUT partNumber uploadId":
                part = hashlib.md5(await request.read(), usedforsecurity=False)
                self._hashes += part.digest()
                return web.Response(headers={"ETag": f'"{part.hexdigest()}"'})
            case "POST uploadId" if not self._etag:
                whole = hashlib.md5(self._hashes, usedforsecurity=False).hexdigest()
                self._etag = "other" if self.loses_object else f"{whole}-{len(self._hashes) // 16}"
                assert request.transport is not None
                request.transport.abort()
                return web.Response()
            case "HEAD":
                return web.Response(headers={"ETag": f'"{self._etag}"'})
            case _:
                return web.Response(status=404, text=_GONE)


@asynccontextmanager
async def running_forgetful_s3(server: ForgetfulS3) -> AsyncGenerator[str]:
    """Run *server* on this machine; yield its URL."""
    application = web.Application(client_max_size=64 * 1024 * 1024)
    application.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()
