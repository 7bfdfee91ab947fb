"""Which measures an interruption has to reach; the dialogues stand with the rules."""

from __future__ import annotations

import pytest

from voicesession.core.floor.config import InterruptionConfig
from voicesession.core.floor.interruption import interrupts, is_back_channel

NO, ENOUGH = ("no",), ("no", "wait", "please")


@pytest.mark.parametrize(
    ("min_words", "min_speech_us", "needs", "said", "speech_us", "expected"),
    [
        (3, 500, "both", ENOUGH, 500, True),
        (3, 500, "both", ENOUGH, 499, False),
        (3, 500, "both", NO, 500, False),
        (3, 500, "either", ENOUGH, 0, True),
        (3, 500, "either", NO, 500, True),
        (3, 500, "either", NO, 499, False),
        (0, 500, "either", NO, 499, False),
        (0, 500, "both", (), 500, True),
        (3, 0, "either", NO, 9_999, False),
        (3, 0, "both", ENOUGH, 0, True),
        (0, 0, "both", (), 0, False),
        (0, 0, "both", (), 1, True),
        (0, 0, "both", NO, 0, True),
        (0, 0, "both", ("mhm",), 9_999, False),
    ],
)
def test_a_measure_of_zero_is_not_asked_for(
    min_words: int,
    min_speech_us: int,
    needs: str,
    said: tuple[str, ...],
    speech_us: int,
    expected: bool,
) -> None:
    config = InterruptionConfig(min_words=min_words, min_speech_us=min_speech_us, needs=needs)
    assert interrupts(config, said, speech_us) is expected


def test_words_of_listening_are_the_hosts_choice() -> None:
    config = InterruptionConfig(back_channel=["genau", "Ja"])
    assert is_back_channel(config, ("ja", "genau"))
    assert not is_back_channel(config, ("yeah",))
    assert not is_back_channel(config, ())
