"""Whether a reply that was begun early may be used, and what it costs where it may not."""

from __future__ import annotations

from .config import PreemptionConfig, PreemptionStrategy
from .tokens import similarity, tokens

__all__ = ("Preemption",)


class Preemption:
    """Judges speculations.

    A speculation begins on the words known, interim ones too, when the voice pauses. When the
    turn is over, and at each pause before that, it is compared with what was said by then:

    * DISCARD: dropped at the first word that changes; the turn then waits for its end.
    * USE_IF_SAME: used if the tokens are the same: case and punctuation do not count.
    * USE_IF_SIMILAR: used if ``similarity`` of the tokens reaches the config's.

    One that does not hold at a pause gives way to a new one.

    Attributes:
        is_spent: No other speculation is begun in this turn.
        judged: The revision of the turn that was last judged.
        wasted_replies: Speculations that were thrown away so far.
        wasted_characters: The text that had been generated for them.
    """

    __slots__ = ("_config", "is_spent", "judged", "wasted_characters", "wasted_replies")

    def __init__(self, config: PreemptionConfig) -> None:
        self._config = config
        self.is_spent = False
        self.judged = 0
        self.wasted_replies = 0
        self.wasted_characters = 0

    @property
    def is_off(self) -> bool:
        """No reply is begun early."""
        return self._config.strategy is PreemptionStrategy.OFF

    @property
    def discards(self) -> bool:
        """A change of words is the end of a speculation, pause or not."""
        return self._config.strategy is PreemptionStrategy.DISCARD

    def holds(self, asked: str, said: str) -> bool:
        """Tell whether a reply to *asked* also answers *said*."""
        if self._config.strategy is PreemptionStrategy.USE_IF_SIMILAR:
            return similarity(tokens(asked), tokens(said)) >= self._config.similarity
        return tokens(asked) == tokens(said)

    def wasted(self, text: str) -> None:
        """Take that a speculation was thrown away after *text* was generated for it."""
        self.wasted_replies += 1
        self.wasted_characters += len(text)
