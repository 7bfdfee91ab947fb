"""
What the engines of one session cost.

A session pays the price that it met first: what a price book says later is for sessions that
begin later.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Set as AbstractSet
from types import MappingProxyType
from typing import Final

from ..core.meters import MONEY, MONEY_METERS, WASTE_OF, Meter
from ..core.price import Price, money_meter
from ..ports.clock import Clock
from ..ports.prices import HOST, EngineModel, PriceBook
from .chain import Chain, Engine
from .happenings import Stage

__all__ = ("Tariff",)

_CHARGED_FOR: Final[Mapping[Stage, tuple[Meter, ...]]] = MappingProxyType(
    {
        Stage.STT: (Meter.AUDIO_US,),
        Stage.TTS: (Meter.TTS_CHARACTERS,),
        Stage.AGENT: (Meter.LLM_INPUT_TOKENS, Meter.LLM_OUTPUT_TOKENS),
    }
)
"""What engines of a stage use. An agent without a model is the host's own code: it uses
nothing that the host does not charge."""


class Tariff:
    """The prices of one session, and what comes of them.

    Args:
        prices: None where nobody wants to know; then no money is counted, nor the lack of it.

    Attributes:
        listener: Whose price the caller's audio has.

    Raises:
        InvalidValue: Nothing is counted in the currency of *prices*.
    """

    def __init__(self, prices: PriceBook | None, clock: Clock) -> None:
        self._prices = prices
        self._money = None if prices is None else money_meter(prices.currency)
        self._clock = clock
        self._known: dict[tuple[EngineModel, Meter], Price | None] = {}
        self._engines = {(HOST, Meter.AUDIO_US)}
        self._unpriced: str | None = None
        """Which of them have no price; None until somebody asks, of those that work by then."""
        self.listener = HOST

    def engage(self, chains: Mapping[Stage, Chain[Engine]]) -> None:
        """Take that these engines work for the session; until this is said the host itself does."""
        self._engines = {
            (engine, meter)
            for stage, chain in chains.items()
            for engine in (link.priced_as for link in chain.links)
            if stage is not Stage.AGENT or engine.model is not None
            for meter in _CHARGED_FOR[stage]
        }
        self._unpriced = None
        self.listener = chains[Stage.STT].links[0].priced_as

    def price(self, engine: EngineModel, meter: Meter) -> Price | None:
        """Return what a unit of *meter* costs with *engine*, or None where nobody knows."""
        try:
            return self._known[engine, meter]
        except KeyError:
            at = self._clock.now()
            known = None if self._prices is None else self._prices.price(engine, meter, at=at)
            self._known[engine, meter] = known
            return known

    def unknown(self, limited: AbstractSet[Meter]) -> str:
        """Return what nobody knows the price of, although money is among what is *limited*."""
        money = MONEY & limited
        if not money:
            return ""
        if foreign := money - {self._money}:
            named = sorted(each for each, meter in MONEY_METERS.items() if meter in foreign)
            return f"anything in {', '.join(named)}"
        if self._unpriced is None:
            unpriced = {str(engine) for engine, m in self._engines if self.price(engine, m) is None}
            self._unpriced = ", ".join(sorted(unpriced))
        return self._unpriced

    def charges(
        self, engine: EngineModel, used: Mapping[Meter, int], *, wasted: bool = False
    ) -> dict[Meter, int]:
        """Return what is to be booked for *used*: itself, and the money or that there is no price.

        Args:
            wasted: It counts as waste, and costs the same.
        """
        charges: defaultdict[Meter, int] = defaultdict(int)
        for meter, amount in used.items():
            charges[WASTE_OF.get(meter, meter) if wasted else meter] += amount
            if self._money is not None and amount:
                price = self.price(engine, meter)
                if price is None:
                    self._engines.add((engine, meter))
                    self._unpriced = None
                    charges[Meter.UNPRICED] += 1
                    charges[self._money] += 0  # asks whether money is limited
                else:
                    charges[self._money] += amount * price.units
        return dict(charges)
