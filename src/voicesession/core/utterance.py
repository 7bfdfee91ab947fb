"""What was said: words and utterances, in seconds of media time. Frozen values."""

from __future__ import annotations

from enum import StrEnum
from typing import NewType

from attrs import field, frozen
from attrs.validators import ge, instance_of, optional

__all__ = ("Speaker", "Utterance", "UtteranceId", "Word")

UtteranceId = NewType("UtteranceId", str)
"""``utt_`` and 32 hex digits, or the host's own."""


class Speaker(StrEnum):
    """Whose voice an utterance is."""

    USER = "user"
    AGENT = "agent"


def _ends_after_start(instance: Word | Utterance, _attribute: object, end_us: int) -> None:
    if end_us < instance.start_us:
        raise ValueError(f"end_us {end_us} lies before start_us {instance.start_us}")


@frozen(kw_only=True)
class Word:
    """One recognised word.

    Attributes:
        start_us: Where it begins, in microseconds of media time.
        end_us: Where it ends; never before ``start_us``.
        confidence: 0 to 1, or None where the recogniser gives none.
    """

    text: str
    start_us: int = field(validator=[instance_of(int), ge(0)])
    end_us: int = field(validator=[instance_of(int), _ends_after_start])
    confidence: float | None = None


@frozen(kw_only=True)
class Utterance:
    """One stretch of speech by one speaker, final.

    Attributes:
        text: What a reader of the transcript sees: for the agent, what was heard.
        start_us: Where it begins, in microseconds of media time.
        end_us: Where it ends; never before ``start_us``.
        generated_text: For the agent, all that was generated, heard or not.
        spoken_text: For the agent, what was played before it ended or was cut.
        interrupted: The agent was cut short by the user.
        confidence: 0 to 1, or None where the recogniser gives none.
        words: With times, where the recogniser gives them; in order of time.
    """

    id: UtteranceId
    speaker: Speaker
    start_us: int = field(validator=[instance_of(int), ge(0)])
    end_us: int = field(validator=[instance_of(int), _ends_after_start])
    text: str
    confidence: float | None = field(default=None, validator=optional(instance_of(float)))
    words: tuple[Word, ...] = ()
    generated_text: str | None = None
    spoken_text: str | None = None
    interrupted: bool = False
