"""
Callers of a server, in a process of their own: they take turns, and note how long each took.

    python benchmarks/web_callers.py PORT CALLERS bare|ours

opens as many sessions, says so in a line, and is sent the moment when the first of them is to
speak; once all have had their turns it prints what they found as one JSON object.

There is no event loop and no task here: 50 frames a second of each are sent by one clock, in a
circle, and between two of them is heard what has come. So a caller takes some 20 us a frame, and
how late its own frames were says whether it was on time to notice.
"""

from __future__ import annotations

import base64
import gc
import json
import os
import select
import socket
import sys
import time
from collections.abc import Generator
from itertools import cycle
from typing import Final

from web_wire import AUDIO, BINARY, CONVERSATION, FRAME_S, TEXT, ws_frame

TURNS: Final = 5
"""The first of which warms the server up, and does not count."""
SPOKEN_FRAMES: Final = 140
LISTENED_FRAMES: Final = 50
TURN_FRAMES: Final = 200
"""Some four seconds, as in the conversations of ``web.py``."""

VOICE: Final = ws_frame(BINARY, b"\x01" * 640)
_CLEARED: Final = b'"reply.clear"'
_END_OF_HEAD: Final = b"\r\n\r\n"
_CONNECTED_WITHIN_S: Final = 30.0


class Caller:
    """Speaks, waits for the first of the answer, interrupts it, and notes how long both took.

    Args:
        ends_turn: The frame that does.
        listened: Frames of the answer that it lets pass.
        interrupts: It speaks into the answer then, and goes on until that is cleared.
    """

    def __init__(
        self, port: int, path: str, *, ends_turn: bytes, listened: int, interrupts: bool
    ) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), _CONNECTED_WITHIN_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._data = self._welcomed(path)
        self.socket.setblocking(False)
        self._ends_turn = ends_turn
        self._listened = listened
        self._interrupts = interrupts
        self._asked_s = 0.0
        self._is_waiting = False
        self._is_cleared = False
        self.turns_s: list[float] = []
        self.barge_ins_s: list[float] = []

    def frames(self, silence: int) -> Generator[bytes]:
        """Yield what it sends, a frame at a time; *silence* frames of nothing come first."""
        for _ in range(silence):
            yield AUDIO
        for _ in range(TURNS):
            for _ in range(SPOKEN_FRAMES):
                yield VOICE
            self._is_waiting = True
            self._asked_s = time.perf_counter()
            yield self._ends_turn
            while self._is_waiting:
                yield AUDIO
            for _ in range(self._listened):
                yield AUDIO
            self._is_cleared = not self._interrupts
            self._asked_s = time.perf_counter()
            while not self._is_cleared:
                yield VOICE

    def hear(self) -> None:
        """Take what has come."""
        heard_s = time.perf_counter()
        data = self._data + self.socket.recv(1 << 18)
        start = 0
        while (frame := _frame_at(data, start)) is not None:
            opcode, payload, start = frame
            if opcode == BINARY:
                if self._is_waiting:
                    self._is_waiting = False
                    self.turns_s.append(heard_s - self._asked_s)
            elif not self._is_cleared and data.find(_CLEARED, payload, start) >= 0:
                self._is_cleared = True
                self.barge_ins_s.append(heard_s - self._asked_s)
        self._data = data[start:]

    def _welcomed(self, path: str) -> bytes:
        """Open the WebSocket; return what came behind the greeting."""
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            f"GET {path} HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\n"
            f"connection: Upgrade\r\nsec-websocket-key: {key}\r\n"
            "sec-websocket-version: 13\r\n\r\n".encode()
        )
        data = b""
        while b"session.begin" not in data:
            data += (more := self.socket.recv(1 << 16))
            assert more, data
        return data.partition(_END_OF_HEAD)[2]


class Clock:
    """Has all callers send in a circle, each 50 times a second, and hears them in between."""

    def __init__(self, callers: list[Caller]) -> None:
        self._callers = callers
        self._by_file = {caller.socket.fileno(): caller for caller in callers}
        self.lates_s: list[float] = []
        """How much later than it was due each frame was sent."""

    def run(self, begin_s: float) -> None:
        """Let all of them have their turns, from *begin_s* on."""
        count = len(self._callers)
        # As in life, neither their turns nor their frames come at the same moment.
        scripts = [
            caller.frames(TURN_FRAMES * number // count)
            for number, caller in enumerate(self._callers)
        ]
        over: set[int] = set()
        due_s = begin_s
        for number in cycle(range(count)):
            self._hear_until(due_s)
            self.lates_s.append(time.perf_counter() - due_s)
            frame = next(scripts[number], None)
            if frame is None:  # it stays, so that the others have as much company as before
                over.add(number)
            self._callers[number].socket.send(frame or AUDIO)
            due_s += FRAME_S / count
            if len(over) == count:
                return

    def _hear_until(self, due_s: float) -> None:
        files = self._by_file
        while True:
            left_s = max(0.0, due_s - time.perf_counter())
            # Not epoll, whose clock has whole milliseconds.
            ready, _, _ = select.select(files, (), (), left_s)
            for file in ready:
                files[file].hear()
            if left_s == 0.0:
                return


def _frame_at(data: bytes, start: int) -> tuple[int, int, int] | None:
    """The opcode of the frame at *start*, and where its payload begins and ends; None if torn."""
    payload = start + 2
    if len(data) < payload:
        return None
    size = data[start + 1]
    for marker, width in ((126, 2), (127, 8)):
        if size == marker:
            payload += width
            size = int.from_bytes(data[payload - width : payload])
            break
    end = payload + size
    return (data[start] & 0x0F, payload, end) if payload <= len(data) and end <= len(data) else None


def caller(port: int, kind: str) -> Caller:
    if kind == "bare":
        # It hears the two seconds of an answer to their end: nobody could tell the next one from it.
        return Caller(port, "/", ends_turn=TEXT, listened=110, interrupts=False)
    return Caller(port, CONVERSATION, ends_turn=AUDIO, listened=LISTENED_FRAMES, interrupts=True)


def main(port: int, count: int, kind: str) -> None:
    callers = [caller(port, kind) for _ in range(count)]
    print("ready", flush=True)
    begin_s = float(sys.stdin.readline())
    gc.freeze()
    clock = Clock(callers)
    cpu_s = time.process_time()
    clock.run(begin_s)
    figures = {
        "turns_s": [took for each in callers for took in each.turns_s[1:]],
        "barge_ins_s": [took for each in callers for took in each.barge_ins_s[1:]],
        "client_lates_s": clock.lates_s,
        "busy": (time.process_time() - cpu_s) / (time.perf_counter() - begin_s),
    }
    print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
