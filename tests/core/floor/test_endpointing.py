"""How long a pause must be: see Endpointing. What follows from it is tested with the rules."""

from __future__ import annotations

from hypothesis import given, strategies as st

from voicesession.core.floor.config import EndpointingConfig, EndpointingMode
from voicesession.core.floor.endpointing import Endpointing

DYNAMIC = EndpointingConfig(mode=EndpointingMode.DYNAMIC)


def paused(endpointing: Endpointing, pause_us: int) -> None:
    """Pause, and go on with words."""
    at_us = (endpointing.ended_us or 0) + pause_us
    endpointing.speech_started(at_us)
    endpointing.went_on()
    endpointing.speech_ended(at_us + 1_000_000)


def test_while_nobody_has_spoken_nothing_is_due() -> None:
    endpointing = Endpointing(EndpointingConfig())
    assert endpointing.due_us is None
    endpointing.speech_started(1_000_000)
    endpointing.went_on()
    assert endpointing.average_us == 500_000


def test_the_later_of_two_ends_counts() -> None:
    endpointing = Endpointing(EndpointingConfig())
    endpointing.speech_ended(2_000_000)
    endpointing.speech_ended(1_000_000)
    assert endpointing.due_us == 2_500_000


def test_a_probability_holds_only_until_more_is_said() -> None:
    endpointing = Endpointing(EndpointingConfig())
    endpointing.speech_ended(0)
    endpointing.turn_probability(0.49)
    assert endpointing.due_us == 3_000_000
    endpointing.speech_started(500_000)
    endpointing.speech_ended(1_000_000)
    assert endpointing.due_us == 1_500_000


def test_at_the_threshold_a_turn_looks_complete() -> None:
    endpointing = Endpointing(EndpointingConfig(threshold=0.7))
    endpointing.turn_probability(0.7)
    assert endpointing.delay_us == 500_000


def test_a_fixed_delay_learns_nothing() -> None:
    endpointing = Endpointing(EndpointingConfig())
    endpointing.speech_ended(0)
    paused(endpointing, 2_000_000)
    assert endpointing.delay_us == 500_000


def test_a_dynamic_delay_moves_a_quarter_of_the_way_to_each_pause() -> None:
    endpointing = Endpointing(DYNAMIC)
    endpointing.speech_ended(0)
    paused(endpointing, 2_500_000)
    assert endpointing.delay_us == 1_000_000
    paused(endpointing, 600_000)
    assert endpointing.delay_us == 900_000


def test_a_pause_between_two_turns_teaches_nothing() -> None:
    endpointing = Endpointing(DYNAMIC)
    endpointing.speech_ended(0)
    endpointing.speech_started(2_000_000)
    endpointing.turn_began()
    endpointing.went_on()
    assert endpointing.delay_us == 500_000


@given(st.lists(st.integers(0, 60_000_000)))
def test_a_dynamic_delay_never_leaves_its_bounds(pauses: list[int]) -> None:
    endpointing = Endpointing(DYNAMIC)
    endpointing.speech_ended(0)
    for pause_us in pauses:
        paused(endpointing, pause_us)
        assert 500_000 <= endpointing.delay_us <= 3_000_000
