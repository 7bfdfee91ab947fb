"""
What engines cost: a dated table of speech vendors, the data of ``genai-prices`` for language
models, and what the host knows better.

    voice = voicesession.open("sqlite:///voice.db", prices=prices(overrides="prices.toml"))
"""

from __future__ import annotations

import os

from ..ports.prices import PriceBook
from .genai import GenaiPrices, has_genai_prices
from .table import Prices, PriceTable, vendors

__all__ = ("GenaiPrices", "PriceTable", "Prices", "prices", "vendors")


def prices(overrides: str | os.PathLike[str] | None = None) -> PriceBook:
    """Return all prices in US dollars that this package knows of.

    Language models are among them where the extra ``prices`` is installed. Prices are read once,
    here; nothing is ever fetched.

    Args:
        overrides: A table of the host's own, as `PriceTable.read` takes it; it comes first.

    Raises:
        InvalidConfig: The table cannot be read, or is not in US dollars.
    """
    books: list[PriceBook] = [] if overrides is None else [PriceTable.read(overrides)]
    books.append(vendors())
    if has_genai_prices():
        books.append(GenaiPrices())
    return Prices(*books)
