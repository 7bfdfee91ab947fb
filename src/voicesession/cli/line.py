"""
A simulated telephone line: 20 ms of the caller in, what is due of the agent out.

Two ways to pass the time between. `RealTime` waits for it. `AsFastAsItComputes` turns the
session's clock by hand: it stands still while the engines work, so that the conversation
comes out as it would with engines that take no time.
"""

from __future__ import annotations

from typing import Final, Protocol

from anyio import sleep
from anyio.lowlevel import checkpoint

from ..core.states import EndReason, SessionState, TurnState
from ..ports.clock import Clock
from ..runtime.clock import SteppedClock
from ..runtime.live import VoiceSession

__all__ = ("STEP_US", "AsFastAsItComputes", "Caller", "Line", "Pace", "RealTime")

STEP_US: Final = 20_000
_REST_S: Final = 0.001
_CLOSED: Final = frozenset({TurnState.INITIAL, TurnState.ENDED})
"""Of a call that has begun: the agent has hung up, or the session is no longer ours."""


class Caller(Protocol):
    """Whoever speaks into the line."""

    def speak(self, turn: TurnState, /) -> bytes | None:
        """Return the next 20 ms, in the session's format; None where they hang up.

        Args:
            turn: Who has the floor, as far as somebody on the phone can tell.
        """
        ...

    def wait(self) -> None:
        """Nobody hears them just now: say nothing, and begin again what was cut short."""
        ...


class Pace(Protocol):
    """How time passes on the line."""

    def begin(self) -> None:
        """Count time from now on."""
        ...

    async def settle(self, call: VoiceSession, /) -> None:
        """Give the engines of *call* their time for what they have just been told."""
        ...

    async def step(self) -> None:
        """Let 20 ms pass."""
        ...

    async def rest(self) -> None:
        """Let 20 ms pass in which nobody is heard."""
        ...


class RealTime:
    """Time passes by itself; the engines work meanwhile."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._next_us = 0

    def begin(self) -> None:
        self._next_us = self._clock.monotonic_us()

    async def settle(self, _call: VoiceSession, /) -> None:
        """The engines answer when they can."""

    async def step(self) -> None:
        # From the sum: a late step is caught up with, and lateness does not add up.
        self._next_us += STEP_US
        await self._clock.sleep_until(self._next_us)

    async def rest(self) -> None:
        await self.step()


class AsFastAsItComputes:
    """Time passes only when every engine has answered."""

    def __init__(self, clock: SteppedClock) -> None:
        self._clock = clock

    def begin(self) -> None:
        """The clock stands still already."""

    async def settle(self, call: VoiceSession, /) -> None:
        await call.settled()

    async def step(self) -> None:
        await checkpoint()
        self._clock.advance(STEP_US)

    async def rest(self) -> None:
        # Whoever lifts the pause asks a store, which takes its time on the wall: without some
        # of that here, minutes would pass on the session's clock.
        await sleep(_REST_S)
        self._clock.advance(STEP_US)


class Line:
    """One call, from the first sample to the last."""

    def __init__(self, caller: Caller, pace: Pace) -> None:
        self._caller = caller
        self._pace = pace
        self._is_cut = False

    def cut(self) -> None:
        """End the call with its next step."""
        self._is_cut = True

    async def hold(self, call: VoiceSession) -> None:
        """Carry audio both ways until somebody hangs up; the session is over then.

        It is ``completed`` if the caller or the agent hung up, ``cancelled`` after `cut`.
        """
        self._pace.begin()
        while not self._is_over(call):
            if call.session.state is SessionState.PAUSED:
                await self._go_unheard()
                continue
            pcm = self._caller.speak(call.turn)
            if pcm is None:
                break
            before_us = call.media_us
            await call.process_audio(pcm)
            await self._pace.settle(call)
            if pieces := call.take_audio():
                for piece in pieces:
                    call.played(piece)
                await self._pace.settle(call)
            if call.media_us > before_us:
                await self._pace.step()
            else:  # the agent has its last words, before the call pauses
                await self._go_unheard()
        await call.stop(EndReason.CANCELLED if self._is_cut else EndReason.COMPLETED)

    async def _go_unheard(self) -> None:
        await self._pace.rest()
        self._caller.wait()

    def _is_over(self, call: VoiceSession) -> bool:
        is_closed = call.turn in _CLOSED and call.session.state is not SessionState.PAUSED
        return self._is_cut or is_closed
