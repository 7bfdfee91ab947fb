"""
Holds one session to its limits from inside, on time, whatever else goes on.

The supervisor looks at every session's deadlines too, but only a few times in a lease, and
a session whose worker has lost its store is still bound by them.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import ClassVar, Final

from anyio.abc import TaskGroup

from ..core.deadlines import LifePolicy, due, next_deadline
from ..core.errors import StoreError
from ..core.events import EndRequested, ReplyFinished, SessionEvent, UtteranceFinished
from ..core.instants import duration_us
from ..core.snapshots import changed
from ..core.states import SessionState
from .alarms import Alarm, Alarms
from .handle import SessionHandle
from .happenings import Failed, KeepAlive, SessionChanged
from .pipeline import SessionConfig
from .services import Services

__all__ = ("Timekeeper",)

_RETRY_US: Final = 500_000
_NEVER_US: Final = 1 << 62
_TALK: Final = frozenset[type[SessionEvent]]((UtteranceFinished, ReplyFinished))


class Timekeeper:
    """Ends, pauses and wakes up one session when it is time.

    Args:
        tasks: Where it moves the session, should that be due.
        say_goodbye: Called once, some time before the session may last no longer; None where
            nobody wants to.

    Attributes:
        follows: What `follow` is to be told of.
    """

    follows: ClassVar[frozenset[type]] = frozenset({SessionChanged})

    __slots__ = (
        "_alarm",
        "_alive_every_us",
        "_alive_us",
        "_clock",
        "_goodbye_before",
        "_handle",
        "_is_at_work",
        "_policy",
        "_say_goodbye",
        "_tasks",
    )

    def __init__(
        self,
        handle: SessionHandle,
        services: Services,
        config: SessionConfig,
        tasks: TaskGroup,
        alarms: Alarms,
        say_goodbye: Callable[[], None] | None,
    ) -> None:
        self._handle = handle
        self._clock = services.clock
        self._tasks = tasks
        self._alarm = Alarm(alarms, self._look_at_the_time)
        self._policy = _stricter(services.life, config)
        self._goodbye_before = config.goodbye_before
        self._say_goodbye = say_goodbye
        self._alive_every_us = (
            duration_us(config.keep_alive_interval) if config.enable_keep_alive else None
        )
        self._alive_us = self._clock.monotonic_us()
        self._is_at_work = False

    def begin(self) -> None:
        """Keep the time from now on."""
        self._alarm.set(self._next_look_us())

    def end(self) -> None:
        """Keep it no more."""
        self._alarm.cancel()

    def follow(self, happening: object) -> None:
        """Look at the time when the session, as it is now, wants it."""
        if not isinstance(happening, SessionChanged) or self._is_at_work:
            return
        if self._handle.is_over:
            self._alarm.cancel()
        elif self._alarm.due_us is not None and not _is_mere_talk(happening):
            self._alarm.set(self._next_look_us())

    def _look_at_the_time(self) -> None:
        if self._handle.is_over:
            return
        now, now_us = self._clock.now(), self._clock.monotonic_us()
        goodbye_at, alive_us = self._goodbye_at, self._next_alive_us
        if self._say_goodbye is not None and goodbye_at is not None and goodbye_at <= now:
            say_goodbye, self._say_goodbye = self._say_goodbye, None
            say_goodbye()
        if alive_us is not None and alive_us <= now_us:
            self._alive_us = alive_us
            self._handle.tell(KeepAlive())
        event = due(self._handle.session, self._policy, now)
        if event is None:
            self._alarm.set(self._next_look_us())
        else:
            self._is_at_work = True
            self._tasks.start_soon(self._bring_about, event)

    async def _bring_about(self, event: SessionEvent) -> None:
        try:
            if isinstance(event, EndRequested):
                await self._handle.end(event.reason, error=event.error)
            else:
                await self._handle.ownership.apply(event)
        except StoreError as error:
            self._handle.tell(Failed(error))
            self._alarm.set(self._clock.monotonic_us() + _RETRY_US)
        else:
            if not self._handle.is_over:
                self._alarm.set(self._next_look_us())
        finally:
            self._is_at_work = False

    def _next_look_us(self) -> int:
        now, now_us = self._clock.now(), self._clock.monotonic_us()
        instants = (next_deadline(self._handle.session, self._policy), self._goodbye_at)
        looks = [now_us + duration_us(at - now) for at in instants if at is not None]
        if self._next_alive_us is not None:
            looks.append(self._next_alive_us)
        return min(looks, default=_NEVER_US)

    @property
    def _goodbye_at(self) -> datetime | None:
        """When to say goodbye; None where that was said, or nothing ends the session."""
        session = self._handle.session
        if self._say_goodbye is None or session.state is not SessionState.LIVE:
            return None
        end_at = next_deadline(session, changed(self._policy, idle_time=None))
        return None if end_at is None else end_at - self._goodbye_before

    @property
    def _next_alive_us(self) -> int | None:
        return None if self._alive_every_us is None else self._alive_us + self._alive_every_us


def _is_mere_talk(change: SessionChanged) -> bool:
    """Whether nothing but words came: they only put off what is due, and that can wait till then."""
    return bool(change.entries) and all(type(entry.event) in _TALK for entry in change.entries)


def _stricter(life: LifePolicy, config: SessionConfig) -> LifePolicy:
    return changed(  # nothing, mostly: then all sessions share one
        life,
        idle_time=_shorter(life.idle_time, config.timeout),
        max_active=_shorter(life.max_active, config.max_active),
        max_wall_clock=_shorter(life.max_wall_clock, config.max_wall_clock),
    )


def _shorter(one: timedelta | None, other: timedelta | None) -> timedelta | None:
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)
