"""The prices of language models that ``genai-prices`` brings along; nothing is fetched."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from importlib.util import find_spec
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from ..core.errors import InvalidConfig
from ..core.meters import Meter
from ..core.price import Price
from ..ports.prices import EngineModel

if TYPE_CHECKING:
    from genai_prices.data_snapshot import DataSnapshot

__all__ = ("GenaiPrices", "has_genai_prices")

_FIELDS: Final = MappingProxyType(
    {Meter.LLM_INPUT_TOKENS: "input_mtok", Meter.LLM_OUTPUT_TOKENS: "output_mtok"}
)
_A_MILLION: Final = 10**6


def has_genai_prices() -> bool:
    """Whether the extra ``prices`` is installed."""
    return find_spec("genai_prices") is not None


class GenaiPrices:
    """A `PriceBook` of tokens. Engines are known by the ids of ``genai-prices``: ``openai``.

    A model whose price depends on the length of the prompt has not one price: it is unknown.
    What the vendor had in its cache counts at the full price, so a bill may be lower.

    Raises:
        InvalidConfig: The extra ``prices`` is not installed.
    """

    currency = "USD"

    def __init__(self) -> None:
        try:
            from genai_prices import __version__, data_snapshot
        except ImportError:
            raise InvalidConfig(
                "prices",
                "genai-prices",
                "an extra that is installed: pip install voicesession[prices]",
            ) from None
        self._source = f"genai-prices {__version__}"
        self._snapshot: DataSnapshot = data_snapshot.get_snapshot()

    def price(self, engine: EngineModel, meter: Meter, /, *, at: datetime) -> Price | None:
        if meter not in _FIELDS or engine.model is None:
            return None
        try:
            provider, model = self._snapshot.find_provider_model(
                engine.model, None, engine.engine, None
            )
        except LookupError:
            return None
        per_million: Any = getattr(model.get_prices(at), _FIELDS[meter], None)
        if not isinstance(per_million, Decimal):
            return None
        return Price(
            meter=meter,
            amount=Fraction(per_million) / _A_MILLION,
            currency=self.currency,
            source=f"{self._source}: {provider.id}/{model.id}",
            date=at.date(),  # the data has none of its own: its version says how old it is
        )
