"""
What one live session may still spend, and what it has spent.

Audio is reserved in slices before it is processed, so that what is spent and held together
never passes a limit. Each slice is a hold in the ledger. The session uses them up one after
the other and asks for the next one while there is still more than a lease left, so that the
ledger is asked once a minute, and may be away for as long as the rest of the store. The
closer a limit comes the smaller they get, so that a warning is told in time and a session
holds little that others could use. What was not needed is given back when the session pauses
or ends: paused time costs nothing.

Everything else is known only when it has happened. It is noted here and booked along with the
next slice; the ledger answers with where its limits stand, also when others have used them up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Final

from attrs import evolve

from ..core.accounts import Account, HoldId, Standing
from ..core.errors import (
    BudgetExhausted,
    InvalidValue,
    QuotaExceeded,
    StoreTimeout,
    VoiceSessionError,
)
from ..core.ledger import Grant, LedgerEntry, Posted, Want
from ..core.meters import Meter
from ..ports.clock import Clock
from ..ports.ledger import BudgetLedger
from .afterwards import Afterwards
from .gate import Gate
from .slices import Slices

__all__ = ("FIRST_SLICE_US", "LARGEST_SLICE_US", "Purse")

FIRST_SLICE_US: Final = 5_000_000
LARGEST_SLICE_US: Final = 60_000_000
_LONGEST_AHEAD_US: Final = 20_000_000
_SMALLEST_SLICE_US: Final = 1_000_000
_SLICES_TO_A_LIMIT: Final = 16
_SOON_US: Final = 5_000_000


class Purse:
    """The budget of one session that this worker owns.

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
        self.slices = Slices()
        """What is reserved of audio; it is used up there."""
        self.besides = Afterwards()
        """What else the session has used; booked along with its audio."""
        self._used_up: dict[HoldId, int] = {}
        self._seat: HoldId | None = None
        self._unanswered: LedgerEntry | None = None
        self._turn = Gate()
        self.is_asking = False
        """Somebody waits for the ledger, and sees to what comes of it."""
        self._was_refused = False
        self._was_granted = False
        self._slice_us = FIRST_SLICE_US
        self.ask_below_us = 1
        """It is time to `ask` when less than this is left."""
        self.tightest: Standing | None = None
        """What bounded the last slice, for people who ask why there is no more."""

    @property
    def left_us(self) -> int:
        """How much audio may be processed without asking."""
        return self.slices.left_us

    @property
    def wants_more(self) -> bool:
        """Whether it is time to `ask`."""
        return not self.is_asking and self.left_us < self.ask_below_us

    @property
    def is_dry(self) -> bool:
        """Whether audio was refused, and the ledger has no more."""
        return self._was_refused and not self._was_granted

    @property
    def has_room(self) -> bool:
        """Whether the ledger had audio to give when it was last asked."""
        return self._was_granted

    def take(self, audio_us: int) -> bool:
        """Spend *audio_us* of what is reserved; return False, and spend nothing, if it is not."""
        if audio_us > self.left_us:
            self._was_refused = True
            self.ask_below_us = self.left_us + 1
            return False
        self.slices.left_us -= audio_us
        return True

    async def open(self, also: Iterable[Meter] = ()) -> tuple[Standing, ...]:
        """Take a seat among the sessions that run at once, and reserve the first slice.

        Returns where a limit has come to a higher level by that; what the session holds is left.

        Args:
            also: Other meters that must not be exhausted.

        Raises:
            QuotaExceeded: As many sessions of one account run as may; nothing is held.
            BudgetExhausted: Nothing is left to spend; nothing is held.
        """
        if self._seat is not None and self.left_us and not self.besides.exhausted:
            return ()
        self.besides.note(dict.fromkeys(also, 0))
        risen = await self.ask()
        if self._seat is None:
            await self.settle()
            raise QuotaExceeded(f"as many sessions run at once as {_whose(self.tightest)} may")
        if self.besides.exhausted:
            await self.settle(leave=True)
            (first, *_) = self.besides.exhausted
            raise BudgetExhausted(f"no {first.line.meter} is left that {_whose(first)} may spend")
        if not self.left_us:
            await self.settle(leave=True)
            raise BudgetExhausted(f"nothing is left of what {_whose(self.tightest)} may spend")
        return risen

    async def ask(self) -> tuple[Standing, ...]:
        """Book what is used and reserve the next slice, or as much of it as there is.

        Returns where a limit has come to a higher level by that. While another call waits for
        the ledger, this one waits for its answer.
        """
        if self.is_asking:
            async with self._turn:
                return ()
        self.is_asking = True
        try:
            async with self._turn:
                risen, granted = await self._answer_so_far()
                return risen if granted else risen + await self._post(self._next_slice())
        finally:
            self.is_asking = False

    async def settle(self, *, leave: bool = False) -> tuple[Standing, ...]:
        """Book what was used and give everything else back; return what has risen by that.

        Whoever took the session over may have booked what it had used; then there is nothing
        to book here.

        Args:
            leave: Give the seat back, too: the session no longer runs here.
        """
        async with self._turn:
            risen, _granted = await self._answer_so_far()
            seat = {self._seat} if leave and self._seat is not None else set[HoldId]()
            self._used_up.update(self.slices.pop_all())
            self._slice_us, self.ask_below_us = FIRST_SLICE_US, 1
            if not (self._used_up or self.besides.is_due or seat):
                return risen
            try:
                return risen + await self._post(self._entry(release=frozenset(seat)))
            except InvalidValue:
                self._used_up.clear()
                return risen + await self._post(self._entry(release=frozenset(seat)))

    async def counted(
        self, booked: Callable[[], Awaitable[Mapping[Meter, int]]]
    ) -> Mapping[Meter, int]:
        """Return what is *booked* and what is not booked yet, together."""
        async with self._turn:
            await self._answer_so_far()
            counted = Counter(await booked())
            counted.update(self.besides.noted)
            counted[Meter.AUDIO_US] += sum(self._used_up.values()) + self.slices.used_us
            return counted

    # --- inside --------------------------------------------------------------------------------

    def _next_slice(self) -> LedgerEntry:
        # Not long before the next slice is due it comes along with what is to be booked.
        is_due = self.left_us < self.ask_below_us + _SOON_US
        # A little goes along in any case: an entry that was granted something can be posted again.
        amount_us = self._slice_us if is_due else _SMALLEST_SLICE_US
        audio = Want(hold_id=self._new_hold_id(), meter=Meter.AUDIO_US, amount=amount_us)
        if self._seat is not None:
            return self._entry(reserve=(audio,))
        seat = Want(hold_id=self._new_hold_id(), meter=Meter.SESSIONS, amount=1)
        return self._entry(reserve=(seat, audio))

    def _entry(
        self, *, reserve: tuple[Want, ...] = (), release: frozenset[HoldId] = frozenset()
    ) -> LedgerEntry:
        """Return an entry with everything that is not booked; it is booked only there."""
        self._used_up.update(self.slices.pop_used_up())
        used_up, self._used_up = self._used_up, {}
        return LedgerEntry(
            at=self._clock.now(),
            accounts=self._accounts,
            settle=used_up,
            charge=self.besides.asked(),
            release=release,
            reserve=reserve,
        )

    async def _post(self, entry: LedgerEntry) -> tuple[Standing, ...]:
        try:
            posted = await self._ledger.post(entry)
        except StoreTimeout:
            self._unanswered = entry
            raise
        except VoiceSessionError:
            self._used_up.update(entry.settle)
            self.besides.note(entry.charge)
            raise
        return self._booked(entry, posted)

    async def _answer_so_far(self) -> tuple[tuple[Standing, ...], bool]:
        """Find out what became of an entry that had no answer; return whether audio was granted.

        It is posted once more. Only one that settles nothing and is granted nothing would be
        booked twice by that: rather than not at all.
        """
        entry = self._unanswered
        if entry is None:
            return (), False
        try:
            posted = await self._ledger.post(entry)
        except InvalidValue:
            # It was booked the first time, nothing was granted, and what it told is lost.
            entry, posted = evolve(entry, charge={}), Posted()
        self._unanswered = None
        before_us = self.left_us
        return self._booked(entry, posted), self.left_us > before_us

    def _booked(self, entry: LedgerEntry, posted: Posted) -> tuple[Standing, ...]:
        if self._seat in entry.release:
            self._seat = None
        self.besides.learn(entry.charge, posted)
        risen = tuple(_seen_by_holder(each, self.left_us) for each in posted.risen)
        for want, grant in zip(entry.reserve, posted.grants, strict=False):
            if want.meter is Meter.SESSIONS:
                self._seat = want.hold_id if grant.amount else None
            else:
                self._granted(want, grant)
        for grant in posted.grants:
            if grant.hold_id != self._seat:
                self.tightest = grant.tightest
                break
        return risen

    def _granted(self, want: Want, grant: Grant) -> None:
        is_whole = want.amount > _SMALLEST_SLICE_US or self._slice_us == _SMALLEST_SLICE_US
        amount_us = grant.amount
        self._was_granted = amount_us > 0
        if self._was_granted:
            self._was_refused = False
            self.slices.add(want.hold_id, amount_us)
            self._slice_us = _next_slice_us(grant.tightest)
        # With nothing granted it is asked once more when audio has to be refused: somebody
        # may have raised the limit by then.
        if is_whole or not amount_us:
            self.ask_below_us = min(amount_us * 2 // 3, _LONGEST_AHEAD_US)


def _next_slice_us(tightest: Standing | None) -> int:
    remaining_us = None if tightest is None else tightest.remaining
    if remaining_us is None:
        return LARGEST_SLICE_US
    return min(LARGEST_SLICE_US, max(_SMALLEST_SLICE_US, remaining_us // _SLICES_TO_A_LIMIT))


def _seen_by_holder(standing: Standing, left_us: int) -> Standing:
    """Return *standing* for who holds *left_us* of its audio: that may still be spent."""
    # It is held in the same window: slices are used in order, and days that are over do not rise.
    if standing.line.meter is not Meter.AUDIO_US:
        return standing
    return evolve(standing, held=max(0, standing.held - left_us))


def _whose(standing: Standing | None) -> str:
    return "the account" if standing is None else f"the {standing.line.account.scope}"
