"""
What it costs to keep an object in S3: CPU of ``put_pieces``, beside the bare client.

The bare client sends the same bytes by ``upload_part``, in parts of the same size, and
completes the upload: no retries of ours, no deadline, no gathering of pieces. The server is
a process of its own that reads what it is sent and keeps nothing, so it costs us no CPU.
Runs alternate (A B A B …), and the least of each counts.

    python benchmarks/s3.py --mib 64
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, NoReturn

import anyio
from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession
from attrs import asdict, frozen

from voicesession.core.segments import MIN_PART_BYTES, plan_parts
from voicesession.recording.s3 import S3ObjectStore

BUCKET, KEY = "recordings", "sessions/sess_1/audio.wav"
PIECE_BYTES = 64 * 1024
MIB = 1024 * 1024
Put = Callable[[bytes], Awaitable[object]]


@frozen
class Result:
    name: str
    mib: int
    cpu_ms: float
    cpu_ms_a_mib: float
    times_the_bare_client: float


def main() -> None:
    options = _options()
    if options.serve:
        _serve()
    os.environ |= {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
    with _server() as url:
        results = anyio.run(_measure, options, url)
    if options.json:
        print(json.dumps({"results": [asdict(result) for result in results]}))
        return
    print(f"{options.mib} MiB in parts of {MIN_PART_BYTES // MIB} MiB, best of {options.rounds}")
    print(f"{'':42}{'CPU ms':>10}{'ms a MiB':>10}{'x bare':>8}")
    for result in results:
        print(
            f"{result.name:42}{result.cpu_ms:>10.1f}{result.cpu_ms_a_mib:>10.2f}"
            f"{result.times_the_bare_client:>8.2f}"
        )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="CPU of an upload to S3")
    parser.add_argument("--mib", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


async def _measure(options: argparse.Namespace, url: str) -> list[Result]:
    data = os.urandom(options.mib * MIB)
    async with _client(url) as client:
        store = S3ObjectStore(BUCKET, client=client)
        ways: dict[str, Put] = {
            "aiobotocore, upload_part": lambda data: _bare(client, data),
            "S3ObjectStore.put_pieces, of 64 KiB": lambda data: store.put_pieces(KEY, _cut(data)),
            "S3ObjectStore.put": lambda data: store.put(KEY, data),
        }
        least_s = dict.fromkeys(ways, float("inf"))
        for put in ways.values():
            await put(data[: MIN_PART_BYTES + 1])  # connections and caches are warm
        for _ in range(options.rounds):
            for name, put in ways.items():
                began_s = time.process_time()
                await put(data)
                least_s[name] = min(least_s[name], time.process_time() - began_s)
    bare_s = next(iter(least_s.values()))
    return [
        Result(name, options.mib, cpu_s * 1e3, cpu_s * 1e3 / options.mib, cpu_s / bare_s)
        for name, cpu_s in least_s.items()
    ]


async def _bare(client: Any, data: bytes) -> None:
    place = {"Bucket": BUCKET, "Key": KEY}
    upload_id = (await client.create_multipart_upload(**place))["UploadId"]
    parts: list[dict[str, Any]] = []
    for number, part in enumerate(plan_parts(len(data)), 1):
        body = data[part.start : part.stop]
        sent = await client.upload_part(**place, UploadId=upload_id, PartNumber=number, Body=body)
        parts.append({"PartNumber": number, "ETag": sent["ETag"]})
    await client.complete_multipart_upload(
        **place, UploadId=upload_id, MultipartUpload={"Parts": parts}
    )


def _cut(data: bytes) -> Iterator[bytes]:
    return (data[start : start + PIECE_BYTES] for start in range(0, len(data), PIECE_BYTES))


@asynccontextmanager
async def _client(url: str) -> AsyncGenerator[Any]:
    session: Any = AioSession()
    config = AioConfig(request_checksum_calculation="when_required")
    async with session.create_client(
        "s3", endpoint_url=url, region_name="us-east-1", config=config
    ) as client:
        yield client


# --- the server -------------------------------------------------------------------------------


@contextmanager
def _server() -> Generator[str]:
    program = [sys.executable, __file__, "--serve"]
    with subprocess.Popen(program, stdout=subprocess.PIPE) as server:  # noqa: S603 - it is this one
        assert server.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(server.stdout.readline())}"
        finally:
            server.terminate()


def _serve() -> NoReturn:
    listening = socket.create_server(("127.0.0.1", 0))
    print(listening.getsockname()[1], flush=True)
    while True:
        connection, _ = listening.accept()
        with connection, connection.makefile("rb") as requests:
            while line := requests.readline():
                _answer(connection, requests, line)


def _answer(connection: socket.socket, requests: Any, line: bytes) -> None:
    size_bytes = 0
    while (header := requests.readline().lower()) not in (b"\r\n", b""):
        name, _, value = header.partition(b":")
        if name == b"content-length":
            size_bytes = int(value)
        if name == b"expect":
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    while size_bytes:
        size_bytes -= len(requests.read(min(size_bytes, MIB)))
    answer = b"<Answer><UploadId>1</UploadId></Answer>" if line.startswith(b"POST") else b""
    head = f'HTTP/1.1 200 OK\r\nETag: "{"0" * 32}"\r\nContent-Length: {len(answer)}\r\n\r\n'
    connection.sendall(head.encode() + answer)


if __name__ == "__main__":
    main()
