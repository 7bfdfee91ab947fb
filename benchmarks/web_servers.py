"""
The servers that ``web.py`` measures: bare ones, and ours beside them.

    python benchmarks/web_servers.py NAME

serves one on a free port, which it prints; for each line that it is sent it prints the CPU
seconds that it has taken so far.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any, Final

import uvicorn
from attrs import evolve
from fastapi import APIRouter, FastAPI, Request, Response
from runtime_engines import FRAME, HURRIED, INSTANT, NULL, InstantTextToSpeech
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from voicesession import AdmissionPolicy, LifePolicy, SessionConfig, SessionManager
from voicesession.runtime.services import Services
from voicesession.stores.memory import MemoryStorage
from voicesession.web.fastapi import voice_router
from voicesession.web.options import WebOptions
from voicesession.web.starlette import voice_app

READY: Final = '{"type":"session.begin"}'
REPLY_FRAMES: Final = 100
"""As many as the answer of `PIPELINE` has."""
FRAME_S: Final = 0.02
ANSWER_BYTES: Final = 1_800
"""About as many as the record of a new session has."""


PIPELINE: Final = evolve(NULL, tts=InstantTextToSpeech())
"""Answers with two sentences, a second of voice each."""

UNHURRIED: Final = WebOptions(rate=None)

HURRIED_FLOOR: Final = evolve(UNHURRIED, config=lambda _session: SessionConfig(floor=HURRIED))
"""Lets the floor decide everything at once: what is left is the way there."""


def manager() -> SessionManager:
    """Sessions in memory, with no end of them, that wait longer than anything here takes."""
    return SessionManager(
        Services(
            storage=MemoryStorage(),
            worker_id="bench",
            admission=AdmissionPolicy(per_user=None),
            life=LifePolicy(connect_window=timedelta(hours=1)),
        )
    )


# --- bare -------------------------------------------------------------------------------------


async def raw(_scope: Scope, receive: Receive, send: Send) -> None:
    """Read the body of a call and answer it, with no framework at all."""
    while (await receive()).get("more_body"):
        pass
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(ANSWER_BYTES).encode()),
    ]
    await send({"type": "http.response.start", "status": 201, "headers": headers})
    await send({"type": "http.response.body", "body": b"x" * ANSWER_BYTES})


def bare_fastapi(_voice: SessionManager) -> FastAPI:
    """The same by a route of FastAPI that asks for nothing: what the framework costs alone."""

    async def answer(request: Request) -> Response:
        await request.body()
        return Response(b"x" * ANSWER_BYTES, 201, media_type="application/json")

    app, router = FastAPI(), APIRouter()
    router.add_api_route("/v1/sessions", answer, methods=["POST"], response_model=None)
    app.include_router(router)
    return app


async def listen(websocket: WebSocket) -> None:
    """Take audio and forget it; answer a text with two seconds of voice."""
    await websocket.accept()
    await websocket.send_text(READY)
    speaking: set[asyncio.Task[None]] = set()
    while (message := await websocket.receive())["type"] != "websocket.disconnect":
        if message.get("text") is not None:
            speaking.add(task := asyncio.create_task(speak(websocket)))
            task.add_done_callback(speaking.discard)


async def speak(websocket: WebSocket) -> None:
    begin = time.perf_counter()
    for number in range(REPLY_FRAMES):
        await asyncio.sleep(begin + number * FRAME_S - time.perf_counter())
        await websocket.send_bytes(FRAME)


def bare(_voice: SessionManager) -> Starlette:
    return Starlette(routes=[WebSocketRoute("/", listen)])


def by_hand(voice: SessionManager) -> Starlette:
    """The loop that a host would write around a live session: what the runtime costs alone."""

    async def converse(websocket: WebSocket) -> None:
        await websocket.accept()
        session = await voice.create()
        async with voice.converse(session.id, PIPELINE) as call:
            await websocket.send_text(READY)
            while (message := await websocket.receive())["type"] != "websocket.disconnect":
                await call.process_audio(message["bytes"])

    return Starlette(routes=[WebSocketRoute("/", converse)])


# --- ours -------------------------------------------------------------------------------------


def starlette(voice: SessionManager) -> Starlette:
    return voice_app(voice, pipeline=lambda _session: PIPELINE, options=UNHURRIED)


def hurried(voice: SessionManager) -> Starlette:
    return voice_app(voice, pipeline=lambda _session: INSTANT, options=HURRIED_FLOOR)


def fastapi(voice: SessionManager) -> FastAPI:
    app = FastAPI()
    app.include_router(voice_router(voice, options=UNHURRIED))
    return app


SERVERS: Final[dict[str, Callable[[SessionManager], ASGIApp]]] = {
    "raw": lambda _voice: raw,
    "bare_fastapi": bare_fastapi,
    "bare": bare,
    "by_hand": by_hand,
    "starlette": starlette,
    "fastapi": fastapi,
    "hurried": hurried,
}


def report() -> None:
    """Say how much CPU was used, whenever it is asked for."""
    for _ in sys.stdin:
        print(time.process_time(), flush=True)


async def serve(name: str) -> None:
    async with AsyncExitStack() as stack:
        voice = await stack.enter_async_context(manager())
        settings: dict[str, Any] = {
            "ws": "websockets-sansio",
            "ws_per_message_deflate": False,
            "ws_ping_interval": None,
            "lifespan": "off",
            "log_level": "error",
        }
        server = uvicorn.Server(uvicorn.Config(SERVERS[name](voice), port=0, **settings))
        serving = asyncio.create_task(server.serve())
        while not server.started:  # noqa: ASYNC110  # it tells nobody when it is
            await asyncio.sleep(0.01)
        gc.collect()
        gc.freeze()  # as `voicesession serve` does: each look at what stays for good is a pause
        print(server.servers[0].sockets[0].getsockname()[1], flush=True)
        threading.Thread(target=report, daemon=True).start()
        await serving


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))
