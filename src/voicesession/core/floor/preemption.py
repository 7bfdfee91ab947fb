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
        is_off: No reply is begun early.
        discards: A change of words is the end of a speculation, pause or not.
        is_spent: No other speculation is begun in this turn.
        judged: The revision of the turn that was last judged.
        wasted_replies: Speculations that were thrown away so far.
        wasted_characters: The text that had been generated for them.
    """

    __slots__ = (
        "_config",
        "discards",
        "is_off",
        "is_spent",
        "judged",
        "wasted_characters",
        "wasted_replies",
    )

    def __init__(self, config: PreemptionConfig) -> None:
        self._config = config
        self.is_off = config.strategy is PreemptionStrategy.OFF
        self.discards = config.strategy is PreemptionStrategy.DISCARD
        self.is_spent = False
        self.judged = 0
        self.wasted_replies = 0
        self.wasted_characters = 0

    def holds(self, asked: tuple[str, ...], said: str) -> bool:
        """Tell whether a reply to *asked* (tokens) also answers *said*."""
        now = tokens(said)
        if asked == now or self._config.strategy is not PreemptionStrategy.USE_IF_SIMILAR:
            return asked == now
        return similarity(asked, now) >= self._config.similarity

    def wasted(self, text: str) -> None:
        """Take that a speculation was thrown away after *text* was generated for it."""
        self.wasted_replies += 1
        self.wasted_characters += len(text)
