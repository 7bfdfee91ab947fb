"""When the user, speaking over the agent, takes the floor."""

from __future__ import annotations

from .config import InterruptionConfig, InterruptionNeeds

__all__ = ("interrupts", "is_back_channel")


def is_back_channel(config: InterruptionConfig, said: tuple[str, ...]) -> bool:
    """Tell whether *said* (tokens) are only sounds of listening; no words at all are not."""
    return bool(said) and config.back_channel.issuperset(said)


def interrupts(config: InterruptionConfig, said: tuple[str, ...], speech_us: int) -> bool:
    """Tell whether the user takes the floor.

    Args:
        said: Tokens said since the agent began to speak.
        speech_us: How long the user's speech over the agent has lasted.
    """
    if (not said and speech_us == 0) or is_back_channel(config, said):
        return False
    enough_words = len(said) >= config.min_words
    enough_speech = speech_us >= config.min_speech_us
    if config.needs is InterruptionNeeds.EITHER and config.min_words and config.min_speech_us:
        return enough_words or enough_speech
    # A measure that is not asked for is always enough.
    return enough_words and enough_speech
