"""
What the web adds: a call beside a raw ASGI answer, audio beside a bare Starlette loop.

    python benchmarks/web.py [--json] [--sessions 100] [--seconds 4] [--rounds 5] [--calls 100]
                            [--callers 10]

Each server runs in a process of its own, under uvicorn with ``ws="websockets-sansio"``,
without compression, on loopback; what is told is the CPU time of that process alone. They
take turns, round by round, in one run, and the median of the rounds counts, so that a busy
machine blurs all of them alike. Sessions live in memory and engines take no time.

=======================  =================================================================
create                   one POST that creates a session, beside a raw ASGI application that
                         reads the body and answers as many bytes; on Starlette and FastAPI,
                         and beside a route of FastAPI alone that does as little
audio message            20 ms of a caller's audio, 50 a second, beside a Starlette loop that
                         receives and forgets (bare), and beside one that gives it to a live
                         session (by hand): ours without by hand is what the adapter adds
conversation             the same, and every four seconds a reply of two, let out at its
                         pace, with the messages about it; bare sends as many frames
turn, barge-in           from the frame that ends a turn to the first of the reply, and from the
                         frame that interrupts to ``reply.clear``, over the wire; bare answers
                         a text. A server that is busy all the time is too small for as many
                         callers, and tells of its queue (see ``server_busy``); clients that
                         are late themselves tell of this machine (see ``client_late``)
=======================  =================================================================
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from statistics import median
from typing import Final

from figures import told
from web_turns import turns
from web_wire import AUDIO, CONVERSATION, END, FRAME_S, TEXT, Line, Server, connected, serving

TURN_S: Final = 4.0
CONNECTIONS: Final = 4
TRANSCRIPTION: Final = "/v1/audio/transcriptions/stream"

CALL: Final = b'{"user_id": "ada", "store_transcript": true, "language": "en"}'


async def in_turn(
    servers: dict[str, Server], rounds: int, load: Callable[[str], Awaitable[int]]
) -> dict[str, float]:
    """Load the servers one after the other, again and again.

    Args:
        load: Returns how many pieces of work there were.

    Returns:
        The median of the CPU microseconds for one piece, by the server's name. The first
        round warms them up and does not count.
    """
    took: dict[str, list[float]] = {name: [] for name in servers}
    for _ in range(rounds + 1):
        for name, server in servers.items():
            before = server.cpu_s
            count = await load(name)
            took[name].append((server.cpu_s - before) / count * 1e6)
    return {name: median(times[1:]) for name, times in took.items()}


# --- calls ------------------------------------------------------------------------------------


async def call(port: int, count: int) -> None:
    """Make *count* calls on one connection."""
    head = (
        "POST /v1/sessions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
        f"content-length: {len(CALL)}\r\n\r\n"
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(count):
        writer.write(head.encode() + CALL)
        answer = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        assert " 201 " in answer.partition("\r\n")[0], answer
        size = answer.partition("content-length:")[2].partition("\r\n")[0]
        await reader.readexactly(int(size))
    writer.close()


async def creates(rounds: int, calls: int) -> dict[str, float]:
    async with serving("raw", "bare_fastapi", "starlette", "fastapi") as servers:

        async def load(name: str) -> int:
            each = calls // CONNECTIONS
            await asyncio.gather(*(call(servers[name].port, each) for _ in range(CONNECTIONS)))
            return each * CONNECTIONS

        took = await in_turn(servers, rounds, load)
    return {
        **{f"create_{name}_us": us for name, us in took.items()},
        "create_starlette_to_raw": took["starlette"] / took["raw"],
        "create_bare_fastapi_to_raw": took["bare_fastapi"] / took["raw"],
        "create_fastapi_to_raw": took["fastapi"] / took["raw"],
    }


# --- sockets ----------------------------------------------------------------------------------


async def talk(lines: Sequence[Line], seconds: float, *, asks: bool) -> int:
    """Send 50 frames a second on each line; return how many there were.

    Args:
        asks: Ask for a reply at the beginning of each turn.
    """
    frames, turn = int(seconds / FRAME_S), int(TURN_S / FRAME_S)

    async def one(line: Line, begin_s: float) -> None:
        for number in range(frames):
            await asyncio.sleep(begin_s + number * FRAME_S - time.perf_counter())
            if asks and number % turn == 0:
                line.send(TEXT)
            line.send(AUDIO)

    now_s = time.perf_counter()
    await asyncio.gather(
        *(one(line, now_s + FRAME_S * n / len(lines)) for n, line in enumerate(lines))
    )
    return frames * len(lines)


async def sockets(arguments: argparse.Namespace, *, asks: bool) -> dict[str, float]:
    names = ("bare", "starlette") if asks else ("bare", "by_hand", "starlette")
    ours = CONVERSATION if asks else TRANSCRIPTION
    async with serving(*names) as servers:
        lines = {
            name: await connected(
                server.port, arguments.sessions, partial(Line, ours if name == "starlette" else "/")
            )
            for name, server in servers.items()
        }

        async def load(name: str) -> int:
            return await talk(lines[name], arguments.seconds, asks=asks)

        took = await in_turn(servers, arguments.rounds, load)
        for line in lines["starlette"]:
            line.send(END)
    heard = {name: sum(line.heard_bytes for line in opened) for name, opened in lines.items()}
    return _conversation(took, heard) if asks else _audio(took)


def _audio(took: dict[str, float]) -> dict[str, float]:
    bare, by_hand, ours = took["bare"], took["by_hand"], took["starlette"]
    return {
        "audio_message_bare_us": bare,
        "audio_message_by_hand_us": by_hand,
        "audio_message_ours_us": ours,
        "audio_message_adapter_adds": (ours - by_hand) / bare,
        "audio_message_all_adds": ours / bare - 1,
    }


def _conversation(took: dict[str, float], heard: dict[str, int]) -> dict[str, float]:
    bare, ours = took["bare"], took["starlette"]
    return {
        "conversation_bare_us_a_frame": bare,
        "conversation_ours_us_a_frame": ours,
        "conversation_bare_sessions_a_core": FRAME_S / bare * 1e6,
        "conversation_sessions_a_core": FRAME_S / ours * 1e6,
        "conversation_heard_ours_to_bare": heard["starlette"] / heard["bare"],
    }


async def measure(arguments: argparse.Namespace) -> dict[str, float]:
    return {
        **await creates(arguments.rounds, arguments.calls),
        **await sockets(arguments, asks=False),
        **await sockets(arguments, asks=True),
        **await turns(arguments.callers),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--sessions", type=int, default=100, help="that talk at a time")
    parser.add_argument("--seconds", type=float, default=4.0, help="for how long they do")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each server")
    parser.add_argument("--callers", type=int, default=10, help="that take turns at a time")
    parser.add_argument("--calls", type=int, default=100, help="in each round")
    told(parser, measure)


if __name__ == "__main__":
    main()
