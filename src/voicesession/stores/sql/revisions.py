"""
Which revision of the tables a database has, and what is to be done about it.

Alembic counts them in a table of our own, ``voice_revision``. The first one was counted by
``voice_schema``, before there was Alembic.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from enum import Enum, auto
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import create_mock_engine

from ...core.errors import StoreError
from .schema import METADATA

__all__ = (
    "FIRST_COUNTED_IN",
    "HEAD",
    "OURS",
    "REVISIONS",
    "REVISION_TABLE",
    "UPGRADE",
    "Step",
    "making_of_sqlite_tables",
    "step_needed",
)

REVISIONS: Final = ("0001", "0002", "0003", "0004")
HEAD: Final = REVISIONS[-1]
REVISION_TABLE: Final = "voice_revision"
FIRST_COUNTED_IN: Final = "voice_schema"

UPGRADE: Final = "upgrade"
"""The option of a URL that asks for the missing revisions when a worker starts."""

OURS: Final = frozenset({*METADATA.tables, REVISION_TABLE, FIRST_COUNTED_IN})
"""Every table that we make, or have made."""


class Step(Enum):
    """What is to be done before a database can be used."""

    NOTHING = auto()
    MAKE = auto()
    UPGRADE = auto()


def step_needed(tables: Collection[str], counted: Sequence[str | int]) -> Step:
    """Return what a database needs.

    Args:
        tables: The names of those of its tables that are in `OURS`.
        counted: What stands in ``voice_revision``, or else in ``voice_schema``.

    Raises:
        StoreError: A newer library wrote it, only half of it is there, or tables of somebody
            else have our names.
    """
    if not tables:
        return Step.MAKE
    if REVISION_TABLE not in tables and FIRST_COUNTED_IN not in tables:
        names = ", ".join(sorted(tables))
        raise StoreError(f"{names} already exists, but nothing says of which revision it is")
    if len(counted) != 1:
        raise StoreError("the database is half migrated: it has no revision, or two")
    revision = _revision(counted[0])
    if revision not in REVISIONS:
        raise StoreError(
            f"the database has revision {revision} and this library knows {HEAD}: "
            "upgrade the library"
        )
    if revision != HEAD:
        return Step.UPGRADE
    if missing := set(METADATA.tables) - set(tables):
        names = ", ".join(sorted(missing))
        raise StoreError(f"the database is half migrated: {names} is missing")
    return Step.NOTHING


def _revision(counted: str | int) -> str:
    return f"{counted:04}" if isinstance(counted, int) else counted


@lru_cache(maxsize=1)
def making_of_sqlite_tables() -> tuple[str, ...]:
    """Return the statements that make all tables in an empty SQLite file, at `HEAD`.

    What the migrations come to, at once.
    """
    made: list[str] = []

    def keep(clause: Any, *_: Any, **__: Any) -> None:
        made.append(str(clause.compile(dialect=engine.dialect)))

    engine = create_mock_engine("sqlite://", keep)
    METADATA.create_all(engine, checkfirst=False)
    return (
        *made,
        f"CREATE TABLE {REVISION_TABLE} (version_num VARCHAR(32) PRIMARY KEY)",
        f"INSERT INTO {REVISION_TABLE} VALUES ('{HEAD}')",  # noqa: S608  # constants
    )
