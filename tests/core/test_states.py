from __future__ import annotations

import re
from typing import Any

import pytest

from voicesession.core.errors import InvalidValue
from voicesession.core.fields import Vocabulary
from voicesession.core.states import (
    STATUS_OF_END,
    EndReason,
    PauseReason,
    SessionState,
    SessionStatus,
    TurnState,
)

VOCABULARIES: tuple[type[Vocabulary], ...] = (
    SessionState,
    TurnState,
    PauseReason,
    EndReason,
    SessionStatus,
)

# As the specification spells them: they are stored and go on the wire.
SPELLED = """
SessionState:  IDLE CONNECTING LIVE PAUSED ENDED
TurnState:     initial listening processing speaking away ended
PauseReason:   user budget_exhausted disconnected limit_reached worker_lost shutdown
EndReason:     completed cancelled expired limit_reached disconnected worker_lost error
               connect_timeout
SessionStatus: active completed interrupted error
"""

STATUSES = """
completed   <- completed cancelled expired limit_reached
interrupted <- disconnected worker_lost
error       <- error connect_timeout
"""


def test_the_words_are_spelled_as_specified() -> None:
    spelled = re.findall(r"(\w+):([^:]*)(?=\n\w+:|\n$)", SPELLED)
    assert {kind.__name__: list(kind) for kind in VOCABULARIES} == {
        name: words.split() for name, words in spelled
    }


def test_each_way_to_end_has_the_specified_status() -> None:
    specified = {
        reason: status
        for status, reasons in re.findall(r"(\w+) +<- (.+)", STATUSES)
        for reason in reasons.split()
    }
    assert dict(STATUS_OF_END) == specified
    assert set(STATUS_OF_END) == set(EndReason)


def test_no_way_to_end_leaves_a_session_active() -> None:
    assert set(STATUS_OF_END.values()) == set(SessionStatus) - {SessionStatus.ACTIVE}


@pytest.mark.parametrize("kind", VOCABULARIES)
def test_a_word_is_taken_as_it_is_stored(kind: type[Vocabulary]) -> None:
    for word in kind:
        assert kind(str(word.value)) is word
        assert f"{word}" == word.value


@pytest.mark.parametrize("kind", VOCABULARIES)
@pytest.mark.parametrize("wrong", ["", "nonsense", "Live", None, 3])
def test_another_word_is_refused_with_those_that_are_allowed(
    kind: type[Vocabulary], wrong: Any
) -> None:
    with pytest.raises(InvalidValue) as refusal:
        kind(wrong)
    assert refusal.value.args == (kind.__name__, wrong, ", ".join(kind))
