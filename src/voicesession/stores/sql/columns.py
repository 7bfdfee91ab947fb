"""What the columns of all tables are made of."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import BigInteger, Column, Integer, MetaData, String, Text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

__all__ = (
    "IDENTIFIER",
    "INSTANT",
    "JSON",
    "METADATA",
    "NUMBERED",
    "TEXTS",
    "WORD",
    "needed",
)

METADATA: Final = MetaData()

# Sorted by code point everywhere, whatever the database's own language is.
IDENTIFIER: Final = String(128).with_variant(String(128, collation="C"), "postgresql")
WORD: Final = String(32)
INSTANT: Final = BigInteger()
NUMBERED: Final = BigInteger().with_variant(Integer(), "sqlite")  # the only type it numbers itself
JSON: Final = Text().with_variant(JSONB(), "postgresql")
TEXTS: Final = Text().with_variant(ARRAY(Text()), "postgresql")
"""A list of texts; where there are no arrays, as JSON."""


def needed(name: str, kind: Any) -> Column[Any]:
    """Return a column that always holds something."""
    return Column(name, kind, nullable=False)
