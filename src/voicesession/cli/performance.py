"""The demo itself: somebody calls, an agent answers, and all of it is kept."""

from __future__ import annotations

import signal
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, nullcontext
from functools import partial
from pathlib import Path

import anyio
from anyio.abc import TaskStatus
from attrs import frozen
from rich.console import Console

from ..core.price import SessionCost
from ..core.session import Session
from ..ports.clock import Clock
from ..pricing import vendors
from ..runtime.clock import SteppedClock, SystemClock
from ..runtime.pipeline import Pipeline
from ..wiring import open as open_voice
from .caller import SCRIPT, FileCaller, ScriptedCaller, ScriptLine, rehearsed
from .desk import Desk, Sponsor
from .engines import callers_voice, offline_pipeline
from .line import AsFastAsItComputes, Line, Pace, RealTime
from .outfolder import OutFolder, claimed
from .timeline import Timeline
from .turns import Turn, TurnLog
from .wavfile import open_wav

__all__ = ("Performance", "Request", "perform")

_US_PER_S = 1_000_000
_SAMPLE_RATE_HZ = 16_000
"""Of a caller without a file: what the engines take as it is."""
_ASKS_WHAT_IS_LEFT = ScriptLine(text="how much budget is left")


@frozen
class Request:
    """What somebody asked of the demo.

    Attributes:
        wav: The caller; None for one who speaks a script.
        grammar: What the caller may say; None for the demo's own sentences.
        budget_s: How much audio the call may use before it has to be given more; None for
            as much as it likes.
    """

    wav: Path | None
    grammar: Path | None
    out: Path
    realtime: bool
    budget_s: float | None = None


@frozen(kw_only=True)
class Performance:
    """What came of it.

    Attributes:
        cost: Of all that was used: nothing, where every engine is on this machine.
        store_url: Of the store that keeps the session.
        signal: What interrupted it; None where nothing did.
    """

    session: Session
    turns: Sequence[Turn]
    cost: SessionCost
    store_url: str
    signal: signal.Signals | None


@frozen
class _Time:
    """The clock of the session, how it passes, and the wall where that is something else."""

    clock: Clock
    pace: Pace
    wall: Clock | None


@frozen
class _Call:
    """Who speaks with whom, and what it may cost."""

    caller: FileCaller | ScriptedCaller
    pipeline: Pipeline
    desk: Desk
    budget_s: float | None

    @property
    def budget_us(self) -> int | None:
        return None if self.budget_s is None else round(self.budget_s * _US_PER_S)


async def perform(request: Request, console: Console) -> Performance:
    """Hold one call from beginning to end, printing on *console* what happens.

    What cannot be used of the request is found before anything is written.

    Raises:
        WrongUse: A file or the folder cannot be used.
        VoiceSessionError: Something failed; a session that was begun has ended as ``error``.
    """
    with open_wav(request.wav) if request.wav else nullcontext() as file:
        desk = Desk()
        async with offline_pipeline(request.grammar, desk) as pipeline:
            with claimed(request.out) as folder:
                caller = FileCaller(file) if file else await _scripted_caller(request.budget_s)
                call = _Call(caller, pipeline, desk, request.budget_s)
                return await _hold(call, folder, _time(request), console)


async def _scripted_caller(budget_s: float | None) -> ScriptedCaller:
    script = SCRIPT if budget_s is None else (*SCRIPT[:-1], _ASKS_WHAT_IS_LEFT, SCRIPT[-1])
    return await rehearsed(script, callers_voice(), sample_rate=_SAMPLE_RATE_HZ)


def _time(request: Request) -> _Time:
    wall = SystemClock()
    if request.realtime:
        return _Time(wall, RealTime(wall), None)
    clock = SteppedClock(wall.now())
    return _Time(clock, AsFastAsItComputes(clock), wall)


async def _hold(planned: _Call, folder: OutFolder, time: _Time, console: Console) -> Performance:
    caller = planned.caller
    line = Line(caller, time.pace)
    turns = TurnLog(None if time.wall is None else time.wall.monotonic_us)
    async with (
        _cut_by_signals(line) as caught,
        open_voice(
            folder.store_url, recordings=folder.recordings, clock=time.clock, prices=vendors()
        ) as voice,
    ):
        session = await voice.create(
            language="en",
            sample_rate=caller.audio_format.sample_rate,
            store_audio=True,
            store_transcript=True,
            recording_consent=True,
        )
        folder.keep()
        sponsor = Sponsor(voice, session.id, time.clock)
        if planned.budget_us is not None:
            await sponsor.pay(planned.budget_us)
        async with (
            voice.converse(session.id, planned.pipeline) as call,
            _sponsored(planned, sponsor),
        ):
            planned.desk.take(call, partial(sponsor.left_us, call))
            call.subscribe(sponsor)
            timeline = Timeline(console, lambda: call.media_us)
            call.subscribe(turns)
            call.subscribe(timeline)
            timeline.begin(call.session)
            await line.hold(call)
        return Performance(
            session=await voice.get(session.id),
            turns=turns.turns,
            cost=await voice.budgets.cost(session.id),
            store_url=folder.store_url,
            signal=next(iter(caught), None),
        )


@asynccontextmanager
async def _sponsored(planned: _Call, sponsor: Sponsor) -> AsyncGenerator[None]:
    """Have *sponsor* pay for the call, if it has a budget at all."""
    if planned.budget_us is None:
        yield
        return
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(sponsor.run, planned.budget_us)
        yield
        tasks.cancel_scope.cancel()


@asynccontextmanager
async def _cut_by_signals(line: Line) -> AsyncGenerator[Sequence[signal.Signals]]:
    """Cut *line* at Ctrl-C, or when asked to terminate; what was caught is in the sequence."""
    caught: list[signal.Signals] = []

    async def listen(*, task_status: TaskStatus[None]) -> None:
        # To the first one only: a second does what it always does.
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            task_status.started()
            async for received in signals:
                caught.append(received)
                line.cut()
                return

    async with anyio.create_task_group() as tasks:
        await tasks.start(listen)
        yield caught
        tasks.cancel_scope.cancel()
