"""Clients that do what they should not: none of it harms anybody, and none of it is told on."""

import asyncio
import json
import logging
import os
import random
import re
import socket
import struct
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import anyio
import pytest
from hypothesis import given, strategies as st
from tests.patience import PATIENCE_S
from websockets.exceptions import ConnectionClosed

from voicesession import Encoding, Pipeline
from voicesession.providers.null import (
    NullSpeechToText,
    NullTextToSpeech,
    NullVoiceActivityDetector,
)
from voicesession.runtime.clock import SteppedClock
from voicesession.testing.scripted import CallbackAgent
from voicesession.testing.stage import START, echo
from voicesession.web.rates import Rate
from voicesession.web.socket.intake import Intake
from voicesession.web.socket.options import SocketOptions
from voicesession.web.socket.outlet import Outlet
from voicesession.web.socket.port import SocketClosed

STREAM = "/v1/audio/transcriptions/stream"
FUZZED = 100_000 if os.environ.get("VOICESESSION_PROFILE") == "proof" else 1_000

KINDS = [
    "config",
    "text",
    "flush",
    "clear",
    "interrupt",
    "pause",
    "resume",
    "consent",
    "ack",
    "playout",
    "attach",
    "end",
    "bogus",
]
GOOD = [
    '{"type": "flush"}',
    '{"type": "clear"}',
    '{"type": "interrupt"}',
    '{"type": "pause"}',
    '{"type": "resume"}',
    '{"type": "config", "playout": true}',
    '{"type": "playout", "reply_id": 1, "played_ms": 40}',
    '{"type": "text", "text": "hello"}',
]
HURRIED = Rate(per_second=100_000, burst=100_000)
FIELDS = ["text", "seq", "reply_id", "played_ms", "recording_consent", "playout"]
VALUES: list[Any] = [None, True, -1, 0, 2**70, 1.5, "", "\x00", "x" * 9_000, [], {"type": "end"}]


def a_frame(chance: random.Random, wildness: float) -> str | bytes:
    """Mostly what makes sense; the wilder, the oftener what nearly does, or not at all."""
    if chance.random() > wildness:
        return chance.choice(GOOD) if chance.random() < 0.7 else chance.randbytes(640)
    if chance.random() < 0.6:
        fields = {chance.choice(FIELDS): chance.choice(VALUES) for _ in range(2)}
        return json.dumps({"type": chance.choice(KINDS)} | fields)
    good = chance.choice(GOOD)
    return good[: chance.randrange(len(good))] + chance.choice(["", "😀", "}", "\x00"])


async def everybody_left(house: Any, tasks_before: int) -> None:
    """Wait until the server has nothing in hand, and no task more than before."""
    with anyio.fail_after(PATIENCE_S):
        while house.voice._worker.owned or len(asyncio.all_tasks()) > tasks_before:
            await anyio.lowlevel.checkpoint()


async def send_all(talker: Any, frames: list[Any]) -> None:
    """Send until the server has had enough."""
    with suppress(ConnectionClosed):
        for frame in frames:
            await talker.socket.send(frame)


@pytest.mark.timeout(1_800)  # in proof
async def test_no_message_draws_a_traceback_or_leaves_a_task_behind(
    open_house: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    allowed = {1000, 1009, 4400}
    quick = SocketOptions(rate=HURRIED)
    was_read = count_what_is_read(monkeypatch)
    async with open_house(bounds=quick) as house:
        tasks_before = len(asyncio.all_tasks())
        chance = random.Random(7)
        while sum(was_read.values()) < FUZZED:
            wildness = chance.choice([0, 0.01, 0.5])
            async with house.talk() as talker:
                frames = [a_frame(chance, wildness) for _ in range(chance.randrange(1, 400))]
                await send_all(talker, [*frames, '{"type": "end"}'])
                assert await talker.closed() in allowed
            told = json.dumps(talker.messages)
            assert "Traceback" not in told
            assert "internal_error" not in told
        await everybody_left(house, tasks_before)
    assert not [r for r in caplog.records if r.levelno >= logging.ERROR]
    assert was_read["refused"] >= FUZZED // 1_000


def count_what_is_read(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count the frames that the server reads: not all that are sent are, before it has enough."""
    was_read: Counter[str] = Counter()
    read = Intake.read

    def counting(intake: Intake, frame: str | bytes) -> Any:
        was_read["refused"] += 1
        wanted = read(intake, frame)
        was_read["refused"] -= 1
        was_read["understood"] += 1
        return wanted

    monkeypatch.setattr(Intake, "read", counting)
    return was_read


@pytest.mark.parametrize("frame", ["x" * 70_000, bytes(1_100_000)], ids=["text", "audio"])
async def test_a_frame_that_is_too_large_closes_the_connection_and_not_the_session(
    house: Any, frame: Any
) -> None:
    async with house.talk() as talker:
        session_id = talker.messages[0]["session_id"]
        await talker.socket.send(frame)
        assert await talker.closed() == 1009
    assert talker.all("error")[0]["code"] == "too_large"
    session = await house.voice.get(session_id)
    assert session.state == "PAUSED"


def deaf(_session: object) -> Pipeline:
    """Engines that take every format."""
    return Pipeline(
        vad=NullVoiceActivityDetector(),
        stt=NullSpeechToText(),
        tts=NullTextToSpeech(),
        agent=CallbackAgent(echo),
    )


@pytest.mark.parametrize("encoding", Encoding)
async def test_any_bytes_are_audio_of_any_encoding(open_house: Any, encoding: Encoding) -> None:
    garbage = struct.pack("<3f", float("nan"), float("inf"), -9e30) + bytes(range(256)) * 25
    path = f"{STREAM}?encoding={encoding}&channels=2"
    async with open_house(pipeline=deaf) as house, house.connect(path) as talker:
        await talker.next("session.begin")
        for size in (1, 3, 7, 640, 6_401):
            await talker.socket.send(garbage[:size])
        await talker.send("end")
        end = await talker.next("session.end")
        assert await talker.closed() == 1000
    assert end["status"] == "completed"


async def test_an_encoding_that_no_engine_takes_is_told(house: Any) -> None:
    async with house.connect(f"{STREAM}?encoding=mulaw&sample_rate=8000") as talker:
        assert await talker.closed() == 4400


@pytest.mark.parametrize(
    "tight",
    [
        SocketOptions(unsent_bytes=20_000, sent_within=timedelta(hours=1), rate=HURRIED),
        SocketOptions(unsent_bytes=10**9, sent_within=timedelta(seconds=0.3), rate=HURRIED),
    ],
    ids=["too much waits", "it takes too long"],
)
async def test_a_client_that_does_not_read_is_left_and_its_session_waits(
    open_house: Any, tight: SocketOptions
) -> None:
    async with open_house(bounds=tight, buffered=4_096) as house:
        session = await house.voice.create(mode="transcription")
        address = urlsplit(house.url)
        narrow = socket.socket()
        narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        narrow.connect((address.hostname, address.port))
        narrow.setblocking(False)
        path = f"/v1/sessions/{session.id}/stream"
        async with house.connect(
            path, sock=narrow, close_timeout=0.1, max_queue=1, ping_interval=None
        ) as talker:
            await talker.next("session.begin")
            talker.socket.transport.pause_reading()
            with anyio.fail_after(PATIENCE_S):
                while (await house.voice.get(session.id)).state == "LIVE":
                    talker.socket.transport.pause_reading()
                    with anyio.move_on_after(1):
                        await send_all(talker, ['{"type": "resume"}'] * 1_000)
            talker.socket.transport.abort()
        session = await house.voice.get(session.id)
    assert session.pause_reasons == {"disconnected"}


class Stuck:
    """A socket whose other end does not read."""

    async def send(self, _message: str | bytes) -> None:
        await anyio.sleep_forever()


async def test_what_waits_for_a_client_is_bounded() -> None:
    options = SocketOptions(unsent_bytes=1_000)
    full: list[int] = []
    outlet = outlet_to(Stuck(), options=options, on_full=lambda: full.append(len(outlet._waiting)))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(outlet.run)
        for _ in range(100):
            outlet.put(bytes(100))
            await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()
    assert full == [11]  # ten may wait
    assert sum(len(frame) for _, frame in outlet._waiting) <= 1_100


def outlet_to(
    socket: Any,
    clock: SteppedClock | None = None,
    *,
    options: SocketOptions | None = None,
    on_lag: Callable[[], None] = lambda: None,
    on_full: Callable[[], None] = lambda: None,
) -> Outlet:
    return Outlet(
        socket,
        clock or SteppedClock(START),
        options or SocketOptions(),
        on_lag=on_lag,
        on_full=on_full,
    )


class Gone:
    """A socket whose other end has left."""

    async def send(self, _message: str | bytes) -> None:
        raise SocketClosed


async def test_nobody_waits_for_a_client_that_is_gone_to_hear_the_last_message() -> None:
    outlet = outlet_to(Gone())
    outlet.put("goodbye")
    with pytest.raises(SocketClosed):
        await outlet.run()
    outlet.put("and again")
    with anyio.fail_after(PATIENCE_S):
        await outlet.emptied()


class Slow:
    """A socket whose other end takes each message only after *takes_us*."""

    def __init__(self, clock: SteppedClock) -> None:
        self._clock = clock
        self.takes_us = 0
        self.sent: list[str | bytes] = []

    async def send(self, message: str | bytes) -> None:
        self.sent.append(message)
        self._clock.advance(self.takes_us)
        await anyio.lowlevel.checkpoint()


async def test_a_client_that_lags_is_warned_once_until_it_has_caught_up() -> None:
    clock = SteppedClock(START)
    slow = Slow(clock)
    outlet = outlet_to(slow, clock, on_lag=lambda: outlet.put("lagging"))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(outlet.run)
        for slow.takes_us in (500_000, 2_000_000, 2_000_000):
            for number in range(4):
                outlet.put(str(number))
            with anyio.fail_after(PATIENCE_S):
                await outlet.emptied()
        tasks.cancel_scope.cancel()
    told = ["0", "1", "2", "3"]
    assert slow.sent == [*told, *told, "lagging", *told, "lagging"]


@given(st.lists(st.integers(0, 50_000), max_size=200))
def test_a_client_that_hurries_is_read_no_faster_than_its_rate(gaps_us: list[int]) -> None:
    rate = Rate(per_second=100, burst=10)
    intake = Intake(SocketOptions(rate=rate), 0)
    now_us = 0
    for count, gap_us in enumerate(gaps_us, 1):
        now_us = max(now_us + gap_us, intake.wait_until_us(now_us + gap_us) or 0)
        assert count <= 10 + now_us // 10_000 + 1


async def test_the_log_of_a_call_holds_no_words_secrets_or_whole_ids(
    house: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "voicesession")
    async with house.talk(user_id="ada") as talker:
        begin = talker.messages[0]
        await talker.speak("rosebud")
        await talker.next("reply.end")
        async with house.back(begin, 0) as back:
            await back.next("session.begin")
            await back.socket.send("rosebud")
            await back.closed()
    assert "rosebud" not in caplog.text
    assert begin["resume_token"] not in caplog.text
    assert not re.search(r"sess_[0-9a-f]{32}", caplog.text)
