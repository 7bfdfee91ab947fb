"""
What it costs to keep audio in S3, beside the bare client: CPU, and bytes that are sent.

The bare client sends the finished file by ``upload_part``, in parts of the same size, and
completes the upload: no retries of ours, no deadline, no gathering of pieces. A recording
sends it twice: as segments while it is made, at a checkpoint every 30 seconds of both
voices, and as the file at its end. What its spool costs comes first and is not counted;
``benchmarks/recorder.py`` measures that. All speak TLS, as with S3 itself; ``--plain`` leaves
that away, and then every body is hashed by SHA-256, ours as well as that of the bare client.
The server is a process of its own, so it costs us no CPU. Runs alternate (A B A B …): each
is compared with the bare one of its round, and the median counts; bytes are counted as the
client gives them to its connection.

    python benchmarks/s3.py --minutes 20
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any

import anyio
from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession
from attrs import asdict, frozen
from s3_server import Server, serving

from voicesession.core.audio import AudioFormat
from voicesession.core.segments import MIN_PART_BYTES
from voicesession.core.timeline import Track
from voicesession.core.wav import WAV_HEADER_BYTES
from voicesession.ports.recording import Recording
from voicesession.recording.recorder import SpoolRecorder
from voicesession.recording.s3 import S3ObjectStore
from voicesession.recording.shipping import Shipping
from voicesession.testing.clock import SteppedClock

BUCKET, KEY = "recordings", "bare/audio.wav"
PIECE_BYTES = 64 * 1024
MIB = 1024 * 1024
FORMAT = AudioFormat(sample_rate=16_000)
CHECKPOINT_S, CHUNK_US = 30, 20_000
CHUNK = os.urandom(FORMAT.bytes_at(CHUNK_US))
CHECKPOINT_BYTES = len(CHUNK) * len(Track) * (CHECKPOINT_S * 1_000_000 // CHUNK_US)


@frozen
class Cost:
    """What one run has taken of us."""

    cpu_s: float
    sent_bytes: int


@frozen
class Result:
    name: str
    mib: float
    cpu_ms: float
    cpu_ms_a_mib: float
    times_the_cpu: float
    times_the_bytes: float


class Meter:
    """Reads the CPU of this process, and what its clients have sent."""

    def __init__(self, *clients: Any) -> None:
        self._sent_bytes = 0
        for client in clients:
            client.meta.events.register("before-send.s3", self._count)

    @contextmanager
    def measured(self, costs: list[Cost]) -> Generator[None]:
        """Append to *costs* what is spent inside."""
        began_s, before_bytes = time.process_time(), self._sent_bytes
        yield
        costs.append(Cost(time.process_time() - began_s, self._sent_bytes - before_bytes))

    def _count(self, request: Any, **_: object) -> None:
        head = sum(
            len(name) + len(value) + len(": \r\n") for name, value in request.headers.items()
        )
        body = int(request.headers.get("Content-Length", 0))
        self._sent_bytes += len(f"{request.method} {request.url}\r\n\r\n") + head + body


class TellingStore(S3ObjectStore):
    """Says when a checkpoint's segments have arrived."""

    def begin(self) -> None:
        self._missing_bytes = CHECKPOINT_BYTES
        self.arrived = anyio.Event()

    async def put(self, key: str, data: bytes, /) -> str:
        uri = await super().put(key, data)
        if key.endswith(".s16"):
            self._missing_bytes -= len(data)
            if not self._missing_bytes:
                self.arrived.set()
        return uri


Run = Callable[[list[Cost]], Awaitable[None]]


def main() -> None:
    options = _options()
    os.environ |= {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
    with serving(tls=not options.plain) as server:
        results = anyio.run(_measure, options, server)
    if options.json:
        print(json.dumps({"results": [asdict(result) for result in results]}))
        return
    print(f"{options.minutes} minutes of both voices, {results[0].mib:.1f} MiB as one file,")
    print(f"in parts of {MIN_PART_BYTES // MIB} MiB; the median of {options.rounds} rounds")
    print(f"{'':44}{'CPU ms':>9}{'ms a MiB':>10}{'x CPU':>7}{'x bytes':>9}")
    for result in results:
        print(
            f"{result.name:44}{result.cpu_ms:>9.1f}{result.cpu_ms_a_mib:>10.2f}"
            f"{result.times_the_cpu:>7.2f}{result.times_the_bytes:>9.3f}"
        )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="CPU and bytes of audio kept in S3")
    parser.add_argument("--minutes", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--plain", action="store_true", help="without TLS")
    return parser.parse_args()


async def _measure(options: argparse.Namespace, server: Server) -> list[Result]:
    file_bytes = WAV_HEADER_BYTES + options.minutes * 60 // CHECKPOINT_S * CHECKPOINT_BYTES
    data = os.urandom(file_bytes)
    # A client as a store opens it for itself, but one that can be watched.
    async with _client(server) as client, _client(server, user_agent="voicesession") as ours:
        meter, store = Meter(client, ours), TellingStore(BUCKET, client=ours)

        async def bare(costs: list[Cost]) -> None:
            with meter.measured(costs):
                await _bare(client, data)

        async def pieces(costs: list[Cost]) -> None:
            with meter.measured(costs):
                await store.put_pieces(KEY, _cut(data))

        async def recording(costs: list[Cost]) -> None:
            await _record(store, meter, options.minutes, costs)

        ways: dict[str, Run] = {
            "aiobotocore, upload_part": bare,
            "S3ObjectStore.put_pieces, of 64 KiB": pieces,
            "a recording: segments and composition": recording,
        }
        return await _compared(ways, options.rounds, file_bytes)


async def _compared(ways: Mapping[str, Run], rounds: int, file_bytes: int) -> list[Result]:
    costs: dict[str, list[list[Cost]]] = {name: [] for name in ways}
    for _ in range(1 + rounds):
        for name, run in ways.items():
            spent: list[Cost] = []
            await run(spent)
            costs[name].append(spent)
    # In the first round connections and caches were cold.
    totals = {
        name: [
            Cost(sum(cost.cpu_s for cost in run), sum(cost.sent_bytes for cost in run))
            for run in runs[1:]
        ]
        for name, runs in costs.items()
    }
    bare, mib = next(iter(totals.values())), file_bytes / MIB
    results: list[Result] = []
    for name, ours in totals.items():
        cpu_ms = median(cost.cpu_s for cost in ours) * 1e3
        both = tuple(zip(ours, bare, strict=True))
        results.append(
            Result(
                name=name,
                mib=mib,
                cpu_ms=cpu_ms,
                cpu_ms_a_mib=cpu_ms / mib,
                times_the_cpu=median(one.cpu_s / other.cpu_s for one, other in both),
                times_the_bytes=median(one.sent_bytes / other.sent_bytes for one, other in both),
            )
        )
    return results


# --- what is compared -------------------------------------------------------------------------


async def _bare(client: Any, data: bytes) -> None:
    place = {"Bucket": BUCKET, "Key": KEY}
    upload_id = (await client.create_multipart_upload(**place))["UploadId"]
    parts: list[dict[str, Any]] = []
    for number, start in enumerate(range(0, len(data), MIN_PART_BYTES), 1):
        body = data[start : start + MIN_PART_BYTES]
        sent = await client.upload_part(**place, UploadId=upload_id, PartNumber=number, Body=body)
        parts.append({"PartNumber": number, "ETag": sent["ETag"]})
    await client.complete_multipart_upload(
        **place, UploadId=upload_id, MultipartUpload={"Parts": parts}
    )


def _cut(data: bytes) -> Iterator[bytes]:
    return (data[start : start + PIECE_BYTES] for start in range(0, len(data), PIECE_BYTES))


async def _record(store: TellingStore, meter: Meter, minutes: int, costs: list[Cost]) -> None:
    clock = SteppedClock(datetime(2026, 1, 1, tzinfo=UTC))
    with tempfile.TemporaryDirectory() as folder:
        recorder = SpoolRecorder(Path(folder), store, shipping=Shipping(clock=clock))
        async with anyio.create_task_group() as group:
            group.start_soon(recorder.run)
            recording = recorder.open("s1", FORMAT)
            ends_us = (number * CHECKPOINT_S * 1_000_000 for number in count(1))
            for _, end_us in zip(range(minutes * 60 // CHECKPOINT_S), ends_us, strict=False):
                await _fill_the_spool(recorder, recording, end_us)
                store.begin()
                with meter.measured(costs):
                    clock.advance(CHECKPOINT_S * 1_000_000)
                    await store.arrived.wait()
            with meter.measured(costs):
                await recording.close(minutes * 60 * 1_000_000)
            group.cancel_scope.cancel()
        await recorder.aclose()
    await store.delete("sessions/s1/audio.wav")


async def _fill_the_spool(recorder: SpoolRecorder, recording: Recording, end_us: int) -> None:
    for at_us in range(end_us - CHECKPOINT_S * 1_000_000, end_us, CHUNK_US):
        for track in Track:
            recording.write(track, at_us, CHUNK)
    while recorder.backlog.unshipped_bytes < CHECKPOINT_BYTES:  # noqa: ASYNC110  # a thread writes
        await anyio.sleep(0.01)


@asynccontextmanager
async def _client(server: Server, **config: str) -> AsyncGenerator[Any]:
    session: Any = AioSession()
    config = AioConfig(request_checksum_calculation="when_required", **config)
    async with session.create_client(
        "s3",
        endpoint_url=server.url,
        region_name="us-east-1",
        config=config,
        verify=server.certificate and str(server.certificate),
    ) as client:
        yield client


if __name__ == "__main__":
    main()
