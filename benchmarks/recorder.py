"""
What recording costs: CPU per 20 ms chunk, with many sessions at once, in real time.

Beside it the bare limit: the same chunks written to one unbuffered file per track, with
nothing that makes them durable, puts them at their place or bounds what waits. Chunks come
every 20 ms, as from the network, where most of the cost is that of waking up with cold
caches, for the bare file too; and a second's worth at once, which shows the work alone.

Where pipecat and livekit-agents are installed, what they do instead is measured as well, in
turn with ours: see ``recorder_peers.py``.

    python benchmarks/recorder.py --sessions 100 --seconds 10
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import resource
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import anyio
import recorder_peers
from attrs import asdict, frozen

from voicesession.core.audio import AudioFormat, Encoding
from voicesession.core.timeline import Track
from voicesession.recording.recorder import SpoolRecorder

CHUNK_US = 20_000
BURSTS = {"every 20 ms": 1, "a second at once": 50}
Take = Callable[[int, Track, int, bytes], object]


@frozen
class Result:
    name: str
    arrival: str
    chunks: int
    cpu_us_a_chunk: float


def main() -> None:
    options = _options()
    results: list[Result] = []
    for arrival in BURSTS:
        results.append(_bare_file(options, arrival))
        for encoding in (Encoding.PCM_S16LE, Encoding.MULAW):
            result = anyio.run(_recorder, options, encoding, arrival, backend=options.backend)
            results.append(result)
    results += _peers(options)
    kib = _memory(options)
    if options.json:
        rows = [asdict(result) for result in results]
        print(json.dumps({"results": rows, "kib_a_recording": kib}))
        return
    print(f"{options.sessions} sessions, {options.tracks} track(s), {options.rate} Hz")
    print(f"{'':30}{'chunks come':20}{'chunks':>8}{'CPU µs a chunk':>16}")
    for result in results:
        print(
            f"{result.name:30}{result.arrival:20}{result.chunks:>8}{result.cpu_us_a_chunk:>16.2f}"
        )
    print(f"memory of a recording, both voices, at its peak: {kib:.1f} KiB")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="CPU and memory of the recorder")
    parser.add_argument("--sessions", type=int, default=100)
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--tracks", type=int, choices=(1, 2), default=2)
    parser.add_argument("--rate", type=int, default=16_000)
    parser.add_argument("--backend", default="asyncio")
    parser.add_argument("--folder", type=Path, help="where to record; default: a temporary one")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def _cpu_of(
    options: argparse.Namespace, arrival: str, take: Take, chunk: dict[Track, bytes]
) -> tuple[int, float]:
    """Give every session its chunks in time; return how many, and the CPU each took."""
    tracks = tuple(Track)[: options.tracks]
    burst, ticks = BURSTS[arrival], options.seconds * 1_000_000 // CHUNK_US

    def run(take: Take) -> float:
        began_s, cpu_s = time.perf_counter(), time.process_time()
        for first in range(0, ticks, burst):
            for tick in range(first, first + burst):
                for session in range(options.sessions):
                    for track in tracks:
                        # A chunk of its own, as a socket gives.
                        take(session, track, tick * CHUNK_US, bytes(bytearray(chunk[track])))
            due_s = began_s + (first + burst) * CHUNK_US / 1e6
            time.sleep(max(0.0, due_s - time.perf_counter()))
        return time.process_time() - cpu_s

    idle_s = run(lambda _session, _track, _at_us, _pcm: None)
    chunks = ticks * options.sessions * len(tracks)
    return chunks, (run(take) - idle_s) / chunks * 1e6


def _chunks(audio_format: AudioFormat) -> dict[Track, bytes]:
    spoken = AudioFormat(sample_rate=audio_format.sample_rate)
    return {
        Track.USER: os.urandom(audio_format.bytes_at(CHUNK_US)),
        Track.AGENT: os.urandom(spoken.bytes_at(CHUNK_US)),
    }


def _bare_file(options: argparse.Namespace, arrival: str) -> Result:
    with tempfile.TemporaryDirectory(dir=options.folder) as folder, ExitStack() as stack:
        files = {
            (session, track): stack.enter_context(
                (Path(folder) / f"{session}-{track}").open("wb", buffering=0)
            )
            for session in range(options.sessions)
            for track in Track
        }

        def take(session: int, track: Track, _at_us: int, pcm: bytes) -> object:
            return files[session, track].write(pcm)

        chunk = _chunks(AudioFormat(sample_rate=options.rate))
        return Result("file.write, not durable", arrival, *_cpu_of(options, arrival, take, chunk))


async def _recorder(options: argparse.Namespace, encoding: Encoding, arrival: str) -> Result:
    audio_format = AudioFormat(encoding=encoding, sample_rate=options.rate)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        recorder = SpoolRecorder.at(Path(folder))
        recordings = [recorder.open(f"s{n}", audio_format) for n in range(options.sessions)]

        def take(session: int, track: Track, at_us: int, pcm: bytes) -> None:
            recordings[session].write(track, at_us, pcm)

        chunks, cpu_us = _cpu_of(options, arrival, take, _chunks(audio_format))
        for recording in recordings:
            recorded = await recording.close(options.seconds * 1_000_000)
            assert not recorded.problems
        await recorder.aclose()
        return Result(f"recorder, {encoding}", arrival, chunks, cpu_us)


def _peers(options: argparse.Namespace) -> list[Result]:
    results: list[Result] = []
    # A tenth of the sessions: all of them are more than a core can encode in time.
    few = max(1, options.sessions // 10)
    for peer, name, sessions in (
        (recorder_peers.pipecat, "pipecat, in memory", options.sessions),
        (recorder_peers.livekit, f"livekit, Opus, {few} sessions", few),
    ):
        try:
            chunks, cpu_us = peer(sessions, options.seconds, options.rate)
        except ImportError as missing:
            print(f"{name}: not measured, {missing}", file=sys.stderr)
        else:
            results.append(Result(name, "every 20 ms", chunks, cpu_us))
    return results


def _memory(options: argparse.Namespace) -> float:
    """The peak of what a recording allocates in two seconds of both voices, in KiB."""
    audio_format, count = AudioFormat(sample_rate=options.rate), 20
    chunk = _chunks(audio_format)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        recorder = SpoolRecorder.at(Path(folder))
        recorder.open("warm", audio_format)
        gc.collect()
        tracemalloc.start()
        recordings = [recorder.open(f"s{n}", audio_format) for n in range(count)]
        for tick in range(100):
            for recording in recordings:
                for track in Track:
                    recording.write(track, tick * CHUNK_US, bytes(bytearray(chunk[track])))
            time.sleep(CHUNK_US / 1e6)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        anyio.run(recorder.aclose)
        return peak / count / 1024


if __name__ == "__main__":
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8_192), hard))
    main()
