"""
What one live session may still spend on audio, and what it has spent.

Audio is reserved in slices before it is processed, so that what is spent and held together
never passes a limit. Each slice is a hold in the ledger. The session uses them up one after
the other and asks for the next one while there is still more than a lease left, so that the
ledger is asked once in ten seconds, and may be away for as long as the rest of the store. The
closer a limit comes the smaller they get, so that a warning is told in time and a session
holds little that others could use. What was not needed is given back when the session pauses
or ends: paused time costs nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Final

import anyio
from attrs import define

from ..core.accounts import Account, HoldId, Standing
from ..core.errors import (
    BudgetExhausted,
    InvalidValue,
    QuotaExceeded,
    StoreTimeout,
    VoiceSessionError,
)
from ..core.ledger import LedgerEntry, Posted, Want
from ..core.meters import Meter
from ..ports.clock import Clock
from ..ports.ledger import BudgetLedger

__all__ = ("FIRST_SLICE_US", "LARGEST_SLICE_US", "Purse")

FIRST_SLICE_US: Final = 5_000_000
LARGEST_SLICE_US: Final = 30_000_000
_SMALLEST_SLICE_US: Final = 1_000_000
_SLICES_TO_A_LIMIT: Final = 8


@define
class _Slice:
    hold_id: HoldId
    amount_us: int
    used_us: int = 0

    @property
    def left_us(self) -> int:
        return self.amount_us - self.used_us


class Purse:
    """The audio budget of one session that this worker owns.

    Args:
        accounts: All that the session spends from.
        new_hold_id: Draws the id of a hold.
    """

    def __init__(
        self,
        ledger: BudgetLedger,
        clock: Clock,
        accounts: tuple[Account, ...],
        new_hold_id: Callable[[], HoldId],
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._accounts = accounts
        self._new_hold_id = new_hold_id
        self._slices: deque[_Slice] = deque()
        self._used_up: dict[HoldId, int] = {}
        self._seat: HoldId | None = None
        self._unanswered: LedgerEntry | None = None
        self._turn = anyio.Lock()
        self._is_asking = False
        self._was_refused = False
        self._was_granted = False
        self._slice_us = FIRST_SLICE_US
        self._ask_below_us = 1
        self.tightest: Standing | None = None
        """What bounded the last slice, for people who ask why there is no more."""

    @property
    def left_us(self) -> int:
        """How much audio may be processed without asking."""
        return sum(each.left_us for each in self._slices)

    @property
    def wants_more(self) -> bool:
        """Whether it is time to `ask`."""
        return not self._is_asking and self.left_us < self._ask_below_us

    @property
    def is_dry(self) -> bool:
        """Whether audio was refused, and the ledger has no more."""
        return self._was_refused and not self._was_granted

    def take(self, audio_us: int) -> bool:
        """Spend *audio_us* of what is reserved; return False, and spend nothing, if it is not."""
        if self._slices and audio_us < self._slices[0].left_us:  # nearly always
            self._slices[0].used_us += audio_us
            return True
        if audio_us > self.left_us:
            self._was_refused = True
            self._ask_below_us = self.left_us + 1
            return False
        while audio_us:
            first = self._slices[0]
            used_us = min(audio_us, first.left_us)
            first.used_us += used_us
            audio_us -= used_us
            if not first.left_us:
                self._slices.popleft()
                self._used_up[first.hold_id] = first.used_us
        return True

    async def open(self) -> tuple[Standing, ...]:
        """Take a seat among the sessions that run at once, and reserve the first slice.

        Returns where a limit has come to a higher level by that.

        Raises:
            QuotaExceeded: As many sessions of one account run as may; nothing is held.
            BudgetExhausted: Nothing is left to spend; nothing is held.
        """
        if self._seat is not None and self.left_us:
            return ()
        risen = await self.ask()
        if self._seat is None:
            await self.settle()
            raise QuotaExceeded(f"as many sessions run at once as {_whose(self.tightest)} may")
        if not self.left_us:
            await self.settle(leave=True)
            raise BudgetExhausted(f"nothing is left of what {_whose(self.tightest)} may spend")
        return risen

    async def ask(self) -> tuple[Standing, ...]:
        """Book what is used up and reserve the next slice, or as much of it as there is.

        Returns where a limit has come to a higher level by that. While another call waits for
        the ledger, this one waits for its answer.
        """
        if self._is_asking:
            async with self._turn:
                return ()
        self._is_asking = True
        try:
            async with self._turn:
                return await self._ask()
        finally:
            self._is_asking = False

    async def settle(self, *, leave: bool = False) -> tuple[Standing, ...]:
        """Book what was used and give everything else back; return what has risen by that.

        Args:
            leave: Give the seat back, too: the session no longer runs here.
        """
        async with self._turn:
            if self._unanswered is not None:
                await self._ask()
            used = self._used_up | {each.hold_id: each.used_us for each in self._slices}
            seat = {self._seat} if leave and self._seat is not None else set[HoldId]()
            if not used and not seat:
                return ()
            posted = await self._post(settle=used, release=frozenset(seat))
            self._slices.clear()
            self._used_up.clear()
            self._slice_us = FIRST_SLICE_US
            self._ask_below_us = 1
            if leave:
                self._seat = None
            return posted.risen

    # --- inside --------------------------------------------------------------------------------

    async def _ask(self) -> tuple[Standing, ...]:
        posted = await self._next_slice()
        *seats, grant = posted.grants
        self.tightest = grant.tightest
        for seat in seats:
            self._seat = seat.hold_id if seat.amount else None
            self.tightest = grant.tightest if seat.amount else seat.tightest
        self._was_granted = grant.amount > 0
        if self._was_granted:
            self._was_refused = False
            self._slices.append(_Slice(grant.hold_id, grant.amount))
            self._slice_us = _next_slice_us(self.tightest)
        # With nothing granted it is asked once more when audio has to be refused: somebody
        # may have raised the limit by then.
        self._ask_below_us = grant.amount * 2 // 3
        return posted.risen

    async def _next_slice(self) -> Posted:
        """Post the entry for the next slice, or once more the one that had no answer."""
        entry = self._unanswered
        if entry is None:
            used_up, self._used_up = self._used_up, {}
            entry = self._entry(settle=used_up, reserve=self._wants())
        was_unanswered, self._unanswered = self._unanswered is not None, entry
        try:
            posted = await self._ledger.post(entry)
        except StoreTimeout:
            raise
        except InvalidValue:
            if not was_unanswered:
                raise
            # It was booked the first time, and nothing was granted.
            self._unanswered = None
            return await self._next_slice()
        except VoiceSessionError:
            if not was_unanswered:  # otherwise the first attempt may have been booked
                self._unanswered = None
                self._used_up = {**entry.settle, **self._used_up}
            raise
        self._unanswered = None
        return posted

    def _wants(self) -> tuple[Want, ...]:
        audio = Want(hold_id=self._new_hold_id(), meter=Meter.AUDIO_US, amount=self._slice_us)
        if self._seat is not None:
            return (audio,)
        return Want(hold_id=self._new_hold_id(), meter=Meter.SESSIONS, amount=1), audio

    async def _post(self, **booked: Any) -> Posted:
        return await self._ledger.post(self._entry(**booked))

    def _entry(self, **booked: Any) -> LedgerEntry:
        return LedgerEntry(at=self._clock.now(), accounts=self._accounts, **booked)


def _next_slice_us(tightest: Standing | None) -> int:
    remaining_us = None if tightest is None else tightest.remaining
    if remaining_us is None:
        return LARGEST_SLICE_US
    return min(LARGEST_SLICE_US, max(_SMALLEST_SLICE_US, remaining_us // _SLICES_TO_A_LIMIT))


def _whose(standing: Standing | None) -> str:
    return "the account" if standing is None else f"the {standing.line.account.scope}"
