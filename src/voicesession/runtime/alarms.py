"""
When each session, and each engine that owes one something, has to be looked at.

There are many alarms and few of them ever go off, so each is a number in a queue, and one task
of the worker sleeps until the first. One that is put off, as most are again and again, stays
where it is in the queue: it is put where it belongs when its turn has come.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from typing import Final

import anyio

from ..ports.clock import Clock

__all__ = ("Alarm", "Alarms")

_NEVER_US: Final = 1 << 62


class Alarms:
    """Everybody's alarms, and the task that has them go off; all of one event loop."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._queue: list[tuple[int, int]] = []
        self._numbers = count()
        self._numbered: dict[int, Alarm] = {}
        self._asleep_until_us = _NEVER_US
        self._sleep: anyio.CancelScope | None = None

    async def run(self) -> None:
        """Have alarms go off when it is time, until cancelled."""
        while True:
            self._look_at_the_time()
            self._asleep_until_us = self._queue[0][0] if self._queue else _NEVER_US
            with anyio.CancelScope() as self._sleep:
                await self.clock.sleep_until(self._asleep_until_us)

    def enter(self, alarm: Alarm, due_us: int) -> int:
        """For an alarm: look at *alarm* at *due_us*; return its number, which is good once."""
        number = next(self._numbers)
        self._numbered[number] = alarm
        heappush(self._queue, (due_us, number))
        if due_us < self._asleep_until_us and self._sleep is not None:
            self._sleep.cancel()
        return number

    def strike(self, number: int) -> None:
        """For an alarm: do not look at it."""
        self._numbered.pop(number, None)

    def _look_at_the_time(self) -> None:
        now_us = self.clock.monotonic_us()
        while self._queue and self._queue[0][0] <= now_us:
            _, number = heappop(self._queue)
            alarm = self._numbered.pop(number, None)
            if alarm is not None:
                alarm.look(now_us)


class Alarm:
    """Something that is to happen at a time, which may change.

    Args:
        go_off: Called when it is time, from the alarms' own task: it neither waits nor raises.
    """

    __slots__ = ("_alarms", "_due_us", "_entered_us", "_go_off", "_number")

    def __init__(self, alarms: Alarms, go_off: Callable[[], None]) -> None:
        self._alarms = alarms
        self._go_off = go_off
        self._due_us = _NEVER_US
        self._entered_us = _NEVER_US
        self._number = -1

    @property
    def due_us(self) -> int | None:
        """When it goes off, on the clock; None while it does not."""
        return None if self._due_us == _NEVER_US else self._due_us

    def set(self, due_us: int) -> None:
        """Go off at *due_us*, and at no other time."""
        self._due_us = due_us
        if due_us < self._entered_us:
            self._alarms.strike(self._number)
            self._entered_us = due_us
            self._number = self._alarms.enter(self, due_us)

    def rest(self) -> None:
        """Do not go off until `set`, which is expected soon."""
        self._due_us = _NEVER_US

    def cancel(self) -> None:
        """Do not go off, and be forgotten."""
        self._alarms.strike(self._number)
        self._due_us = self._entered_us = _NEVER_US

    def look(self, now_us: int) -> None:
        """For the alarms: its turn has come; go off if it is time."""
        self._entered_us = _NEVER_US
        due_us = self._due_us
        if due_us <= now_us:
            self._due_us = _NEVER_US
            self._go_off()
        elif due_us != _NEVER_US:
            self.set(due_us)
