"""``voicesession serve``: the whole session API on one port, by the settings of the environment."""

from __future__ import annotations

import gc
import ipaddress
import signal
import socket
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer
from attrs import frozen

from ..core.errors import InvalidConfig
from .failures import Debug, WrongUse, reported
from .metrics import metrics_of
from .settings import EnvFile, server_settings

if TYPE_CHECKING:
    from anyio.abc import TaskStatus

    from ..runtime.manager import SessionManager
    from ..schemas.settings import LiveKitSettings, Settings
    from .server import Server

__all__ = ("serve",)


@frozen
class _Place:
    """Where to listen, and how long live sessions have to end when we leave."""

    host: str
    port: int
    drain: timedelta


def serve(
    *,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0 takes any free one.")] = 8000,
    env_file: EnvFile = None,
    drain: Annotated[
        float, typer.Option(min=0, help="Seconds that live sessions have to end at a shutdown.")
    ] = 10,
    debug: Debug = False,
) -> None:
    """Serve sessions over HTTP and WebSocket, with the settings that .env.example lists.

    Without any it keeps sessions in ./voicesession.db and audio in ./recordings, speaks and
    understands offline, lets in callers of this machine alone, and has a page for them to talk
    from. The first signal to stop lets live sessions end, the second one does not wait.
    """
    with reported(debug=debug):
        settings, livekit = server_settings(env_file)
        import anyio

        from ..schemas.settings import AuthKind

        if settings.auth is AuthKind.NONE and not _is_loopback(host):
            raise InvalidConfig(
                "host", host, "127.0.0.1, or any address together with VOICESESSION_AUTH"
            )
        anyio.run(_serve, settings, livekit, _Place(host, port, timedelta(seconds=drain)))


async def _serve(settings: Settings, livekit: LiveKitSettings, place: _Place) -> None:
    from ..web.configured import configured_app
    from .engines import serving_pipeline
    from .server import server_of

    with closing(_bound(place)) as listener:
        async with serving_pipeline(settings) as pipeline:
            made = configured_app(
                settings,
                livekit,
                pipeline=lambda _: pipeline,
                port=listener.getsockname()[1],
                metrics=metrics_of(settings),
            )
            async with made.voice as voice:
                _set_apart_what_is_loaded()
                await _run(server_of(made.app), listener, voice, place.drain)


async def _run(
    server: Server, listener: socket.socket, voice: SessionManager, drain: timedelta
) -> None:
    """Serve until a signal; the first lets live sessions end, the second hands them over."""
    import anyio

    async def leave(within: timedelta) -> None:
        await voice.drain(within=within)
        server.should_exit = True

    async def obey(*, task_status: TaskStatus[None]) -> None:
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            task_status.started()
            within = drain
            async for _ in signals:
                tasks.start_soon(leave, within)
                within = timedelta()

    async with anyio.create_task_group() as tasks:
        await tasks.start(obey)
        listener.listen()
        print(f"listening on {_url(listener)}  (Ctrl-C stops)", flush=True)
        await server.serve(sockets=[listener])
        tasks.cancel_scope.cancel()


def _set_apart_what_is_loaded() -> None:
    """Have the garbage collector look no more at what stays for good: each look is a pause."""
    gc.collect()
    gc.freeze()


def _bound(place: _Place) -> socket.socket:
    family = socket.AF_INET6 if ":" in place.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((place.host, place.port))
    except OSError as error:
        listener.close()
        raise WrongUse(f"{place.host}:{place.port}: {error.strerror}") from error
    return listener


def _url(listener: socket.socket) -> str:
    host, port, *_ = listener.getsockname()
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
