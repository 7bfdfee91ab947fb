"""What was said: words and utterances, in media time. Frozen values."""

from __future__ import annotations

from typing import Any, NewType

from attrs import field, frozen

from .errors import InvalidValue
from .fields import Vocabulary, is_count, naming_fields
from .text import storable_text

__all__ = ("Speaker", "Utterance", "UtteranceId", "Word", "storable_utterance")

UtteranceId = NewType("UtteranceId", str)
"""``utt_`` and 32 hex digits, or the host's own."""


class Speaker(Vocabulary):
    """Whose voice an utterance is."""

    USER = "user"
    AGENT = "agent"


def _ends_after_start(instance: Word | Utterance, _attribute: object, end_us: int) -> None:
    if end_us < instance.start_us:
        raise InvalidValue("end_us", end_us, f"{instance.start_us} (start_us) or later")


def _is_confidence(_instance: object, attribute: Any, value: Any) -> None:
    if value is not None and not (isinstance(value, float | int) and 0 <= value <= 1):
        raise InvalidValue(attribute.name, value, "a number from 0 to 1, or None")


@frozen(kw_only=True)
class Word:
    """One recognised word.

    Attributes:
        start_us: Where it begins, in microseconds of media time.
        end_us: Where it ends; never before ``start_us``.
        confidence: 0 to 1, or None where the recogniser gives none.

    Raises:
        InvalidValue: A time is no whole number, or the times or the confidence are out
            of range.
    """

    text: str
    start_us: int = field(validator=is_count)
    end_us: int = field(validator=[is_count, _ends_after_start])
    confidence: float | None = field(default=None, validator=_is_confidence)


def _as_id(value: str) -> UtteranceId:
    return UtteranceId(value)


@frozen(kw_only=True, field_transformer=naming_fields)
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

    Raises:
        InvalidValue: As for `Word`, or the speaker is neither of the two.
    """

    id: UtteranceId = field(converter=_as_id)
    speaker: Speaker = field(converter=Speaker)
    start_us: int = field(validator=is_count)
    end_us: int = field(validator=[is_count, _ends_after_start])
    text: str
    confidence: float | None = field(default=None, validator=_is_confidence)
    words: tuple[Word, ...] = ()
    generated_text: str | None = None
    spoken_text: str | None = None
    interrupted: bool = False


def storable_utterance(utterance: Utterance) -> Utterance:
    """Return *utterance* as it is.

    Raises:
        InvalidValue: One of its texts cannot be stored; see `storable_text`.
    """
    storable_text(utterance.id, "id")
    storable_text(utterance.text, "text")
    storable_text(utterance.generated_text or "", "generated_text")
    storable_text(utterance.spoken_text or "", "spoken_text")
    for word in utterance.words:
        storable_text(word.text, "words")
    return utterance
