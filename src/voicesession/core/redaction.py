"""
Secrets out of words, before they are stored or sent: card numbers, telephone numbers, email
addresses, and whatever the host spells out.

Every character of a secret but its white space becomes a block, █. So a blurred text has the
length and the words of the text it was made from, word times stay as they are, and what was
blurred can be told from the result alone.

Where it is not certain which part is the secret, more is blurred, never less:

* a literal is blurred inside longer words too, in upper and lower case;
* any nine to fifteen digits may be a telephone number;
* where the words and the text of an utterance do not match one to one and disagree about
  the secrets in them, all of both is blurred;
* without word times, the audio of the whole utterance counts as blurred.

Digits may be spoken ("four one double one"), and so may email addresses ("ada at example
dot com"), in English. A secret that is spread over two utterances is not found.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from itertools import groupby
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from attrs import Factory, field, frozen

from .errors import InvalidValue
from .snapshots import changed
from .timeline import Span
from .utterance import Utterance, Word

__all__ = ("BLUR", "Redaction", "SecretKind", "blurred_spans")

BLUR: Final = "█"
"""Stands for one character of a secret."""


class SecretKind(StrEnum):
    """What ``secrets_blurred`` knows by name; anything else in it is a literal."""

    CARD_NUMBER = "card_number"
    PHONE = "phone"
    EMAIL = "email"


_Place: TypeAlias = tuple[int, int]
"""Where a secret stands in a text: from, and up to."""

_SPOKEN_DIGITS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "zero": "0",
        "oh": "0",
        "o": "0",
        "one": "1",
        "two": "2",
        "three": "3",
        "four": "4",
        "five": "5",
        "six": "6",
        "seven": "7",
        "eight": "8",
        "nine": "9",
    }
)
_REPEATS: Final[Mapping[str | None, int]] = MappingProxyType({None: 1, "double": 2, "triple": 3})
_DIGITS: Final = re.compile(
    rf"(?P<written>\+?\d+)|\b(?:(?P<repeat>double|triple)\s+)?(?P<spoken>{'|'.join(_SPOKEN_DIGITS)})\b",
    re.IGNORECASE,
)
_BETWEEN_DIGITS: Final = re.compile(r"[\s().,/\-\u2010-\u2015]{1,3}")

_EMAIL: Final = re.compile(r"(?<![\w.%+-])[\w.%+-]+@[\w-]+(?:\.[\w-]+)+")
_SPOKEN_EMAIL: Final = re.compile(
    r"\b(?:\w+\s+dot\s+){0,4}\w+\s+at\s+[\w-]+(?:(?:\.|\s+dot\s+)[\w-]+){1,4}", re.IGNORECASE
)

_NOT_SHOWN: Final = "one that is not shown here"
"""Errors end up in logs, and it may be a secret after all."""

_WORD: Final = re.compile(r"\S+")
_BLURRED_STRETCH: Final = re.compile(rf"{BLUR}+(?:\s+{BLUR}+)*")


def _are_secrets(_instance: object, attribute: Any, secrets: tuple[str, ...]) -> None:
    for secret in secrets:
        # What the blur leaves behind must never be a secret again.
        if BLUR in secret or not any(map(str.isalnum, secret)):
            kinds = ", ".join(SecretKind)
            allowed = f"{kinds}, or text with a letter or digit and without {BLUR}"
            raise InvalidValue(attribute.name, _NOT_SHOWN, allowed)


def _as_secrets(secrets: Iterable[str]) -> tuple[str, ...]:
    if isinstance(secrets, str):
        raise InvalidValue("secrets", _NOT_SHOWN, "a list; one text would be read by letters")
    return tuple(secrets)


def _patterns(redaction: Redaction) -> tuple[re.Pattern[str], ...]:
    return tuple(
        re.compile(r"\s+".join(map(re.escape, secret.split())), re.IGNORECASE)
        for secret in redaction.secrets
        if secret not in {*SecretKind}
    )


@frozen
class Redaction:
    """Blurs the secrets that a session was asked to blur; blurring twice changes nothing more.

    Attributes:
        secrets: Kinds and literals. Without any, everything comes back as it is.

    Raises:
        InvalidValue: A literal holds neither a letter nor a digit, or it holds a block.
    """

    secrets: tuple[str, ...] = field(converter=_as_secrets, validator=_are_secrets, repr=False)
    _literals: tuple[re.Pattern[str], ...] = field(
        init=False, repr=False, eq=False, default=Factory(_patterns, takes_self=True)
    )

    def blur_text(self, text: str) -> str:
        """Return *text* with every secret blurred."""
        # A blur may lay bare a secret beside it, so go on until there is none.
        while places := list(self._places(text)):
            for start, end in places:
                text = text[:start] + _block(text[start:end]) + text[end:]
        return text

    def blur(self, utterance: Utterance) -> Utterance:
        """Return *utterance* with the secrets in all of its texts blurred, and nothing else
        changed. `blurred_spans` of the result tells which audio to mask.
        """
        generated = utterance.generated_text
        spoken = utterance.spoken_text
        text, words = self._agreed(self._blur_part(utterance.text, generated), utterance.words)
        return changed(
            utterance,
            text=text,
            words=words,
            generated_text=None if generated is None else self.blur_text(generated),
            spoken_text=None if spoken is None else self._blur_part(spoken, generated),
        )

    def _places(self, text: str) -> Iterator[_Place]:
        if SecretKind.CARD_NUMBER in self.secrets:
            yield from _numbers(text, _is_card_number)
        if SecretKind.PHONE in self.secrets:
            yield from _numbers(text, _is_phone)
        if SecretKind.EMAIL in self.secrets:
            yield from (match.span() for match in _EMAIL.finditer(text))
            yield from (match.span() for match in _SPOKEN_EMAIL.finditer(text))
        for literal in self._literals:
            yield from (match.span() for match in literal.finditer(text))

    def _blur_part(self, part: str, whole: str | None) -> str:
        # A reply may be cut within a secret that only the whole of it shows.
        if whole is not None and whole.startswith(part):
            part = self.blur_text(whole)[: len(part)]
        return self.blur_text(part)

    def _agreed(self, text: str, words: tuple[Word, ...]) -> tuple[str, tuple[Word, ...]]:
        """Return both so that neither shows what is blurred in the other."""
        if not words:
            return text, words
        said = self._blur_words([word.text for word in words])
        written = _WORD.findall(text)
        if len(written) == len(said):
            pairs = zip(written, said, strict=True)
            in_text = iter([_hidden_like(word, other) for word, other in pairs])
            said = [_hidden_like(word, o) for word, o in zip(said, written, strict=True)]
            text = _WORD.sub(lambda _: next(in_text), text)
        elif _stretches(text) != _stretches(" ".join(said)):
            text, said = _block(text), [_block(word) for word in said]
        return text, tuple(changed(w, text=t) for w, t in zip(words, said, strict=True))

    def _blur_words(self, words: Sequence[str]) -> list[str]:
        blurred = self.blur_text(" ".join(words))
        result: list[str] = []
        for word in words:
            result.append(blurred[: len(word)])
            blurred = blurred[len(word) + 1 :]
        return result


def blurred_spans(utterance: Utterance) -> tuple[Span, ...]:
    """Return the media time in which something blurred was said, in order.

    Words that follow each other make one span. Where the words do not tell, it is the whole
    utterance. What was generated but never spoken counts for nothing.
    """
    blurred = [BLUR in word.text for word in utterance.words]
    if any(blurred) and not all(blurred):
        runs = groupby(utterance.words, lambda word: BLUR in word.text)
        return tuple(_span([*run]) for is_blurred, run in runs if is_blurred)
    heard = utterance.text + (utterance.spoken_text or "")
    return (_span([utterance]),) if any(blurred) or BLUR in heard else ()


def _span(parts: Sequence[Utterance | Word]) -> Span:
    start_us = parts[0].start_us
    return Span(start_us, max(start_us + 1, *(part.end_us for part in parts)))


def _hidden_like(word: str, other: str) -> str:
    return _block(word) if BLUR in other and BLUR not in word else word


def _block(text: str) -> str:
    return _WORD.sub(lambda match: BLUR * len(match[0]), text)


def _stretches(text: str) -> int:
    return len(_BLURRED_STRETCH.findall(text))


@frozen
class _Group:
    """Digits that are written together, or a spoken one."""

    digits: str
    start: int
    end: int
    international: bool


_Number: TypeAlias = Sequence[_Group]


def _numbers(text: str, is_secret: Callable[[_Number], bool]) -> Iterator[_Place]:
    for run in _runs(text):
        for first in range(len(run)):
            for last in range(first, min(first + _MOST_DIGITS, len(run))):
                number = run[first : last + 1]
                if is_secret(number):
                    yield number[0].start, number[-1].end


def _runs(text: str) -> Iterator[_Number]:
    run: list[_Group] = []
    for match in _DIGITS.finditer(text):
        if run and not _BETWEEN_DIGITS.fullmatch(text, run[-1].end, match.start()):
            yield run
            run = []
        run.append(_read_group(match))
    yield run


def _read_group(match: re.Match[str]) -> _Group:
    written, repeat, spoken = match.group("written", "repeat", "spoken")
    if written is None:
        digits = _SPOKEN_DIGITS[spoken.lower()] * _REPEATS[repeat and repeat.lower()]
    else:
        digits = "".join(str(int(digit)) for digit in written.removeprefix("+"))
    return _Group(digits, *match.span(), international=bool(written) and written[0] == "+")


_MOST_DIGITS: Final = 19


def _is_card_number(number: _Number) -> bool:
    """Whether it has the length and the check digit of ISO/IEC 7812-1 (Luhn)."""
    digits = _digits_of(number)
    if not 13 <= len(digits) <= _MOST_DIGITS:
        return False
    doubled = (sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (sum(doubled) + sum(map(int, digits[-1::-2]))) % 10 == 0


def _is_phone(number: _Number) -> bool:
    """Whether it is as long as E.164 allows, or looks like ``+49 30 1234`` or ``555-1234``."""
    length = len(_digits_of(number))
    shortest = 7 if number[0].international else 9
    return shortest <= length <= 15 or [len(group.digits) for group in number] == [3, 4]


def _digits_of(number: _Number) -> str:
    return "".join(group.digits for group in number)
