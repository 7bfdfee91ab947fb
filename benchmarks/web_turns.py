"""
How long a turn and a barge-in take over the wire, while many talk at once; see ``web.py``.

The server is one process and its clients are others, of so many callers each
(``web_callers.py``). Each caller sends 50 frames a second without a pause: three seconds of voice,
silence while it listens, and voice again into the answer. Both are timed where the client is:
from the write of the frame that decides to the first byte that tells of it.

How late the clients sent their own frames is told beside it: where that is much, the times are
theirs as much as the server's.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from statistics import quantiles
from typing import Any, Final

from attrs import frozen
from web_wire import Server, serving

CALLERS_A_PROCESS: Final = 50
BEGINS_IN_S: Final = 0.2


@frozen
class Crowd:
    """Some callers, in a process of their own, who are connected."""

    process: asyncio.subprocess.Process

    @classmethod
    async def connected(cls, port: int, count: int, kind: str) -> Crowd:
        program = Path(__file__).with_name("web_callers.py")
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, program, str(port), str(count), kind),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=1 << 26,  # all that they found comes in one line
        )
        crowd = cls(process)
        assert await crowd._line() == b"ready\n"
        return crowd

    async def talk(self, begin_s: float) -> dict[str, Any]:
        """Let them have their turns; return what they found."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{begin_s}\n".encode())
        found: dict[str, Any] = json.loads(await self._line())
        await self.process.wait()
        return found

    async def _line(self) -> bytes:
        assert self.process.stdout is not None
        return await self.process.stdout.readline()


async def turns(callers: int) -> dict[str, float]:
    """Return what turns and barge-ins took, ours beside a bare server that answers a text."""
    async with serving("bare", "hurried") as servers:
        return {
            **await _told("bare_", servers["bare"], callers, "bare"),
            **await _told("", servers["hurried"], callers, "ours"),
        }


async def _told(prefix: str, server: Server, count: int, kind: str) -> dict[str, float]:
    shares = [min(CALLERS_A_PROCESS, count - n) for n in range(0, count, CALLERS_A_PROCESS)]
    crowds = [await Crowd.connected(server.port, share, kind) for share in shares]
    begin_s, cpu_s = time.perf_counter() + BEGINS_IN_S, server.cpu_s
    found = await asyncio.gather(*(crowd.talk(begin_s) for crowd in crowds))
    figures = {
        "server_busy": (server.cpu_s - cpu_s) / (time.perf_counter() - begin_s),
        "client_busy": max(each["busy"] for each in found),
    }
    for what in ("turn", "barge_in", "client_late"):
        times = [took for each in found for took in each[f"{what}s_s"]]
        if times:
            hundredths = quantiles(times, n=100)
            figures[f"{what}_ms_p50"] = hundredths[49] * 1e3
            figures[f"{what}_ms_p99"] = hundredths[98] * 1e3
    return {f"{prefix}{name}": value for name, value in figures.items()}
