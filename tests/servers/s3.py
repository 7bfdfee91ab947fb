"""S3 servers on this machine: moto, which is fast, and OpenStack Swift, which is strict."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession
from attrs import frozen
from moto.server import ThreadedMotoServer

__all__ = ("CREDENTIALS", "S3Server", "running_moto", "running_swift")

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test:tester", "AWS_SECRET_ACCESS_KEY": "testing"}
"""For the environment; both servers take them."""

_PROGRAM = Path(__file__).parent / "swift_program.py"


@frozen
class S3Server:
    """A server that is up.

    Attributes:
        is_strict: Whether it checks signatures and the hash of what arrives.
    """

    name: str
    host: str
    port: int
    is_strict: bool

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @asynccontextmanager
    async def client(self, url: str | None = None) -> AsyncGenerator[Any]:
        """Yield a client of this server, by way of *url* if one is given."""
        key, secret = CREDENTIALS.values()
        config = AioConfig(signature_version="s3v4", retries={"total_max_attempts": 1})
        async with _session().create_client(
            "s3",
            endpoint_url=url or self.url,
            region_name="us-east-1",
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            config=config,
        ) as client:
            yield client


@cache
def _session() -> Any:
    """One for all clients: what there is to know of S3 takes a while to read."""
    return AioSession()


@contextmanager
def running_moto() -> Generator[S3Server]:
    """Run moto in a thread of this process."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        yield S3Server("moto", *server.get_host_and_port(), is_strict=False)
    finally:
        server.stop()


@contextmanager
def running_swift(folder: Path) -> Generator[S3Server]:
    """Run Swift as a process that keeps everything under *folder*, which is made."""
    folder.mkdir(parents=True)
    program = subprocess.Popen(
        [sys.executable, "-W", "ignore", str(_PROGRAM), str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with program:
        assert program.stdin is not None
        assert program.stdout is not None
        try:
            # Fails, with what the program said to stderr above, if it did not come up.
            port = int(program.stdout.readline())
            yield S3Server("swift", "127.0.0.1", port, is_strict=True)
        finally:
            program.stdin.close()
            program.wait(30)
