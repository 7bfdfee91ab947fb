"""
Holds one session to its limits from inside, on time, whatever else goes on.

The supervisor looks at every session's deadlines too, but only a few times in a lease, and
a session whose worker has lost its store is still bound by them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Final

import anyio
from attrs import evolve

from ..core.deadlines import LifePolicy, due, next_deadline
from ..core.errors import StoreError
from ..core.events import EndRequested
from ..core.instants import duration_us
from ..core.states import SessionState
from .handle import SessionHandle
from .happenings import Failed, KeepAlive, SessionChanged
from .pipeline import SessionConfig
from .services import Services

__all__ = ("Timekeeper",)

_RETRY_US: Final = 500_000
_NEVER: Final = 1 << 62


class Timekeeper:
    """Ends, pauses and wakes up one session when it is time.

    Args:
        say_goodbye: Called once, some time before the session may last no longer.
    """

    def __init__(
        self,
        handle: SessionHandle,
        services: Services,
        config: SessionConfig,
        say_goodbye: Callable[[], None],
    ) -> None:
        self._handle = handle
        self._clock = services.clock
        self._policy = _stricter(services.life, config)
        self._goodbye_before = config.goodbye_before
        self._say_goodbye = say_goodbye
        self._has_said_goodbye = False
        self._alive_every_us = (
            duration_us(config.keep_alive_interval) if config.enable_keep_alive else None
        )
        self._alive_us = self._clock.monotonic_us()
        self._look_us = 0
        self._sleep: anyio.CancelScope | None = None

    def follow(self, happening: object) -> None:
        """Look at the time sooner, where the session has changed so that something is due."""
        if self._sleep is None or not isinstance(happening, SessionChanged):
            return
        if self._next_look_us() < self._look_us:
            self._sleep.cancel()

    async def run(self) -> None:
        """Keep the time until the session is over, or cancelled."""
        while not self._handle.is_over:
            try:
                await self._pass_time()
            except StoreError as error:
                self._handle.tell(Failed(error))
                self._look_us = self._clock.monotonic_us() + _RETRY_US
            else:
                self._look_us = self._next_look_us()
            with anyio.CancelScope() as self._sleep:
                await self._clock.sleep_until(self._look_us)

    async def _pass_time(self) -> None:
        now, session = self._clock.now(), self._handle.session
        goodbye_at = self._goodbye_at
        if goodbye_at is not None and goodbye_at <= now:
            self._has_said_goodbye = True
            self._say_goodbye()
        alive_us = self._next_alive_us
        if alive_us is not None and alive_us <= self._clock.monotonic_us():
            self._alive_us = alive_us
            self._handle.tell(KeepAlive())
        event = due(session, self._policy, now)
        if isinstance(event, EndRequested):
            await self._handle.end(event.reason, error=event.error)
        elif event is not None:
            await self._handle.ownership.apply(event)

    def _next_look_us(self) -> int:
        now, now_us = self._clock.now(), self._clock.monotonic_us()
        looks = [now_us + duration_us(at - now) for at in self._instants()]
        if self._next_alive_us is not None:
            looks.append(self._next_alive_us)
        return min(looks, default=_NEVER)

    def _instants(self) -> Iterator[datetime]:
        deadline = next_deadline(self._handle.session, self._policy)
        for at in (deadline, self._goodbye_at):
            if at is not None:
                yield at

    @property
    def _goodbye_at(self) -> datetime | None:
        """When to say goodbye; None where that was said, or nothing ends the session."""
        session = self._handle.session
        if self._has_said_goodbye or session.state is not SessionState.LIVE:
            return None
        end_at = next_deadline(session, evolve(self._policy, idle_time=None))
        return None if end_at is None else end_at - self._goodbye_before

    @property
    def _next_alive_us(self) -> int | None:
        return None if self._alive_every_us is None else self._alive_us + self._alive_every_us


def _stricter(life: LifePolicy, config: SessionConfig) -> LifePolicy:
    return evolve(
        life,
        idle_time=_shorter(life.idle_time, config.timeout),
        max_active=_shorter(life.max_active, config.max_active),
        max_wall_clock=_shorter(life.max_wall_clock, config.max_wall_clock),
    )


def _shorter(one: timedelta | None, other: timedelta | None) -> timedelta | None:
    return min((limit for limit in (one, other) if limit is not None), default=None)
