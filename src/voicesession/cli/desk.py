"""What the demo's agent has at hand: the recording of the call, and its budget."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import anyio

from ..core.accounts import Limit, Scope
from ..core.meters import Meter
from ..core.states import PauseReason
from ..core.windows import Window
from ..ports.clock import Clock
from ..runtime.happenings import SessionChanged
from ..runtime.live import VoiceSession
from ..runtime.manager import SessionManager

__all__ = ("Desk", "Sponsor")

_US_PER_S: Final = 1_000_000
_THINKS_FOR_US: Final = 2 * _US_PER_S


class Desk:
    """One call, as its agent may touch it; nothing happens before there is one."""

    def __init__(self) -> None:
        self.call: VoiceSession | None = None
        self.left_us: int | None = None
        """Audio that may still be used, when the agent last looked; None without a limit."""
        self._look: Callable[[], Awaitable[int | None]] | None = None

    def take(self, call: VoiceSession, look: Callable[[], Awaitable[int | None]]) -> None:
        """Work on *call*; *look* says what is left of its budget, None without one."""
        self.call = call
        self._look = look

    async def look(self) -> None:
        """Find out what is left of the budget."""
        self.left_us = None if self._look is None else await self._look()

    def pause_recording(self) -> bool:
        """Keep no audio from here on; say whether there is a call to do that for."""
        if self.call is not None:
            self.call.handle.pause_recording()
        return self.call is not None

    def resume_recording(self) -> bool:
        """Keep audio again; say whether there is a call to do that for."""
        if self.call is not None:
            self.call.handle.resume_recording()
        return self.call is not None


class Sponsor:
    """Gives a call its budget, and as much again each time it is spent."""

    def __init__(self, voice: SessionManager, session_id: str, clock: Clock) -> None:
        self._voice = voice
        self._clock = clock
        self._account = voice.budgets.account(Scope.SESSION, session_id)
        self._was_spent = anyio.Event()

    async def left_us(self, call: VoiceSession) -> int | None:
        """Return what *call* may still use, to this moment; None where nobody limits it.

        What it has set aside for its next seconds is its own, and still to be used.
        """
        (standing,) = await self._voice.budgets.standings(self._account, [Meter.AUDIO_US])
        if standing.limit is None:
            return None
        used = (await call.handle.cost()).used
        return max(0, standing.limit.amount - used.get(Meter.AUDIO_US, 0))

    async def run(self, amount_us: int) -> None:
        """Pay until cancelled: a moment after the call has paused, it is given more."""
        while True:
            await self._was_spent.wait()
            self._was_spent = anyio.Event()
            await self._clock.sleep_until(self._clock.monotonic_us() + _THINKS_FOR_US)
            await self._voice.budgets.raise_limit(
                self._account, Meter.AUDIO_US, Window.SESSION, by=amount_us
            )

    async def pay(self, amount_us: int) -> None:
        """Let the call use *amount_us* of audio, and no more."""
        limit = Limit(
            account=self._account,
            meter=Meter.AUDIO_US,
            window=Window.SESSION,
            amount=amount_us,
        )
        await self._voice.budgets.set_limit(limit)

    def __call__(self, happening: object) -> None:
        """Listen to the call."""
        if isinstance(happening, SessionChanged):
            spent = PauseReason.BUDGET_EXHAUSTED
            if spent in happening.after.pause_reasons - happening.before.pause_reasons:
                self._was_spent.set()
