"""Hypothesis strategies for the floor: its configs, and facts in any order."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from ..core.floor.config import (
    EndpointingConfig,
    EndpointingMode,
    FloorConfig,
    InterruptionConfig,
    InterruptionNeeds,
    PreemptionConfig,
    PreemptionStrategy,
)
from ..core.floor.trace import FACTS, Fact
from ..core.heard import SpeechMark
from ..core.utterance import Word

__all__ = ("floor_configs", "traces")

_VOCABULARY = ("yes", "no", "mhm", "book", "a", "flight", "to", "Paris", "Wait,", "Really?")


def floor_configs() -> st.SearchStrategy[FloorConfig]:
    """Configs of every kind, with limits short enough to be reached."""
    interruption = st.builds(
        InterruptionConfig,
        min_words=st.integers(0, 3),
        min_speech_us=st.sampled_from([0, 300_000, 500_000]),
        needs=st.sampled_from(InterruptionNeeds),
        hold_after_us=st.sampled_from([None, 0, 500_000]),
    )
    return st.builds(
        FloorConfig,
        endpointing=st.builds(EndpointingConfig, mode=st.sampled_from(EndpointingMode)),
        interruption=interruption,
        preemption=st.builds(PreemptionConfig, strategy=st.sampled_from(PreemptionStrategy)),
        away_after_us=st.sampled_from([None, 3_000_000, 15_000_000]),
        max_utterance_us=st.sampled_from([None, 2_000_000, 30_000_000]),
        cut_search_us=st.sampled_from([500_000, 5_000_000]),
        max_turn_us=st.sampled_from([None, 4_000_000]),
    )


@st.composite
def traces(draw: st.DrawFn) -> list[Fact]:
    """Facts in any order and with any content, in time: most fit nothing that goes on."""
    at_us = 0
    facts = [Fact("start", (0,))]
    for name in draw(st.lists(st.sampled_from(sorted(FACTS)), max_size=40)):
        at_us += draw(st.integers(0, 1_500_000))
        facts.append(Fact(name, tuple(draw(_argument(each, at_us)) for each in FACTS[name])))
    return facts


def _argument(name: str, at_us: int) -> st.SearchStrategy[Any]:
    text = st.lists(st.sampled_from(_VOCABULARY), max_size=5).map(" ".join)
    durations = st.integers(0, 3_000_000)
    strategies: dict[str, st.SearchStrategy[Any]] = {
        "at_us": st.just(at_us),
        "probability": st.floats(0, 1),
        "text": text,
        "start_us": st.integers(0, at_us),
        "end_us": st.just(at_us),
        "word_end_us": st.integers(0, at_us),
        "confidence": st.none() | st.floats(0, 1),
        "words": st.just(()) | st.just((Word(text="Paris", start_us=0, end_us=at_us),)),
        "reply_id": st.integers(1, 4),
        "text_end": st.integers(0, 30),
        "duration_us": durations,
        "marks": st.just(())
        | st.builds(SpeechMark, st.integers(0, 30), durations).map(lambda m: (m,)),
        "played_us": durations,
        "interruptible": st.booleans(),
    }
    return strategies[name]
