"""What engines cost, for whoever counts the money."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Protocol, runtime_checkable

from attrs import frozen

from ..core.meters import Meter
from ..core.price import Price

__all__ = ("HOST", "EngineModel", "HasModel", "PriceBook", "engine_model")


@frozen
class EngineModel:
    """What has a price: an engine as it calls itself, and which model of it is used."""

    engine: str
    model: str | None = None

    def __str__(self) -> str:
        return self.engine if self.model is None else f"{self.engine}/{self.model}"


HOST: Final = EngineModel("host")
"""What a host uses by itself, with a pipeline of its own."""


@runtime_checkable
class HasModel(Protocol):
    """An engine that does its work with a model of that name."""

    @property
    def model(self) -> str: ...


class HasName(Protocol):
    """Every engine."""

    @property
    def name(self) -> str: ...


def engine_model(engine: HasName) -> EngineModel:
    """Return what *engine* is priced as."""
    return EngineModel(engine.name, engine.model if isinstance(engine, HasModel) else None)


class PriceBook(Protocol):
    """Knows prices, all of them in one currency. It answers at once: nothing is looked up."""

    @property
    def currency(self) -> str:
        """Three letters of ISO 4217."""
        ...

    def price(self, engine: EngineModel, meter: Meter, /, *, at: datetime) -> Price | None:
        """Return what a unit of *meter* costs with *engine* at that time.

        None where nobody knows, which is not the same as 0.
        """
        ...
