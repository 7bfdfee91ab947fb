"""
Books in which an entry is being booked, step by step; its steps decide, and note what moves.

It lives as long as one decision: `voicesession.core.budget` and `voicesession.core.ledger` make
one, and give away what came of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from .accounts import Hold, HoldId, Limit, Line, Standing
from .books import NOTHING, Books, Moves, lines_at
from .errors import InvalidValue
from .meters import Meter, quantity

__all__ = ("Draft", "check_spendable", "tightest")

_STILL: Final = (0, 0)
"""How much more is spent and held in a line that has not moved."""


class Draft:
    """What has moved in some books so far.

    Only what has a limit is decided on what stands in it: the balances of other lines need not
    be in the books.
    """

    def __init__(self, books: Books) -> None:
        self._books = books
        self._limited_meters = {meter for _, meter, _ in books.limits}
        self._moved: dict[Line, tuple[int, int]] = {}
        self._opened: dict[HoldId, Hold] = {}
        self._closed: set[HoldId] = set()

    @property
    def moves(self) -> Moves:
        """What has moved."""
        return Moves(
            lines=self._moved,
            opened=tuple(self._opened.values()),
            closed=tuple(self._closed),
        )

    def standing(self, line: Line) -> Standing:
        """Return where *line* stands now."""
        _, held = self._moved.get(line, _STILL)
        return Standing(
            line=line,
            limit=self._books.limits.get((line.account, line.meter, line.window)),
            spent=self._spent(line),
            held=self._books.balances.get(line, NOTHING).held + held,
        )

    def limited(self, lines: tuple[Line, ...]) -> tuple[Standing, ...]:
        """Return where those of *lines* stand that have a limit; all are of one meter."""
        return tuple(self.standing(line) for line, _ in self._limits(lines))

    def held(self, hold_id: HoldId) -> Hold | None:
        """Return a hold of the books, if it is still open."""
        return None if hold_id in self._closed else self._books.holds.get(hold_id)

    def hold(self, hold_id: HoldId) -> Hold:
        """Return a hold of the books that is still open.

        Raises:
            InvalidValue: It is not.
        """
        if (hold := self.held(hold_id)) is None:
            raise InvalidValue("hold_id", hold_id, "one that is held")
        return hold

    def reserve(
        self,
        lines: tuple[Line, ...],
        amount: int,
        *,
        hold_id: HoldId,
        expires_at: datetime | None = None,
    ) -> tuple[Hold | None, Standing | None]:
        """Set *amount* aside in *lines* of one meter, or what is left in all of them.

        Returns the hold, if anything was granted, and where the least is left after it.

        Raises:
            InvalidValue: The hold exists.
        """
        if hold_id in self._books.holds:
            raise InvalidValue("hold_id", hold_id, "one that is not held")
        left = tightest(self.limited(lines))
        granted = amount if left is None else min(amount, left.remaining or 0)
        if not granted:
            return None, left
        hold = Hold(
            id=hold_id, meter=lines[0].meter, amount=granted, lines=lines, expires_at=expires_at
        )
        self._opened[hold_id] = hold
        self._move(lines, held=granted)
        return hold, None if left is None else tightest(self.limited(lines))

    def settle(self, hold_id: HoldId, used: int, *, at: datetime) -> tuple[Standing, ...]:
        """Book *used* out of a hold and give its rest back; return where a limit has risen.

        Raises:
            InvalidValue: As `budget.settle`.
        """
        hold = self.hold(hold_id)
        check_spendable(hold.meter, used)
        if hold.meter is Meter.AUDIO_US and used > hold.amount:
            raise InvalidValue("used", used, f"at most {hold.amount}, which was reserved")
        self._closed.add(hold.id)
        return tuple(
            standing
            for standing in self._book(hold.lines, spent=used, held=-hold.amount)
            # What is settled in a window that has passed stops nobody now.
            if standing.line in lines_at(self._books, [standing.line.account], hold.meter, at)
        )

    def give_back(self, hold: Hold) -> None:
        """Close *hold*, and give back all of it."""
        self._closed.add(hold.id)
        self._move(hold.lines, held=-hold.amount)

    def spend(self, lines: tuple[Line, ...], used: int) -> tuple[Standing, ...]:
        """Book *used*, which has happened already; return where a limit has risen by it."""
        return self._book(lines, spent=used) if used else ()

    def _book(self, lines: tuple[Line, ...], *, spent: int, held: int = 0) -> tuple[Standing, ...]:
        limits = self._limits(lines)
        before = [limit.level_at(self._spent(line)) for line, limit in limits]
        self._move(lines, spent=spent, held=held)
        if not limits:  # as mostly
            return ()
        return tuple(
            self.standing(line)
            for (line, limit), level in zip(limits, before, strict=True)
            if limit.level_at(self._spent(line)) is not level
        )

    def _spent(self, line: Line) -> int:
        return self._books.balances.get(line, NOTHING).spent + self._moved.get(line, _STILL)[0]

    def _move(self, lines: Iterable[Line], *, spent: int = 0, held: int = 0) -> None:
        moved, by = self._moved, (spent, held)
        for line in lines:
            so_far = moved.setdefault(line, by)
            if so_far is not by:  # it has moved before
                moved[line] = (so_far[0] + spent, so_far[1] + held)

    def _limits(self, lines: tuple[Line, ...]) -> list[tuple[Line, Limit]]:
        if not lines or lines[0].meter not in self._limited_meters:
            return []
        limits = self._books.limits
        return [
            (line, limit)
            for line in lines
            if (limit := limits.get((line.account, line.meter, line.window))) is not None
        ]


def check_spendable(meter: Meter, used: int) -> None:
    """Do nothing if *used* of *meter* can be spent.

    Raises:
        InvalidValue: It is no whole number, or a slot.
    """
    quantity(meter, used)
    if meter is Meter.SESSIONS:
        raise InvalidValue("meter", meter, "one that is spent; a slot is held and released")


def tightest(limited: Iterable[Standing]) -> Standing | None:
    """Return the one with the least room; None where nothing is limited."""
    return min(limited, key=lambda standing: standing.remaining or 0, default=None)
