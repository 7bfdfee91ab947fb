"""
What is said in a session, put together as it is recognised, and as it is stored.

Rules:

* An utterance is known by its id. Interims with the same id replace each other, the final
  takes their place, and then it stands: a late interim or the same final once more changes
  nothing, another final is refused. So nothing is lost or doubled, however often it is sent.
* Everything lies in order of media time, in whatever order it arrived.
* Only finals count and only finals are stored.

`transcript_document` is the shape of ``transcript.json``: seconds of media time, exact to
the microsecond, so that `parse_transcript` gives back an equal transcript.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar, cast

from attrs import evolve, field, frozen

from .errors import InvalidValue
from .fields import is_count
from .text import storable_text
from .utterance import Speaker, Utterance, UtteranceId, Word

__all__ = (
    "SessionTranscript",
    "Transcript",
    "discard",
    "finalise",
    "parse_transcript",
    "parse_utterance",
    "revise",
    "transcript_document",
    "utterance_document",
)

_T = TypeVar("_T")

_US_PER_S: Final = 1_000_000
_LONGEST_S: Final = 1_000_000_000
"""31 years. Up to here a float of seconds still names every microsecond."""


def _in_media_order(utterances: Iterable[Utterance]) -> tuple[Utterance, ...]:
    # Two typed texts may begin together: they stay as they came.
    return tuple(sorted(utterances, key=lambda u: u.start_us))


@frozen(kw_only=True)
class Transcript:
    """The utterances of a session so far.

    Attributes:
        utterances: Final ones, in order of media time; what begins together stays as it came.
        interims: What is being said just now, in the same order; none of them is final.
    """

    utterances: tuple[Utterance, ...] = field(default=(), converter=_in_media_order)
    interims: tuple[Utterance, ...] = field(default=(), converter=_in_media_order)

    def __attrs_post_init__(self) -> None:
        seen: set[UtteranceId] = set()
        for utterance in self.utterances + self.interims:
            if utterance.id in seen:
                raise InvalidValue("utterance id", utterance.id, "each id once")
            seen.add(utterance.id)

    @property
    def text(self) -> str:
        """All final words, of both speakers, with one space between utterances."""
        return _joined(self.utterances)

    @property
    def partial_text(self) -> str:
        """What is being said just now and may still change."""
        return _joined(self.interims)

    @property
    def word_count(self) -> int:
        """How many words ``text`` has: stretches without white space."""
        return sum(len(utterance.text.split()) for utterance in self.utterances)

    @property
    def utterance_count(self) -> int:
        """How many utterances are final."""
        return len(self.utterances)

    @property
    def end_us(self) -> int:
        """Where the last final word ends in media time; 0 before the first."""
        return max((utterance.end_us for utterance in self.utterances), default=0)

    def of(self, speaker: Speaker) -> Transcript:
        """Return only what *speaker* says; ``.of(Speaker.USER).word_count`` counts their words."""
        return Transcript(
            utterances=(u for u in self.utterances if u.speaker is speaker),
            interims=(u for u in self.interims if u.speaker is speaker),
        )


@frozen(kw_only=True)
class SessionTranscript:
    """What was said in one session, as it is kept when the session is over.

    Attributes:
        language: A BCP 47 tag, or ``auto``.
        duration_us: Media time of the whole session, silence included.
        partial: Something is known to be missing, as after a crash.
    """

    session_id: str
    language: str
    duration_us: int = field(validator=is_count)
    transcript: Transcript
    partial: bool = False


def revise(transcript: Transcript, interim: Utterance) -> Transcript:
    """Return *transcript* with *interim* in place of the one before it.

    If the utterance is final already, the interim is late and changes nothing.
    """
    if any(final.id == interim.id for final in transcript.utterances):
        return transcript
    return evolve(transcript, interims=(*_without(transcript.interims, interim.id), interim))


def finalise(transcript: Transcript, final: Utterance) -> Transcript:
    """Return *transcript* with *final* in place of its interims.

    The same final again changes nothing, so that a repeated delivery is harmless.

    Raises:
        InvalidValue: There is another final with this id.
    """
    for known in transcript.utterances:
        if known.id == final.id:
            if known != final:
                raise InvalidValue("utterance id", final.id, "one that is not final yet")
            return transcript
    return evolve(
        transcript,
        utterances=(*transcript.utterances, final),
        interims=_without(transcript.interims, final.id),
    )


def discard(transcript: Transcript, utterance_id: UtteranceId) -> Transcript:
    """Return *transcript* without the interims of *utterance_id*: it came to nothing.

    A final one stays.
    """
    return evolve(transcript, interims=_without(transcript.interims, utterance_id))


def transcript_document(record: SessionTranscript) -> dict[str, Any]:
    """Return *record* as the JSON object of ``transcript.json``; interims are left out.

    ``text`` is derived, for readers who want nothing else.
    """
    transcript = record.transcript
    return {
        "session_id": record.session_id,
        "language": record.language,
        "duration": record.duration_us / _US_PER_S,
        "text": transcript.text,
        "partial": record.partial,
        "utterances": [utterance_document(utterance) for utterance in transcript.utterances],
    }


def utterance_document(utterance: Utterance) -> dict[str, Any]:
    """Return *utterance* as a JSON object.

    What is not known is left out; ``interrupted`` is there for the agent alone, which is
    the only one that can be cut short.
    """
    document: dict[str, Any] = {
        "id": utterance.id,
        "speaker": utterance.speaker.value,
        "start": utterance.start_us / _US_PER_S,
        "end": utterance.end_us / _US_PER_S,
        "text": utterance.text,
    }
    if utterance.confidence is not None:
        document["confidence"] = utterance.confidence
    if utterance.generated_text is not None:
        document["generated_text"] = utterance.generated_text
    if utterance.spoken_text is not None:
        document["spoken_text"] = utterance.spoken_text
    if utterance.speaker is Speaker.AGENT or utterance.interrupted:
        document["interrupted"] = utterance.interrupted
    document["words"] = [_word_document(word) for word in utterance.words]
    return document


def parse_transcript(document: Mapping[str, Any]) -> SessionTranscript:
    """Return what `transcript_document` wrote as *document*.

    ``text`` is not read, because it follows from the utterances; keys that a newer library
    may have added are passed over.

    Raises:
        InvalidValue: Something is missing, has the wrong type or lies outside its range;
            ``field`` is its path, as in ``utterances[3].start``.
    """
    root = _Node(document, "")
    return SessionTranscript(
        session_id=root.at("session_id").text(),
        language=root.at("language").text(),
        duration_us=root.at("duration").time_us(),
        partial=root.at("partial").flag(),
        transcript=Transcript(utterances=map(_read_utterance, root.at("utterances").items())),
    )


def parse_utterance(document: Mapping[str, Any]) -> Utterance:
    """Return what `utterance_document` wrote as *document*.

    Raises:
        InvalidValue: As for `parse_transcript`.
    """
    return _read_utterance(_Node(document, ""))


@frozen
class _Node:
    """A value in a document that came from outside, and where it stands there."""

    value: Any
    path: str

    def at(self, key: str) -> _Node:
        found = self.find(key)
        if found is None:
            raise InvalidValue(_below(self.path, key), None, "present")
        return found

    def find(self, key: str) -> _Node | None:
        if not isinstance(self.value, Mapping):
            raise InvalidValue(self.path or "document", self.value, "a JSON object")
        value = cast("Mapping[str, Any]", self.value).get(key)
        return None if value is None else _Node(value, _below(self.path, key))

    def optional(self, key: str, read: Callable[[_Node], _T]) -> _T | None:
        found = self.find(key)
        return None if found is None else read(found)

    def items(self) -> Iterator[_Node]:
        if not isinstance(self.value, list | tuple):
            raise InvalidValue(self.path, self.value, "a JSON array")
        for index, item in enumerate(cast("Sequence[Any]", self.value)):
            yield _Node(item, f"{self.path}[{index}]")

    def text(self) -> str:
        if not isinstance(self.value, str):
            raise InvalidValue(self.path, self.value, "text")
        return storable_text(self.value, self.path)

    def flag(self) -> bool:
        if not isinstance(self.value, bool):
            raise InvalidValue(self.path, self.value, "true or false")
        return self.value

    def number(self, most: int) -> float:
        # NaN fails the comparison, as it should.
        is_number = isinstance(self.value, int | float) and not isinstance(self.value, bool)
        if not is_number or not 0 <= self.value <= most:
            raise InvalidValue(self.path, self.value, f"a number from 0 to {most}")
        return float(self.value)

    def share(self) -> float:
        return self.number(1)

    def time_us(self) -> int:
        return round(self.number(_LONGEST_S) * _US_PER_S)


def _below(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _read_utterance(node: _Node) -> Utterance:
    start_us, end_us = _read_times(node)
    return Utterance(
        id=UtteranceId(node.at("id").text()),
        speaker=_read_speaker(node.at("speaker")),
        start_us=start_us,
        end_us=end_us,
        text=node.at("text").text(),
        confidence=node.optional("confidence", _Node.share),
        words=tuple(map(_read_word, node.at("words").items())),
        generated_text=node.optional("generated_text", _Node.text),
        spoken_text=node.optional("spoken_text", _Node.text),
        interrupted=node.optional("interrupted", _Node.flag) or False,
    )


def _read_word(node: _Node) -> Word:
    start_us, end_us = _read_times(node)
    return Word(
        text=node.at("text").text(),
        start_us=start_us,
        end_us=end_us,
        confidence=node.optional("confidence", _Node.share),
    )


def _read_times(node: _Node) -> tuple[int, int]:
    start_us, end_us = node.at("start").time_us(), node.at("end").time_us()
    if end_us < start_us:
        raise InvalidValue(_below(node.path, "end"), node.at("end").value, "not before its start")
    return start_us, end_us


def _read_speaker(node: _Node) -> Speaker:
    try:
        return Speaker(node.text())
    except ValueError:
        raise InvalidValue(node.path, node.value, " or ".join(Speaker)) from None


def _word_document(word: Word) -> dict[str, Any]:
    document: dict[str, Any] = {
        "text": word.text,
        "start": word.start_us / _US_PER_S,
        "end": word.end_us / _US_PER_S,
    }
    if word.confidence is not None:
        document["confidence"] = word.confidence
    return document


def _without(utterances: tuple[Utterance, ...], utterance_id: UtteranceId) -> tuple[Utterance, ...]:
    return tuple(utterance for utterance in utterances if utterance.id != utterance_id)


def _joined(utterances: tuple[Utterance, ...]) -> str:
    return " ".join(text for utterance in utterances if (text := utterance.text.strip()))
