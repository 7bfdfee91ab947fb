"""How a conversation is led: one frozen config for each question that the floor decides.

Durations are whole microseconds of media time; a value that is not allowed is an InvalidConfig.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Any, Final, TypeVar

from attrs import Attribute, field, frozen

from ..errors import InvalidConfig

__all__ = (
    "BACK_CHANNEL_WORDS",
    "EndpointingConfig",
    "EndpointingMode",
    "FloorConfig",
    "InterruptionConfig",
    "InterruptionNeeds",
    "PreemptionConfig",
    "PreemptionStrategy",
    "VoiceActivityConfig",
)

BACK_CHANNEL_WORDS: Final = frozenset(
    {"aha", "ah", "hm", "hmm", "huh", "mhm", "mm", "mm-hm", "mm-hmm", "mmm", "oh", "ok", "okay"}
    | {"right", "uh", "uh-huh", "uhuh", "um", "yeah", "yep", "yup"}
)
"""English sounds of somebody who listens; a host with other languages brings its own."""


class EndpointingMode(StrEnum):
    """How long a pause must be to end a turn."""

    FIXED = "fixed"
    DYNAMIC = "dynamic"


class InterruptionNeeds(StrEnum):
    """Which of its two measures an interruption has to reach."""

    BOTH = "both"
    EITHER = "either"


class PreemptionStrategy(StrEnum):
    """What becomes of a reply that was begun before the turn was over."""

    OFF = "off"
    DISCARD = "discard"
    USE_IF_SAME = "use_if_same"
    USE_IF_SIMILAR = "use_if_similar"


_Choice = TypeVar("_Choice", bound=StrEnum)
_Validator = Callable[[object, "Attribute[Any]", Any], None]


def _refuse(attribute: Attribute[Any], value: object, allowed: str) -> None:
    raise InvalidConfig(attribute.name, value, allowed)


def _duration(_config: object, attribute: Attribute[Any], value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        _refuse(attribute, value, "a whole number of microseconds, 0 or more")


def _positive(_config: object, attribute: Attribute[Any], value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        _refuse(attribute, value, "a whole number of microseconds, 1 or more")


def _or_none(validator: _Validator) -> _Validator:
    def check(config: object, attribute: Attribute[Any], value: object) -> None:
        if value is not None:
            validator(config, attribute, value)

    return check


def _count(_config: object, attribute: Attribute[Any], value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        _refuse(attribute, value, "a whole number, 0 or more")


def _share(_config: object, attribute: Attribute[Any], value: Any) -> None:
    if not isinstance(value, int | float) or not 0 <= value <= 1:
        _refuse(attribute, value, "a number from 0 to 1")


def _not_above_on(config: VoiceActivityConfig, attribute: Attribute[float], value: float) -> None:
    if value > config.on:
        _refuse(attribute, value, f"at most `on`, which is {config.on}")


def _not_below_min(config: EndpointingConfig, attribute: Attribute[int], value: int) -> None:
    if value < config.min_delay_us:
        _refuse(attribute, value, f"at least `min_delay_us`, which is {config.min_delay_us}")


def _choice(kind: type[_Choice], name: str, value: str) -> _Choice:
    try:
        return kind(value)
    except ValueError:
        raise InvalidConfig(name, value, ", ".join(kind)) from None


def _mode(value: str) -> EndpointingMode:
    return _choice(EndpointingMode, "mode", value)


def _needs(value: str) -> InterruptionNeeds:
    return _choice(InterruptionNeeds, "needs", value)


def _words(value: Iterable[str]) -> frozenset[str]:
    return frozenset(word.casefold() for word in value)


def _strategy(value: str) -> PreemptionStrategy:
    return _choice(PreemptionStrategy, "strategy", value)


@frozen(kw_only=True)
class VoiceActivityConfig:
    """When the user's voice is on.

    Attributes:
        on: A window with at least this probability may begin speech.
        off: A window with less than this may end it; never above ``on``.
        min_speech_us: Speech begins once it has lasted this long.
        min_silence_us: Speech ends once silence has lasted this long.
        prefix_padding_us: How far before its first loud window speech is said to start.
    """

    on: float = field(default=0.5, validator=_share)
    off: float = field(default=0.35, validator=[_share, _not_above_on])
    min_speech_us: int = field(default=50_000, validator=_duration)
    min_silence_us: int = field(default=550_000, validator=_duration)
    prefix_padding_us: int = field(default=500_000, validator=_duration)


@frozen(kw_only=True)
class EndpointingConfig:
    """When a turn is over, counted from the end of the user's last speech.

    Attributes:
        min_delay_us: The pause to wait for where the turn looks complete: a turn detector
            says so, or there is none.
        max_delay_us: The pause to wait for where the detector says that more will come; and how
            long a voice may go on in which the recogniser hears no more words.
        threshold: From this end-of-turn probability on a turn looks complete.
        mode: FIXED takes ``min_delay_us`` as it is; DYNAMIC learns it (see Endpointing).
        pause_weight: DYNAMIC: the share of the newest pause in the moving average.
    """

    min_delay_us: int = field(default=500_000, validator=_duration)
    max_delay_us: int = field(default=3_000_000, validator=[_duration, _not_below_min])
    threshold: float = field(default=0.5, validator=_share)
    mode: EndpointingMode = field(default=EndpointingMode.FIXED, converter=_mode)
    pause_weight: float = field(default=0.25, validator=_share)


@frozen(kw_only=True)
class InterruptionConfig:
    """When the user takes the floor from the speaking agent.

    A measure of 0 is not asked for; with both at 0 any voice interrupts.

    Attributes:
        min_words: Words said since the agent began to speak.
        min_speech_us: Length of the user's present speech, or of the last if it is over.
        needs: Whether both measures have to be reached, or either.
        hold_after_us: The agent falls silent to listen once a voice has lasted this long
            and it is not clear yet that it interrupts; 0 at once, None never.
        false_interruption_us: It goes on after this long without another word.
        back_channel: Words that never interrupt alone; compared as tokens (see tokens).
    """

    min_words: int = field(default=3, validator=_count)
    min_speech_us: int = field(default=500_000, validator=_duration)
    needs: InterruptionNeeds = field(default=InterruptionNeeds.BOTH, converter=_needs)
    hold_after_us: int | None = field(default=500_000, validator=_or_none(_duration))
    false_interruption_us: int = field(default=2_000_000, validator=_positive)
    back_channel: frozenset[str] = field(default=BACK_CHANNEL_WORDS, converter=_words)


@frozen(kw_only=True)
class PreemptionConfig:
    """Whether a reply is begun before the turn is over, and when it may be used.

    Attributes:
        strategy: OFF begins no reply early. DISCARD begins one a turn and drops it as soon
            as a word changes. USE_IF_SAME and USE_IF_SIMILAR judge when the turn is over.
        similarity: USE_IF_SIMILAR: from this similarity on a reply is used (see Preemption).
        min_pause_us: A reply is begun early once the voice has paused this long.
    """

    strategy: PreemptionStrategy = field(
        default=PreemptionStrategy.USE_IF_SIMILAR, converter=_strategy
    )
    similarity: float = field(default=0.9, validator=_share)
    min_pause_us: int = field(default=200_000, validator=_duration)


@frozen(kw_only=True)
class FloorConfig:
    """How a conversation is led.

    Attributes:
        away_after_us: The user is away after this long without a word, or None for never.
            Raise it above the longest speech where the recogniser gives no interim words:
            until it answers, speech and noise look the same.
        continuation_us: The user is going on, rather than making a noise, once a voice has
            lasted this long before the answer was heard.
        max_utterance_us: Speech without a pause is cut after this long, or None for never.
        cut_search_us: The cut lies in this last stretch of it, at the quietest window.
        max_turn_us: A turn is committed after this long even if the user speaks, or None.
        flush_timeout_us: A recogniser that has not answered a flush by then has nothing to say.
    """

    voice: VoiceActivityConfig = VoiceActivityConfig()
    endpointing: EndpointingConfig = EndpointingConfig()
    interruption: InterruptionConfig = InterruptionConfig()
    preemption: PreemptionConfig = PreemptionConfig()
    away_after_us: int | None = field(default=15_000_000, validator=_or_none(_positive))
    continuation_us: int = field(default=500_000, validator=_duration)
    max_utterance_us: int | None = field(default=30_000_000, validator=_or_none(_positive))
    cut_search_us: int = field(default=5_000_000, validator=_positive)
    max_turn_us: int | None = field(default=None, validator=_or_none(_positive))
    flush_timeout_us: int = field(default=5_000_000, validator=_positive)
