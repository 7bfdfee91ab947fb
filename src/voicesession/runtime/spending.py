"""
How a live session spends: what it pays for, whom it tells, and when it has to pause.

The purse knows the numbers and the tariff what they cost; here they become events of the
session. A limit that comes to a higher level is journalled and told once. Where nothing is left,
the session pauses, once the agent has said what it was saying, and it goes on by itself when the
limit is raised or a new day begins; `BudgetPolicy` has other ways.

What engines have used is told by them as it happens (`EngineUsed`). It is booked with the next
slice of audio or one of the next ticks of the worker, but at once where a limit on it is near.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from ..core.accounts import Scope, Standing
from ..core.errors import BudgetExhausted, StoreError, VoiceSessionError
from ..core.events import BudgetLevelReached, BudgetRaised
from ..core.ledger import LedgerEntry
from ..core.life import is_legal
from ..core.meters import MONEY, Meter
from ..core.price import SessionCost, session_cost
from ..core.states import PauseReason, SessionState
from ..ports.prices import HOST, EngineModel
from .budgets import accounts_of, left_today
from .happenings import (
    BudgetLevelPassed,
    BudgetRanOut,
    EngineChanged,
    EngineUsed,
    Failed,
    Stage,
)
from .purse import Purse
from .services import Services
from .spender import Spawn, Spender
from .stopping import Stopping
from .tariff import Tariff

__all__ = ("Spending",)

_AFTERWARDS: Final = tuple(
    meter for meter in Meter if meter not in {Meter.AUDIO_US, Meter.SESSIONS, Meter.UNPRICED}
)
"""What is only known when it has happened."""


class Spending:
    """The budget of one session that this worker owns."""

    def __init__(self, services: Services, spender: Spender) -> None:
        self._ledger = services.storage.ledger
        self._clock = services.clock
        self._policy = services.budgets
        self._spender = spender
        self._running = spender.running
        self._accounts = accounts_of(spender.session)
        self._spawn: Spawn | None = None
        self._purse = Purse(self._ledger, self._clock, self._accounts, services.new_hold_id)
        self._slices = self._purse.slices
        self.tariff = Tariff(services.prices, self._clock)
        """What the engines at work cost."""
        self._priced_us = self._running.audio_used_us
        self._stopping = Stopping(
            spender, self._clock, self._policy.last_words, self._has_room_again, self.view
        )
        self._is_topping_up = False
        self._may_have_been_left = spender.session.epoch > 1
        spender.listeners.add(self._hear)

    def run_in(self, spawn: Spawn) -> None:
        """Let *spawn* run what must not hold up the audio."""
        self._spawn = spawn

    async def open(self) -> None:
        """Reserve what the session needs to run.

        Raises:
            BudgetExhausted: Nothing is left to spend, or money is limited and the price of an
                engine is not known.
            QuotaExceeded: Too many sessions of one account run at once.
        """
        if self._may_have_been_left:
            await self._tidy_up()
            self._may_have_been_left = False
        risen = await self._purse.open(_AFTERWARDS)
        if unknown := self._unpriced():
            await self._purse.settle(leave=True)
            raise BudgetExhausted(f"money is limited, and nobody knows what {unknown} costs")
        await self._report(risen)

    def spend(self, audio_us: int) -> bool:
        """Spend *audio_us* of audio; return False, and spend nothing, if there is no more."""
        left_us = self._slices.left_us - audio_us
        if left_us < self._purse.ask_below_us or self._stopping.is_under_way:
            return self._spend_what_is_left(audio_us)
        # All that a frame costs, but for a few in ten thousand.
        self._slices.left_us = left_us
        self._running.audio_used_us += audio_us
        return True

    def has(self, audio_us: int) -> bool:
        """Whether *audio_us* can be spent at once."""
        return self._slices.left_us >= audio_us

    async def afford(self, audio_us: int) -> bool:
        """Wait until *audio_us* can be spent at once; return False if there is no more."""
        while self._purse.left_us < audio_us:
            before_us = self._purse.left_us
            if self._stopping.is_under_way:
                return False
            await self.top_up()
            if self._purse.left_us <= before_us:
                return False
        return True

    async def charge(self, used: Mapping[Meter, int], engine: EngineModel = HOST) -> None:
        """Book what has happened already; it may pass a limit, and then the session pauses.

        Raises:
            InvalidValue: An amount is no whole number, or nothing that is spent.
            StoreError: It could not be booked.
        """
        charges = self.tariff.charges(engine, used)
        entry = LedgerEntry(at=self._clock.now(), accounts=self._accounts, charge=charges)
        posted = await self._ledger.post(entry)
        self._running.audio_used_us += used.get(Meter.AUDIO_US, 0)
        self._priced_us += used.get(Meter.AUDIO_US, 0)
        await self._report(posted.risen)
        if exhausted := [each for each in posted.limited if each.remaining == 0]:
            await self._run_out(exhausted)

    async def begin(self) -> None:
        """See to it that audio can be spent, now that there will be some."""
        if self._purse.wants_more:
            await self.top_up()

    async def top_up(self) -> None:
        """Book what was used and reserve more; where there is no more, the session pauses."""
        try:
            others_ask = self._purse.is_asking
            await self._report(await self._ask())
            if self._has_run_out and not others_ask:
                await self._run_out(self._exhausted())
        except VoiceSessionError as error:
            # It is asked again with the next audio.
            self._spender.listeners.tell(Failed(error))
        finally:
            self._is_topping_up = False

    async def pass_time(self) -> None:
        """Book what waits for it, or see whether a session that ran out has room again.

        Raises:
            StoreError: The ledger does not say.
        """
        session = self._spender.session
        if session.state is SessionState.LIVE:
            if not MONEY.isdisjoint(self._purse.besides.limited):
                self._note_price_of_audio()  # elsewhere it can wait for the next slice
            if self._purse.besides.is_due_at_tick():
                await self.top_up()
        elif self._policy.resumes and PauseReason.BUDGET_EXHAUSTED in session.pause_reasons:
            await self._look_for_room()

    async def settle(self, *, leave: bool = False) -> None:
        """Book what was used and give back what was not.

        Args:
            leave: The session no longer runs here: give its seat back, too.
        """
        self._note_price_of_audio()
        try:
            await self._report(await self._purse.settle(leave=leave))
            if leave and self._spender.session.epoch > 1:
                await self._tidy_up()  # an owner before us may have reserved until it knew
        except StoreError as error:
            self._spender.listeners.tell(Failed(error))

    async def cost(self, currency: str) -> SessionCost:
        """Return what the session has used and what that costs, to this moment.

        Raises:
            StoreError: The ledger does not say.
        """
        self._note_price_of_audio()
        return session_cost(await self._purse.counted(self._booked), currency=currency)

    async def view(self) -> dict[str, Any]:
        """Return the fields of the session that say what is left of its user's day."""
        account = next((a for a in self._accounts if a.scope is Scope.USER), self._accounts[-1])
        try:
            return await left_today(self._ledger, account, at=self._clock.now())
        except StoreError as error:
            self._spender.listeners.tell(Failed(error))
            return {}

    # --- inside --------------------------------------------------------------------------------

    def _spend_what_is_left(self, audio_us: int) -> bool:
        """See `spend`; for when it is time to ask for more."""
        if self._stopping.is_under_way:
            return False
        afforded = self._purse.take(audio_us)
        if afforded:
            self._running.audio_used_us += audio_us
        if not self._is_topping_up:
            self._top_up_soon()
        return afforded

    async def _booked(self) -> Mapping[Meter, int]:
        own = self._accounts[:1]
        found = await self._ledger.standings(own, Meter, at=self._clock.now())
        return {standing.line.meter: standing.spent for standing in found}

    async def _tidy_up(self) -> None:
        """Give back what an owner before us may have left; what it had told of is booked."""
        session = self._spender.session
        await self._ledger.release_session(
            session.tenant_id, session.id, audio_used_us=session.audio_used_us
        )

    def _hear(self, happening: object) -> None:
        if isinstance(happening, EngineUsed):
            self._note(happening)
        elif isinstance(happening, EngineChanged) and happening.stage is Stage.STT:
            self._note_price_of_audio()
            self.tariff.listener = EngineModel(happening.after, happening.model)

    def _top_up_soon(self) -> None:
        if self._spawn is not None:
            self._is_topping_up = True
            self._spawn(self.top_up)

    def _note(self, usage: EngineUsed) -> None:
        charges = self.tariff.charges(usage.engine, usage.used, wasted=usage.wasted)
        self._purse.besides.note(charges)
        if self._spender.session.state is not SessionState.LIVE:
            return  # it is booked when the session settles, or goes on
        if self._purse.besides.is_pressing or self._unpriced():
            self._top_up_soon()

    def _note_price_of_audio(self) -> None:
        used_us = self._running.audio_used_us - self._priced_us
        self._priced_us += used_us
        charges = self.tariff.charges(self.tariff.listener, {Meter.AUDIO_US: used_us})
        del charges[Meter.AUDIO_US]  # which is settled out of its slice
        self._purse.besides.note(charges)

    async def _ask(self) -> tuple[Standing, ...]:
        self._note_price_of_audio()
        return await self._purse.ask()

    def _unpriced(self) -> str:
        """Return what must be refused because nobody knows its price; nothing where all is well."""
        return (
            "" if self._policy.allow_unpriced else self.tariff.unknown(self._purse.besides.limited)
        )

    async def _look_for_room(self) -> None:
        await self._report(await self._ask())
        if self._purse.left_us and not self._has_run_out:
            raised = BudgetRaised(at=self._clock.now())
            session = await self._spender.apply(raised, **await self.view())
            if session.state is SessionState.LIVE:
                return
        await self.settle()

    @property
    def _has_run_out(self) -> bool:
        return self._purse.is_dry or bool(self._purse.besides.exhausted or self._unpriced())

    def _exhausted(self) -> Sequence[Standing]:
        dry = self._purse.tightest if self._purse.is_dry else None
        return [*self._purse.besides.exhausted, *([] if dry is None else [dry])]

    async def _run_out(self, exhausted: Sequence[Standing]) -> None:
        if self._stopping.is_possible:
            self._spender.listeners.tell(BudgetRanOut(tuple(exhausted)))
            await self._stopping.begin(self._spawn)

    async def _has_room_again(self) -> bool:
        await self._report(await self._ask())
        return self._purse.has_room and not self._has_run_out

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
