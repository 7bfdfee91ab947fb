"""What every ``TurnDetector`` does."""

from __future__ import annotations

from abc import ABC, abstractmethod

import anyio
import pytest

from ....ports.speech import TurnDetector, TurnSoFar
from .examples import PATIENCE_S, name_is_fit_for_metrics

__all__ = ("TurnDetectorContract",)

_ANYTHING = (
    "",
    " ",
    "…",
    "yes",
    "I would like to",
    "I would like two coffees, please.",
    "Ünïcödé wörds — and 😀 then\0",
    "はい、お願いします。",
    "word " * 2_000,
)


class TurnDetectorContract(ABC):
    """Subclass it and give it a ``detector``."""

    @pytest.fixture
    @abstractmethod
    def detector(self) -> TurnDetector: ...

    def test_its_name_is_fit_for_metrics(self, detector: TurnDetector) -> None:
        assert name_is_fit_for_metrics(detector.name)

    @pytest.mark.parametrize("text", _ANYTHING)
    @pytest.mark.parametrize("language", ["en", "auto", "de-CH", "ja"])
    async def test_any_turn_has_a_probability(
        self, detector: TurnDetector, text: str, language: str
    ) -> None:
        for is_final in (True, False):
            turn = TurnSoFar(text=text, language=language, is_final=is_final, asked="And now?")
            with anyio.fail_after(PATIENCE_S):
                assert 0 <= await detector.probability(turn) <= 1

    async def test_a_turn_that_breaks_off_is_no_likelier_to_be_over_than_a_whole_one(
        self, detector: TurnDetector
    ) -> None:
        broken = TurnSoFar(text="I would like to", language="en")
        whole = TurnSoFar(text="I would like two coffees, please.", language="en")
        assert await detector.probability(broken) <= await detector.probability(whole)

    async def test_it_remembers_nothing(self, detector: TurnDetector) -> None:
        turns = [TurnSoFar(text=text, language="en") for text in _ANYTHING]
        alone = [await detector.probability(turn) for turn in turns]
        together: dict[int, float] = {}

        async def ask(index: int) -> None:
            together[index] = await detector.probability(turns[index])

        async with anyio.create_task_group() as group:
            for index in range(len(turns)):
                group.start_soon(ask, index)
        assert [together[index] for index in range(len(turns))] == alone

    async def test_it_closes(self, detector: TurnDetector) -> None:
        await detector.aclose()
