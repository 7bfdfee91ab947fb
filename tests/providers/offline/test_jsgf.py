from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, strategies as st

from voicesession.core.errors import InvalidValue
from voicesession.providers.offline.jsgf import parse_grammar

HEAD = "#JSGF V1.0;\ngrammar menu;\n"


def refusal(text: str) -> InvalidValue:
    with pytest.raises(InvalidValue) as caught:
        parse_grammar(text)
    assert caught.value.field == "grammar"
    return caught.value


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ("public <a> = hello;", "hello"),
        ("public <a> = hello | thank you;", "hello thank you"),
        ("public <a> = [please] (stop | go on)+ now*;", "please stop go on now"),
        ("public <a> = /0.5/ hello | /1e-3/ goodbye;", "hello goodbye"),
        ("public <a> = hello {greeting \\} still} there {x}{y};", "hello there"),
        ("<b> = you;\npublic <a> = hello <b> | <NULL> | <VOID>;", "you hello"),
        ("// comment; with = signs\n/* and\nmore | */ public <a> = hello;", "hello"),
        ("public <a.b-c> = what's it's;", "what's it's"),
        ("public <a> = hello; public <b> = hello [<a>];", "hello"),
        ("public <a> = grammar public;", "grammar public"),
    ],
)
def test_a_grammar_tells_its_words(rules: str, words: str) -> None:
    assert list(parse_grammar(HEAD + rules).words) == words.split()


@pytest.mark.parametrize(
    "header", ["#JSGF V1.0 UTF-8;", "\ufeff#JSGF V1.0;", "\n#JSGF V1.0 ISO8859-5 en;"]
)
def test_the_header_may_name_an_encoding_and_a_language(header: str) -> None:
    grammar = parse_grammar(header + "\ngrammar com.acme.menu;\npublic <a> = hello;")
    assert grammar.top_rule.startswith("com.acme.menu.")
    assert "\ufeff" not in grammar.text


@pytest.mark.parametrize(
    ("rules", "line", "what", "allowed"),
    [
        ("public <a> = hello | ;", 3, ";", "a word"),
        ("public <a> = hello\n  | (thank you;", 4, ";", ") to close the ( of line 4"),
        ("public <a> = [thank you);", 3, ")", "] to close"),
        ("public <a> = hello", 3, "the end", "; at the end of <a>"),
        ("public <a> hello;", 3, "hello", "= after <a>"),
        ("public <a> = ;", 3, ";", "a word"),
        ("public <a> = + hello;", 3, "+", "a word"),
        ("public hello;", 3, "hello", "a definition"),
        ("public <a> = hello;;", 3, ";", "a definition"),
        ("\n\nimport <com.acme.*>;\npublic <a> = hello;", 5, "import", "a definition"),
        ("<a> = hello;\n", 4, "the end", "at least one public rule"),
        ("public <a> = hello\n<b>;", 4, "<b>", "a rule that is defined"),
        ("public <a> = hello;\npublic <a> = goodbye;", 4, "<a>", "defined once"),
        ("public <NULL> = hello;", 3, "<NULL>", "not <NULL>"),
        ("public <a> = hello <a>;", 3, "<a>", "does not come back"),
        ("public <a> = <b>;\n<b> = hello [<c>];\n<c> = <a>;", 5, "<a>", "does not come back"),
        ('public <a> =\n "hello there";', 4, '"hello there";', "words"),
        ("public <a> = hello { tag;", 3, "{ tag;", "words"),
        ("public <a> = < b >;", 3, "< b >;", "words"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(
    rules: str, line: int, what: str, allowed: str
) -> None:
    error = refusal(HEAD + rules)
    assert error.value == f"line {line}: {what}"
    assert allowed in error.allowed


@pytest.mark.parametrize("text", ["", "hello", "grammar a;\npublic <a> = b;", "#JSGF V2.0;\n"])
def test_without_its_first_line_it_is_no_grammar(text: str) -> None:
    assert "#JSGF V1.0;" in refusal(text).allowed


@pytest.mark.parametrize("name", ["", "menu;", "grammar;", "grammar menu", "grammar <menu>;"])
def test_a_grammar_has_a_name(name: str) -> None:
    assert "grammar" in refusal("#JSGF V1.0;\n" + name).allowed


def test_what_is_nested_without_end_is_refused() -> None:
    assert "within each other" in refusal(HEAD + "public <a> = " + "(" * 20_000).allowed


def test_rules_that_fan_out_are_read_at_once() -> None:
    rules = "".join(f"<r{n}> = <r{n + 1}> <r{n + 1}>;\n" for n in range(60))
    parse_grammar(f"{HEAD}{rules}<r60> = hello;\npublic <a> = <r0>;")


@given(st.text(alphabet=' \n;=|()[]*+<>{}/\\"aé0.', max_size=60))
def test_any_text_is_read_or_refused_as_a_bad_value(rules: str) -> None:
    with suppress(InvalidValue):
        parse_grammar(HEAD + rules)


@given(st.text(max_size=100))
def test_what_is_no_grammar_at_all_is_refused(text: str) -> None:
    refusal("x" + text)
