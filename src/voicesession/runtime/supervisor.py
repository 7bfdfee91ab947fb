"""
How a worker keeps what it owns, and gives up what it has lost.

Every tick it renews all leases and writes all running stats, one round trip each however
many sessions there are; learns from the answer which sessions were commanded by others or
lost to them; and applies what time has brought about.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Final, Protocol

import anyio
from anyio.lowlevel import checkpoint

from ..core.errors import StoreError, VoiceSessionError
from ..core.identity import SessionId
from ..core.instants import duration_us
from ..ports.clock import Clock
from ..ports.storage import RunningStats, SessionStore

__all__ = ("Owned", "Supervisor")

_TICKS_PER_LEASE: Final = 3


class Owned(Protocol):
    """A session that this worker runs, as far as the supervisor cares."""

    @property
    def epoch(self) -> int: ...

    @property
    def seq(self) -> int: ...

    def running_stats(self) -> RunningStats: ...

    def lost(self) -> None:
        """Stop at once: another worker owns the session, or may by now."""
        ...

    async def lease_gone(self) -> None:
        """Find out why there is no lease any more, and do what is owed for it."""
        ...

    async def catch_up(self) -> None:
        """Load what somebody else has changed, and do what is owed for it."""
        ...

    async def pass_time(self) -> None:
        """Apply whatever has become due."""
        ...


class Supervisor:
    """Renews the leases of everything in *owned*, for as long as `run` runs.

    Args:
        on_away: Called when the store does not answer.
        after_tick: Called after each tick, also where nothing is owned.
    """

    def __init__(
        self,
        store: SessionStore,
        clock: Clock,
        *,
        lease: timedelta,
        on_away: Callable[[], None],
        on_error: Callable[[SessionId | None, Exception], None],
        after_tick: Callable[[], None],
    ) -> None:
        self._store = store
        self._clock = clock
        self._lease = lease
        self._on_away = on_away
        self._on_error = on_error
        self._after_tick = after_tick
        self._renewed_us: dict[SessionId, int] = {}
        self._at_work: set[SessionId] = set()
        self.owned: dict[SessionId, Owned] = {}

    def add(self, session_id: SessionId, owned: Owned) -> None:
        """Look after *owned* from now on; its lease has just been taken."""
        self.owned[session_id] = owned
        self._renewed_us[session_id] = self._clock.monotonic_us()

    def remove(self, session_id: SessionId) -> None:
        """Forget a session that is over or given up."""
        self.owned.pop(session_id, None)
        self._renewed_us.pop(session_id, None)

    async def run(self) -> None:
        """Tick until cancelled. However long one session takes, no other waits for it."""
        period_us = duration_us(self._lease) // _TICKS_PER_LEASE
        self._at_work.clear()
        async with anyio.create_task_group() as tasks:
            while True:
                await self._clock.sleep_until(self._clock.monotonic_us() + period_us)
                owned = dict(self.owned)
                if owned:
                    tasks.start_soon(self._look_after, owned, await self._renewed(owned))
                self._after_tick()

    async def tick(self) -> None:
        """Renew, write, listen and look at the time, once, for every session."""
        owned = dict(self.owned)
        if owned:
            await self._look_after(owned, await self._renewed(owned))

    async def _renewed(self, owned: Mapping[SessionId, Owned]) -> Mapping[SessionId, int] | None:
        """Renew and write; return where the store has each session, or None if it is away."""
        asked_us = self._clock.monotonic_us()
        held = {session_id: session.epoch for session_id, session in owned.items()}
        try:
            seqs = await self._store.renew_leases(held, duration=self._lease)
            for session_id in seqs:
                if session_id in self._renewed_us:  # it did not end while the store was answering
                    self._renewed_us[session_id] = asked_us
            await self._store.write_stats({i: s.running_stats() for i, s in owned.items()})
        except StoreError as error:
            # A store that is away for less than a lease is none of the callers' business.
            self._on_away()
            self._on_error(None, error)
            self._give_up_what_may_be_taken(owned)
            return None
        return seqs

    async def _look_after(
        self, owned: Mapping[SessionId, Owned], seqs: Mapping[SessionId, int] | None
    ) -> None:
        async with anyio.create_task_group() as tasks:
            for session_id, session in owned.items():
                if self.owned.get(session_id) is session and session_id not in self._at_work:
                    self._at_work.add(session_id)
                    tasks.start_soon(self._look_after_one, session_id, session, seqs)
                    await checkpoint()  # the audio of all others goes on between any two of them

    async def _look_after_one(
        self, session_id: SessionId, session: Owned, seqs: Mapping[SessionId, int] | None
    ) -> None:
        try:
            await self._follow(session_id, session, seqs)
        except VoiceSessionError as error:
            self._on_error(session_id, error)
        finally:
            self._at_work.discard(session_id)

    async def _follow(
        self, session_id: SessionId, session: Owned, seqs: Mapping[SessionId, int] | None
    ) -> None:
        if seqs is not None and session_id not in seqs:
            self.remove(session_id)
            await session.lease_gone()
            return
        if seqs is not None and seqs[session_id] > session.seq:
            await session.catch_up()
        await session.pass_time()

    def _give_up_what_may_be_taken(self, owned: Mapping[SessionId, Owned]) -> None:
        lapsed_us = self._clock.monotonic_us() - duration_us(self._lease)
        for session_id, session in owned.items():
            if self._renewed_us.get(session_id, 0) <= lapsed_us:
                self.remove(session_id)
                session.lost()
