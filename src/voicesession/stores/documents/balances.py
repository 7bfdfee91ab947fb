"""
What stands in the lines of the books, and how a busy line is spread over several documents.

A document takes about one write a second for long on Firestore, and every session of a tenant
writes the tenant's lines. So the line of a tenant is kept in *shards*: what stands in it is their
sum, and an entry writes one of them. That must not let two entries spend the same remainder, nor
pass a level unnoticed; so each shard has been dealt

* *room*: how much it may add to what is spent and held, and
* *calm*: how much it may add to what is spent before a limit warns or is exhausted.

The rooms together are never more than the limit has left, nor the calms than is left to the next
level. An entry that keeps within the room and the calm of its shard writes that one alone. Any
other entry is decided on all shards, and writes all of them with what is left dealt anew. What
has been dealt holds for one revision of the account, so that a limit that changes takes it back.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from math import ceil
from typing import Final

from attrs import evolve, frozen

from ...core.accounts import Account, Balance, Limit, Line, Scope
from ...core.books import Books, Moves
from ...ports.documents import Body, DocumentKey, StoredDocument
from ..records import line_document
from . import layout
from .transactions import Transaction

__all__ = ("Balances", "account_name")

_ENDLESS: Final = 2**62


@frozen(kw_only=True)
class _More:
    """What an entry adds to a line; less than nothing where it gives back."""

    spent: int
    held: int

    @property
    def together(self) -> int:
        return self.spent + self.held


@frozen(kw_only=True)
class _Shard:
    """One document of a line.

    Attributes:
        spent: Its part of what is spent; ``held`` likewise. Only their sums mean anything: what
            is held in one shard may be given back in another.
        dealt_at: The revision of the account that room and calm hold for.
    """

    spent: int = 0
    held: int = 0
    room: int = 0
    calm: int = 0
    dealt_at: str = ""

    @classmethod
    def of(cls, stored: StoredDocument | None) -> _Shard:
        if stored is None:
            return cls()
        names = ("spent", "held", "room", "calm", "dealt_at")
        return cls(**{name: stored.body[name] for name in names})

    def document(self, line: Line) -> Body:
        return {
            **line_document(line),
            "spent": self.spent,
            "held": self.held,
            "room": self.room,
            "calm": self.calm,
            "dealt_at": self.dealt_at,
        }

    def with_more(self, more: _More) -> _Shard:
        return evolve(
            self,
            spent=self.spent + more.spent,
            held=self.held + more.held,
            # What is given back is not dealt out again before everything is.
            room=max(0, self.room - max(0, more.together)),
            calm=max(0, self.calm - more.spent),
        )


class Balances:
    """Reads and writes what stands in lines."""

    def __init__(self, shards: int) -> None:
        self._shards = shards

    async def read(self, reading: Transaction, lines: Iterable[Line]) -> dict[Line, Balance]:
        """Return what stands in *lines*."""
        lines = tuple(lines)
        await reading.get(key for line in lines for key in self._keys(line))
        balances: dict[Line, Balance] = {}
        for line in lines:
            shards = self._read(reading, line)
            balances[line] = Balance(
                spent=sum(shard.spent for shard in shards),
                held=sum(shard.held for shard in shards),
            )
        return balances

    def write(
        self, writing: Transaction, before: Books, moves: Moves, dealt_at: Mapping[Account, str]
    ) -> None:
        """Put what *moves*; the lines must have been read into *before*.

        Args:
            dealt_at: The revision of each account that may have limits, as it was read.
        """
        after = moves.balances(before.balances)
        for line, (spent, held) in moves.lines.items():
            if not (spent or held):
                continue
            more = _More(spent=spent, held=held)
            limit = before.limits.get((line.account, line.meter, line.window))
            shards = self._read(writing, line)
            own = random.randrange(len(shards))  # noqa: S311  # to spread them
            if len(shards) == 1 or _is_quiet(shards, own, more, limit, dealt_at.get(line.account)):
                changed = {own: shards[own].with_more(more)}
            else:
                shards[own] = shards[own].with_more(more)
                dealt = _dealt(shards, after[line], limit, dealt_at.get(line.account, ""))
                changed = dict(enumerate(dealt))
            for number, key in enumerate(self._keys(line)):
                if number in changed:
                    writing.put(key, changed[number].document(line))
                else:
                    writing.ignore(key)

    def _read(self, reading: Transaction, line: Line) -> list[_Shard]:
        return [_Shard.of(reading.seen(key)) for key in self._keys(line)]

    def _keys(self, line: Line) -> list[DocumentKey]:
        name = f"{account_name(line.account)}~{line.meter}~{line.window}~{line.period}"
        shards = self._shards if line.account.scope is Scope.TENANT else 1
        # The first has no number: it is all there is without shards.
        return [
            DocumentKey("balances", f"{name}~{number}" if number else name)
            for number in range(shards)
        ]


def account_name(account: Account) -> str:
    """Return what the ids of an account's documents begin with."""
    return layout.digest(account.tenant_id, account.scope, account.id)


def _is_quiet(
    shards: Sequence[_Shard], own: int, more: _More, limit: Limit | None, dealt_at: str | None
) -> bool:
    """Whether one shard may be written alone: whatever others write, no limit would notice."""
    if limit is None or (more.together <= 0 and more.spent == 0):
        return True
    if shards[own].dealt_at != dealt_at or more.spent > shards[own].calm:
        return False
    # What was spent already needs no room where nobody has any left to grant.
    is_full = more.held <= 0 and not any(shard.room for shard in shards)
    return more.together <= shards[own].room or is_full


def _dealt(
    shards: Sequence[_Shard], balance: Balance, limit: Limit | None, dealt_at: str
) -> list[_Shard]:
    """Return *shards* with what is left of *limit* dealt out evenly."""
    if limit is None:
        return list(shards)
    room = max(0, limit.amount - balance.spent - balance.held)
    levels = (ceil(limit.amount * limit.warn_at), limit.amount)
    calm = min((at - 1 - balance.spent for at in levels if at > balance.spent), default=_ENDLESS)
    return [
        evolve(
            shard,
            room=_portion(room, number, len(shards)),
            calm=_portion(calm, number, len(shards)),
            dealt_at=dealt_at,
        )
        for number, shard in enumerate(shards)
    ]


def _portion(amount: int, number: int, shards: int) -> int:
    return amount // shards + (number < amount % shards)
