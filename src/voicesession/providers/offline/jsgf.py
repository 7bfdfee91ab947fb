"""
Grammars in the Java Speech Grammar Format: https://www.w3.org/TR/jsgf/

PocketSphinx compiles them, but says of a broken one only that it is broken, prints what it
does not understand, takes an undefined rule for silence, and of several public rules picks
one by chance. So a grammar is read here first, and what is wrong is said with its line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from attrs import define, field, frozen

from ...core.errors import InvalidValue

__all__ = ("Grammar", "Place", "parse_grammar")

_HEADER: Final = re.compile(r"\ufeff?\s*#JSGF\s+V1\.0[^;\n]*;")
_TOKEN: Final = re.compile(
    r"""(?P<blank>\s+|//[^\n]*|/\*.*?\*/)
      | (?P<weight>/\s*[0-9][0-9.eE+-]*\s*/)
      | (?P<tag>\{(?:[^\\}]|\\.)*\})
      | (?P<rule><[^<>;|=\s]+>)
      | (?P<sign>[;=|()\[\]*+])
      | (?P<word>[^\s;=|()\[\]*+<>{}/"]+)""",
    re.VERBOSE | re.DOTALL,
)
_SPECIAL_RULES: Final = frozenset({"<NULL>", "<VOID>"})
_CLOSING: Final = {"(": ")", "[": "]"}
_ANY_SENTENCE: Final = "voicesession_any_sentence"


@frozen
class Place:
    """A word, rule or sign of the grammar, and its line, counted from 1."""

    text: str
    line: int
    kind: str
    end: int

    def refused(self, allowed: str) -> InvalidValue:
        """Return the error that says what should stand here."""
        return InvalidValue("grammar", f"line {self.line}: {self.text}", allowed)


@frozen
class Grammar:
    """A grammar that PocketSphinx will take.

    Attributes:
        text: With one public rule in front, which stands for all of them.
        top_rule: The full name of that rule.
        words: Every word that can be said, where it stands first.
    """

    text: str
    top_rule: str
    words: Mapping[str, Place]


def parse_grammar(text: str) -> Grammar:
    """Return the grammar that *text* holds; any of its public rules may be said.

    Raises:
        InvalidValue: It is no grammar, or asks for what the recogniser does not know:
            imports, quoted words, and rules that refer to themselves (use ``+`` or ``*``).
    """
    header = _HEADER.match(text)
    if header is None:
        first_line = text.lstrip("\ufeff").partition("\n")[0]
        raise InvalidValue("grammar", f"line 1: {first_line}", "a first line of #JSGF V1.0;")
    reader = _Reader(text, list(_tokens(text, header.end())))
    name_end = reader.read_grammar_name()
    try:
        reader.read_rules()
        _require_sound_rules(reader)
    except RecursionError:
        raise reader.tokens[reader.at].refused("fewer groups or rules within each other") from None
    any_sentence = f"\npublic <{_ANY_SENTENCE}> = {' | '.join(reader.public)};"
    return Grammar(
        text=text[header.start() : name_end].lstrip("\ufeff") + any_sentence + text[name_end:],
        top_rule=f"{reader.name}.{_ANY_SENTENCE}",
        words=reader.words,
    )


@define
class _Reader:
    """Reads the grammar from front to back, one method for each form in it."""

    text: str
    tokens: list[Place]
    at: int = 0
    name: str = ""
    rules: dict[str, list[Place]] = field(factory=dict)
    public: list[str] = field(factory=list)
    words: dict[str, Place] = field(factory=dict)

    def read_grammar_name(self) -> int:
        """Read ``grammar name;`` and return where it ends in the text."""
        self._take("word", "grammar NAME; after the first line", "grammar")
        self.name = self._take("word", "the name of the grammar").text
        return self._take("sign", "; after the name of the grammar", ";").end

    def read_rules(self) -> None:
        while self._next().kind != "end":
            self._read_rule()

    def _read_rule(self) -> None:
        is_public = self._next().text == "public"
        if is_public:
            self.at += 1
        rule = self._take("rule", "a definition: public <name> = what is said;")
        if rule.text in self.rules or rule.text in _SPECIAL_RULES:
            raise rule.refused("a rule that is defined once, and is not <NULL> or <VOID>")
        self._take("sign", f"= after {rule.text}", "=")
        references: list[Place] = []
        self.rules[rule.text] = references
        if is_public:
            self.public.append(rule.text)
        self._read_alternatives(references)
        self._take("sign", f"; at the end of {rule.text}", ";")

    def _read_alternatives(self, references: list[Place]) -> None:
        self._read_sequence(references)
        while self._next().text == "|":
            self.at += 1
            self._read_sequence(references)

    def _read_sequence(self, references: list[Place]) -> None:
        if self._next().kind == "weight":
            self.at += 1
        self._read_item(references)
        while self._next().kind in {"word", "rule"} or self._next().text in _CLOSING:
            self._read_item(references)

    def _read_item(self, references: list[Place]) -> None:
        item = self._next()
        self.at += 1
        if item.kind == "word":
            self.words.setdefault(item.text, item)
        elif item.kind == "rule":
            references.append(item)
        elif item.text in _CLOSING:
            self._read_alternatives(references)
            closing = _CLOSING[item.text]
            self._take("sign", f"{closing} to close the {item.text} of line {item.line}", closing)
        else:
            raise item.refused("a word, a <rule>, ( or [")
        while self._next().text in {"*", "+"} or self._next().kind == "tag":
            self.at += 1

    def _take(self, kind: str, allowed: str, text: str | None = None) -> Place:
        token = self._next()
        if token.kind != kind or text not in {None, token.text}:
            raise token.refused(allowed)
        self.at += 1
        return token

    def _next(self) -> Place:
        return self.tokens[self.at]


def _tokens(text: str, start: int) -> Iterator[Place]:
    line = 1 + text.count("\n", 0, start)
    while start < len(text):
        token = _TOKEN.match(text, start)
        if token is None:
            rest = text[start:].partition("\n")[0]
            raise InvalidValue("grammar", f"line {line}: {rest}", "words, <rules>, | ( ) [ ] * + ;")
        if token.lastgroup != "blank":
            yield Place(token[0], line, str(token.lastgroup), token.end())
        line += token[0].count("\n")
        start = token.end()
    yield Place("the end", line, "end", start)


def _require_sound_rules(reader: _Reader) -> None:
    if not reader.public:
        raise reader.tokens[-1].refused("at least one public rule before it")
    for references in reader.rules.values():
        for reference in references:
            if reference.text not in reader.rules and reference.text not in _SPECIAL_RULES:
                raise reference.refused("a rule that is defined")
    _require_no_circles(reader.rules)


def _require_no_circles(rules: Mapping[str, list[Place]]) -> None:
    sound: set[str] = set()

    def follow(rule: str, path: tuple[str, ...]) -> None:
        for reference in rules.get(rule, ()):
            if reference.text in path:
                raise reference.refused("a rule that does not come back to itself; use + or *")
            if reference.text not in sound:
                follow(reference.text, (*path, reference.text))
        sound.add(rule)

    for rule in rules:
        follow(rule, (rule,))
