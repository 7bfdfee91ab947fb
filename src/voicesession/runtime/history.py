"""What was said before the turn that an agent is to answer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ..core.utterance import Speaker, Utterance, UtteranceId

__all__ = ("History",)

# Python makes a new one each time, and idle sessions have nothing else here.
_NOTHING: Final = frozenset[UtteranceId]()


class History:
    """The latest finished utterances, and which of them are the user's present turn.

    Args:
        size: How many are remembered.
    """

    __slots__ = ("_asked", "_present", "_said", "_size")

    def __init__(self, size: int) -> None:
        self._size = size
        self._said: list[Utterance] = []
        self._present = _NOTHING
        self._asked = _NOTHING

    def add(self, utterances: Iterable[Utterance]) -> None:
        """Remember utterances that belong to no turn that waits for an answer."""
        self._said.extend(utterances)
        del self._said[: -self._size]

    def heard(self, utterance: Utterance) -> None:
        """Remember what the user has just said: a part of their present turn."""
        self.add([utterance])
        self._present |= {utterance.id}

    def turn_committed(self) -> None:
        """Note that the present turn is over, and the next one has no words yet."""
        self._asked, self._present = self._present, _NOTHING

    def turn_reopened(self) -> None:
        """Note that the turn which was over goes on."""
        self._present |= self._asked
        self._asked = _NOTHING

    @property
    def present_text(self) -> str:
        """What the user has said in the present turn so far."""
        return " ".join(u.text for u in self._said if u.id in self._present)

    @property
    def last_reply(self) -> str:
        """What the agent said last; nothing where it has not spoken."""
        agents = (u.text for u in reversed(self._said) if u.speaker is Speaker.AGENT)
        return next(agents, "")

    def before_turn(self, *, is_over: bool) -> tuple[Utterance, ...]:
        """Return what was said before the turn to be answered, which may not be over yet."""
        said, turn = self._said, self._asked if is_over else self._present
        # It is what was said last, or nearly: nobody looks through all that was said before.
        begin, unseen = len(said), len(turn)
        while unseen and begin:
            begin -= 1
            unseen -= said[begin].id in turn
        return (*said[:begin], *(u for u in said[begin:] if u.id not in turn))
