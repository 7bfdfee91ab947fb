"""
What the stores of a relational database need of it: to run scripts, whole.

A `Script` is a transaction without its I/O: a generator that yields a statement with its
values, is given the rows, and returns the result. So what happens in a transaction is said
once, and each database runs it in its own way. A list of values runs the statement once for
each of them, and gives no rows.

A script may be run again from the start, so it is handed over as a function that makes it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Protocol, TypeAlias, TypeVar

from ...ports.storage import Change
from ..codec import Document, Stored
from .statement import Statement, Values

__all__ = ("Asked", "Database", "MakesScript", "Script")

T = TypeVar("T")

Asked: TypeAlias = tuple[Statement, Values | list[Document]]
Script: TypeAlias = Generator[Asked, Sequence[Stored], T]
MakesScript: TypeAlias = Callable[[], Script[T]]


class Database(Protocol):
    """Runs scripts. Errors: `StoreUnavailable`, `StoreTimeout`, and what a script raises."""

    async def read(self, makes_script: MakesScript[T], /) -> T:
        """Run a script that only reads, on one state of the database."""
        ...

    async def ask(self, makes_script: MakesScript[T], /) -> T:
        """Run a script of a single statement, which only reads."""
        ...

    async def write(self, makes_script: MakesScript[T], /) -> T:
        """Run a script on the latest state and commit it, or undo all of it."""
        ...

    async def erase(self, makes_script: MakesScript[T], /) -> T:
        """As `write`, and leave no trace of what was deleted where that can be helped."""
        ...

    async def commit(self, change: Change, /) -> None:
        """Write *change*, together with others that wait, each of them whole or not at all."""
        ...
