"""
The facts of a conversation, written down so that it can be led again, exactly.

One fact is one JSON object, one line in a file::

    {"v": 1, "fact": "voice", "at_us": 1056000, "probability": 0.91}

``v`` is the version of this encoding, ``fact`` the name of a method of Conversation, and the rest its
arguments by name. Numbers, texts, flags and null stand as they are; a word is ``{"text", "start_us",
"end_us", "confidence"}`` and a speech mark ``{"text_end", "at_us"}``, as lists where the method takes
a sequence. FACTS lists every fact with its arguments. A reader refuses a version it does
not know; a change of what a fact means is a new version.

A Conversation has no clock and no chance in it: the same config and facts give the same effects.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from inspect import signature
from types import MappingProxyType
from typing import Any, Final

from attrs import asdict, frozen

from ..errors import InvalidValue
from ..heard import SpeechMark
from ..utterance import Word
from .config import FloorConfig
from .conversation import Conversation
from .effects import Effects

__all__ = (
    "FACTS",
    "TRACE_VERSION",
    "Fact",
    "TracedConversation",
    "decode_fact",
    "encode_fact",
    "replay_trace",
)

TRACE_VERSION: Final = 1

FACTS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "start": ("at_us",),
        "pause": ("at_us",),
        "resume": ("at_us",),
        "end": ("at_us",),
        "tick": ("at_us",),
        "voice": ("at_us", "probability"),
        "interim": ("at_us", "text", "start_us", "end_us", "words"),
        "final": ("at_us", "text", "start_us", "end_us", "confidence", "words"),
        "flushed": ("at_us",),
        "endpoint": ("at_us", "word_end_us"),
        "turn_probability": ("at_us", "probability"),
        "typed": ("at_us", "text"),
        "reply_text": ("at_us", "reply_id", "text"),
        "reply_finished": ("at_us", "reply_id"),
        "reply_failed": ("at_us", "reply_id"),
        "speech_made": ("at_us", "reply_id", "text_end", "duration_us", "marks"),
        "speech_finished": ("at_us", "reply_id"),
        "playout": ("at_us", "reply_id", "played_us"),
        "say": ("at_us", "text", "interruptible"),
        "interrupt": ("at_us",),
    }
)
"""Every fact and the names of its arguments, in the order in which the method takes them."""

_VALUE_TYPES: Final[Mapping[str, Callable[..., object]]] = MappingProxyType(
    {"words": Word, "marks": SpeechMark}
)


@frozen
class Fact:
    """One call of a method of Conversation.

    Attributes:
        name: One of FACTS.
        arguments: As FACTS names them, in that order.
    """

    name: str
    arguments: tuple[Any, ...]

    def tell(self, conversation: Conversation) -> Effects:
        """Give the fact to *conversation* and return its effects."""
        effects: Effects = getattr(conversation, self.name)(*self.arguments)
        return effects


def encode_fact(fact: Fact) -> str:
    """Return *fact* as one line of JSON, without the line's end."""
    arguments = dict(zip(FACTS[fact.name], fact.arguments, strict=True))
    for name in _VALUE_TYPES.keys() & arguments.keys():
        arguments[name] = [asdict(value) for value in arguments[name]]
    return json.dumps({"v": TRACE_VERSION, "fact": fact.name, **arguments}, ensure_ascii=False)


def decode_fact(line: str) -> Fact:
    """Return the fact that *line* holds: the one that was encoded.

    Raises:
        InvalidValue: It is not a fact of this version.
    """
    try:
        return _fact_from(json.loads(line))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InvalidValue("fact", line, f"a fact of version {TRACE_VERSION}") from error


def replay_trace(config: FloorConfig, facts: Iterable[Fact]) -> Effects:
    """Return all effects, in order, of a conversation that is told *facts*."""
    conversation = Conversation(config)
    return tuple(effect for fact in facts for effect in fact.tell(conversation))


class TracedConversation(Conversation):
    """A Conversation that hands every fact to a sink before it takes it.

    The sink is called inside each step, on the audio path too: it must be quick and not raise.
    """

    __slots__ = ("sink",)

    def __init__(self, config: FloorConfig, sink: Callable[[Fact], None]) -> None:
        super().__init__(config)
        self.sink = sink


def _fact_from(record: dict[str, Any]) -> Fact:
    if record.pop("v") != TRACE_VERSION:
        raise ValueError("unknown version")
    name = record.pop("fact")
    if record.keys() != set(FACTS[name]):
        raise ValueError("wrong arguments")
    for argument in _VALUE_TYPES.keys() & record.keys():
        make = _VALUE_TYPES[argument]
        record[argument] = tuple(make(**value) for value in record[argument])
    return Fact(name, tuple(record[argument] for argument in FACTS[name]))


def _traced(name: str) -> Callable[..., Effects]:
    method: Callable[..., Effects] = getattr(Conversation, name)
    parameters = signature(method)

    @wraps(method)
    def trace(self: TracedConversation, *args: Any, **kwargs: Any) -> Effects:
        bound = parameters.bind(self, *args, **kwargs)
        bound.apply_defaults()
        given = [
            tuple(value) if argument in _VALUE_TYPES else value
            for argument, value in bound.arguments.items()
        ]
        self.sink(Fact(name, tuple(given[1:])))
        return method(*bound.args)

    return trace


for _name in FACTS:
    setattr(TracedConversation, _name, _traced(_name))
