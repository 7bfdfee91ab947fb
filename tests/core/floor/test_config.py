"""What a config refuses."""

from __future__ import annotations

from typing import Any

import pytest

from voicesession.core.errors import InvalidConfig
from voicesession.core.floor.config import (
    EndpointingConfig,
    FloorConfig,
    InterruptionConfig,
    PreemptionConfig,
    VoiceActivityConfig,
)


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        (VoiceActivityConfig, {"on": 1.1}),
        (VoiceActivityConfig, {"off": "low"}),
        (VoiceActivityConfig, {"on": 0.3, "off": 0.31}),
        (VoiceActivityConfig, {"min_silence_us": -1}),
        (VoiceActivityConfig, {"min_speech_us": 0.05}),
        (EndpointingConfig, {"min_delay_us": 4_000_000}),
        (EndpointingConfig, {"min_delay_us": True}),
        (InterruptionConfig, {"min_words": -1}),
        (InterruptionConfig, {"min_words": True}),
        (InterruptionConfig, {"hold_after_us": -1}),
        (InterruptionConfig, {"false_interruption_us": 0}),
        (PreemptionConfig, {"similarity": -0.1}),
        (FloorConfig, {"away_after_us": 0}),
        (FloorConfig, {"max_turn_us": 1.5}),
        (FloorConfig, {"flush_timeout_us": False}),
    ],
)
def test_a_setting_that_is_not_allowed_is_named(kind: Any, settings: dict[str, Any]) -> None:
    with pytest.raises(InvalidConfig) as refused:
        kind(**settings)
    assert refused.value.field in {*settings, "off", "max_delay_us"}


@pytest.mark.parametrize(
    ("kind", "setting"),
    [
        (EndpointingConfig, "mode"),
        (InterruptionConfig, "needs"),
        (PreemptionConfig, "strategy"),
    ],
)
def test_a_choice_that_does_not_exist_is_refused(kind: Any, setting: str) -> None:
    with pytest.raises(InvalidConfig) as refused:
        kind(**{setting: "sometimes"})
    assert refused.value.field == setting


def test_the_defaults_are_those_that_are_documented() -> None:
    config = FloorConfig()
    assert (config.voice.on, config.voice.off) == (0.5, 0.35)
    assert (config.voice.min_speech_us, config.voice.min_silence_us) == (50_000, 550_000)
    assert config.voice.prefix_padding_us == 500_000
    assert config.endpointing.min_delay_us == 500_000
    assert config.endpointing.max_delay_us == 3_000_000
    assert (config.interruption.min_words, config.interruption.min_speech_us) == (3, 500_000)
    assert config.interruption.needs == "both"
    assert config.interruption.false_interruption_us == 2_000_000
    assert config.preemption.strategy == "use_if_similar"
    assert config.away_after_us == 15_000_000
    assert config.max_utterance_us == 30_000_000
    assert config.max_turn_us is None


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        (VoiceActivityConfig, {"on": 0, "off": 0}),
        (VoiceActivityConfig, {"on": 1, "off": 1}),
        (EndpointingConfig, {"min_delay_us": 0, "max_delay_us": 0}),
        (InterruptionConfig, {"hold_after_us": None, "false_interruption_us": 1}),
        (FloorConfig, {"away_after_us": 1, "cut_search_us": 1, "max_utterance_us": None}),
    ],
)
def test_the_ends_of_a_range_are_in_it(kind: Any, settings: dict[str, Any]) -> None:
    config = kind(**settings)
    assert {name: getattr(config, name) for name in settings} == settings
