"""How long a pause must last to end the user's turn."""

from __future__ import annotations

from .config import EndpointingConfig, EndpointingMode

__all__ = ("Endpointing",)


class Endpointing:
    """Says when a turn is over if the user stays silent.

    The delay counts from the end of the last speech. It is the long one (``max_delay_us``) where
    a turn detector says that more will come, or a voice goes on in which the recogniser hears no more
    words, else the short one. FIXED: the short one is
    ``min_delay_us``. DYNAMIC: it follows the user's own pauses within a turn, by

        average ← average + pause_weight · (min(pause, max_delay_us) − average)

    starting at ``min_delay_us`` and never leaving ``min_delay_us`` to ``max_delay_us``. A pause
    counts once the user has gone on after it with words, also where the agent was already
    thinking of an answer: those are the pauses that the delay was too short for.

    Attributes:
        ended_us: The end of the last speech; None while the user speaks or has not spoken.
        average_us: The moving average, not clamped.
    """

    __slots__ = ("_config", "_last_ended_us", "_pause_us", "_probability", "average_us", "ended_us")

    def __init__(self, config: EndpointingConfig) -> None:
        self._config = config
        self._probability = 1.0
        self._last_ended_us: int | None = None
        self._pause_us: int | None = None
        self.ended_us: int | None = None
        self.average_us = config.min_delay_us

    @property
    def delay_us(self) -> int:
        """How long a pause must last as things stand."""
        config = self._config
        if self._probability < config.threshold:
            return config.max_delay_us
        if config.mode is EndpointingMode.FIXED:
            return config.min_delay_us
        return min(max(self.average_us, config.min_delay_us), config.max_delay_us)

    @property
    def due_us(self) -> int | None:
        """When the turn is over if nothing is said, or None while that cannot be told."""
        return None if self.ended_us is None else self.ended_us + self.delay_us

    def speech_started(self, at_us: int) -> None:
        """Take that the user began to speak at *at_us*: what was probable before is not now."""
        if self._last_ended_us is not None:
            self._pause_us = max(0, at_us - self._last_ended_us)
        self._probability = 1.0
        self.ended_us = None

    def speech_ended(self, at_us: int) -> None:
        """Take that the user was last heard at *at_us*; an earlier time changes nothing."""
        self.ended_us = max(at_us, self.ended_us or 0)
        self._last_ended_us = max(at_us, self._last_ended_us or 0)

    def turn_probability(self, probability: float) -> None:
        """Take how likely it is that the user has finished; it holds until more is said."""
        self._probability = probability

    def went_on(self) -> None:
        """Take that the latest pause lay within a turn, and learn from it once."""
        if self._pause_us is not None:
            pause_us = min(self._pause_us, self._config.max_delay_us)
            self.average_us += round(self._config.pause_weight * (pause_us - self.average_us))
            self._pause_us = None

    def turn_began(self) -> None:
        """Take that the latest pause lay between two turns: nothing is learned from it."""
        self._pause_us = None

    def turn_over(self) -> None:
        """Take that the turn is committed: there is nothing to wait for."""
        self._probability = 1.0
        self.ended_us = None
