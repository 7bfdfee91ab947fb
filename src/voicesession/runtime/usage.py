"""What somebody else has measured: the audio a session has used, and what its user has left."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Final

import anyio
from attrs import evolve

from ..core.accounts import WARN_AT, Account, Limit, Scope
from ..core.errors import InvalidValue, SessionAlreadyActive, SessionNotActive
from ..core.events import DetailsChanged
from ..core.identity import shortened
from ..core.meters import US_PER_MINUTE, Meter, Number, audio_us, quantity
from ..core.session import DailyRemaining, Session
from ..core.windows import Window
from .commands import Commands
from .home import Home, at_home
from .ownership import Ownership
from .registry import Registry
from .services import Services

__all__ = ("Usage",)

_GIVING_BACK_TAKES_AT_MOST_S: Final = 5.0


@at_home
class Usage:
    """`SessionManager.usage`: for hosts that count by themselves.

    Every method raises SessionNotFound where the tenant has no session of the id.
    """

    def __init__(
        self, services: Services, home: Home, commands: Commands, registry: Registry
    ) -> None:
        self._services = services
        self._home = home
        self._commands = commands
        self._registry = registry

    async def set_audio_minutes(self, session_id: str, minutes: Number) -> Session:
        """Book that a session has used *minutes* of audio in all, since it began.

        What that adds to the recorded value is charged to the session, to its user and to
        its tenant; if a limit is reached by it, the session pauses.

        Args:
            minutes: An exact number, rounded to whole microseconds.

        Raises:
            InvalidValue: It is less than what is recorded already.
            SessionAlreadyActive: Another worker runs the session, and counts by itself.
            SessionExpired: Its time is over.
            SessionNotActive: It has ended.
        """
        total_us = audio_us(minutes)
        async with self._in_hand(session_id) as ownership:
            recorded_us = ownership.running.audio_used_us
            if total_us < recorded_us:
                least = recorded_us / US_PER_MINUTE
                raise InvalidValue("audio_minutes_used", minutes, f"{least} or more")
            if total_us > recorded_us:
                await ownership.spending.charge({Meter.AUDIO_US: total_us - recorded_us})
                changed = DetailsChanged(at=self._services.clock.now(), fields=("audio_used",))
                await ownership.apply(changed)
            return ownership.session

    async def set_remaining_today(self, session_id: str, left: Mapping[Meter, int]) -> Session:
        """Set the limits of the user's day so that just so much is left of it.

        Args:
            left: In units of each meter: audio, video tokens, screen tokens. The limits of
                other meters stay as they are.

        Raises:
            InvalidValue: An amount cannot be one, or the session has no user.
            SessionNotActive: The session has ended.
        """
        session = await self._commands.load(session_id)
        if session.user_id is None:
            raise InvalidValue("daily_budget_remaining", None, "that of a session of a user")
        if session.end_reason is not None:
            raise SessionNotActive(f"session …{shortened(session.id)} is over")
        for meter, amount in left.items():
            quantity(meter, amount)
        await self._arm(Account(Scope.USER, session.user_id, session.tenant_id), left)
        shown = session.daily_budget_remaining or DailyRemaining()
        changed = DetailsChanged(at=self._services.clock.now(), fields=("daily_budget_remaining",))
        return await self._commands.apply(
            session_id,
            changed,
            daily_budget_remaining=evolve(shown, **{meter.value: left[meter] for meter in left}),
        )

    async def _arm(self, account: Account, left: Mapping[Meter, int]) -> None:
        ledger, now = self._services.storage.ledger, self._services.clock.now()
        for standing in await ledger.standings([account], list(left), at=now):
            meter = standing.line.meter
            if standing.line.window is Window.DAY:
                limit = Limit(
                    account=account,
                    meter=meter,
                    window=Window.DAY,
                    amount=standing.spent + standing.held + left[meter],
                    warn_at=WARN_AT if standing.limit is None else standing.limit.warn_at,
                )
                await ledger.set_limit(limit, at=now)

    @asynccontextmanager
    async def _in_hand(self, session_id: str) -> AsyncGenerator[Ownership]:
        """Own a session for a moment: only its owner may say what it has used."""
        if (owned := self._commands.owned(session_id)) is not None:
            yield owned
            return
        session = await self._commands.load(session_id)
        if session.worker_id is not None:
            raise SessionAlreadyActive(f"session …{shortened(session.id)} counts by itself")
        ownership = await self._registry.take(session_id)
        try:
            yield ownership
        finally:
            with anyio.move_on_after(_GIVING_BACK_TAKES_AT_MOST_S, shield=True):
                await self._services.storage.sessions.release_lease(
                    ownership.session.id, epoch=ownership.epoch
                )
