"""
How a live session spends: what it pays for, whom it tells, and when it has to pause.

The purse knows the numbers; here they become events of the session. A limit that comes to a
higher level is journalled and told once. Where audio has to be refused because nothing is
left, the session pauses, and it goes on by itself when the limit is raised or a new day begins.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any, Final, Protocol, TypeAlias

from ..core.accounts import Account, Scope, Standing
from ..core.errors import InvalidState, StoreError, VoiceSessionError
from ..core.events import BudgetLevelReached, BudgetRaised, BudgetSpent, SessionEvent
from ..core.ledger import LedgerEntry
from ..core.life import is_legal
from ..core.meters import Meter
from ..core.session import DailyRemaining, Session
from ..core.states import PauseReason, SessionState
from ..core.windows import Window
from .budgets import accounts_of
from .happenings import BudgetLevelPassed, Failed, Listeners
from .purse import Purse
from .record import Running
from .services import Services

__all__ = ("Spawn", "Spending")

Spawn: TypeAlias = Callable[[Callable[[], Coroutine[Any, Any, None]]], None]
"""Runs something in the background."""

_VIEWED: Final = (Meter.AUDIO_US, Meter.VIDEO_TOKENS, Meter.SCREEN_TOKENS)


class Spender(Protocol):
    """The session that spends, as its owner has it in hand."""

    @property
    def session(self) -> Session: ...

    @property
    def running(self) -> Running: ...

    @property
    def listeners(self) -> Listeners: ...

    def apply(self, *events: SessionEvent) -> Awaitable[Session]:
        """Apply *events* and do what is owed for them."""
        ...

    def note(self, event: SessionEvent) -> Awaitable[Session]:
        """Apply *event*, for which nothing is ever owed."""
        ...


class Spending:
    """The budget of one session that this worker owns.

    Args:
        spawn: Runs what must not hold up the audio; None where nothing can.
    """

    def __init__(self, services: Services, spender: Spender) -> None:
        self._ledger = services.storage.ledger
        self._clock = services.clock
        self._spender = spender
        self._accounts = accounts_of(spender.session)
        self._spawn: Spawn | None = None
        self._purse = Purse(self._ledger, self._clock, self._accounts, services.new_hold_id)

    def run_in(self, spawn: Spawn) -> None:
        """Let *spawn* run what must not hold up the audio."""
        self._spawn = spawn

    async def open(self) -> None:
        """Reserve what the session needs to run.

        Raises:
            BudgetExhausted: Nothing is left to spend.
            QuotaExceeded: Too many sessions of one account run at once.
        """
        await self._report(await self._purse.open())

    def spend(self, audio_us: int) -> bool:
        """Spend *audio_us* of audio; return False, and spend nothing, if there is no more."""
        afforded = self._purse.take(audio_us)
        if afforded:
            self._spender.running.audio_used_us += audio_us
        if self._purse.wants_more and self._spawn is not None:
            self._spawn(self.top_up)
        return afforded

    async def afford(self, audio_us: int) -> bool:
        """Wait until *audio_us* can be spent at once; return False if there is no more."""
        while self._purse.left_us < audio_us:
            before_us = self._purse.left_us
            await self.top_up()
            if self._purse.left_us <= before_us:
                return False
        return True

    async def charge(self, used: Mapping[Meter, int]) -> None:
        """Book what has happened already; it may pass a limit, and then the session pauses.

        Raises:
            InvalidValue: An amount is no whole number, or nothing that is spent.
            StoreError: It could not be booked.
        """
        entry = LedgerEntry(at=self._clock.now(), accounts=self._accounts, charge=used)
        risen = (await self._ledger.post(entry)).risen
        await self._report(risen)
        if any(standing.remaining == 0 for standing in risen):
            await self._pause()

    async def begin(self) -> None:
        """See to it that audio can be spent, now that there will be some."""
        if self._purse.wants_more:
            await self.top_up()

    async def top_up(self) -> None:
        """Reserve more; where audio was refused and there is no more, the session pauses."""
        try:
            await self._report(await self._purse.ask())
            if self._purse.is_dry:
                await self._pause()
        except VoiceSessionError as error:
            # It is asked again with the next audio.
            self._spender.listeners.tell(Failed(error))

    async def look_for_room(self) -> None:
        """Let a session that is paused for its budget go on, if there is room again.

        Raises:
            StoreError: The ledger does not say.
        """
        if PauseReason.BUDGET_EXHAUSTED not in self._spender.session.pause_reasons:
            return
        await self._report(await self._purse.ask())
        if self._purse.left_us:
            session = await self._spender.apply(BudgetRaised(at=self._clock.now()))
            if session.state is not SessionState.LIVE:
                await self.settle()

    async def settle(self, *, leave: bool = False) -> None:
        """Book what was used and give back what was not.

        Args:
            leave: The session no longer runs here: give its seat back, too.
        """
        try:
            await self._report(await self._purse.settle(leave=leave))
        except StoreError as error:
            self._spender.listeners.tell(Failed(error))

    async def view(self) -> dict[str, Any]:
        """Return the fields of the session that say what is left of its user's day."""
        account = next((a for a in self._accounts if a.scope is Scope.USER), self._accounts[-1])
        try:
            left = await self._left_today(account)
        except StoreError as error:
            self._spender.listeners.tell(Failed(error))
            return {}
        if not any(amount is not None for amount in left.values()):
            return {"daily_budget_remaining": None}
        return {
            "daily_budget_remaining": DailyRemaining(
                audio_us=left[Meter.AUDIO_US],
                video_tokens=left[Meter.VIDEO_TOKENS],
                screen_tokens=left[Meter.SCREEN_TOKENS],
            )
        }

    # --- inside --------------------------------------------------------------------------------

    async def _left_today(self, account: Account) -> dict[Meter, int | None]:
        found = await self._ledger.standings([account], _VIEWED, at=self._clock.now())
        return {
            standing.line.meter: standing.remaining
            for standing in found
            if standing.line.window is Window.DAY
        }

    async def _pause(self) -> None:
        spent = BudgetSpent(at=self._clock.now())
        try:
            if is_legal(self._spender.session, spent):
                await self._spender.apply(spent)
        except InvalidState:
            # Another one who found nothing was faster, or somebody has ended the session.
            if is_legal(self._spender.session, spent):
                raise

    async def _report(self, risen: Sequence[Standing]) -> None:
        for standing in risen:
            event = BudgetLevelReached(
                at=self._clock.now(),
                meter=standing.line.meter,
                scope=standing.line.account.scope,
                level=standing.level,
            )
            if is_legal(self._spender.session, event):
                await self._spender.note(event)
            self._spender.listeners.tell(BudgetLevelPassed(standing))
