"""Text is cut where a speaker would breathe, and nothing of it is lost."""

import pytest
from hypothesis import given, strategies as st

from voicesession.core.sentences import SentenceCutter

TEXTS = st.text(st.sampled_from(list('ab .!?…\n)"。I,1')), max_size=60)


def cut(pieces: list[str]) -> list[str]:
    cutter = SentenceCutter()
    sentences = [sentence for piece in pieces for sentence in cutter.push(piece)]
    rest = cutter.rest()
    return [*sentences, rest] if rest else sentences


@given(st.lists(TEXTS, max_size=8))
def test_the_sentences_joined_are_the_text(pieces: list[str]) -> None:
    assert "".join(cut(pieces)) == "".join(pieces)


@given(TEXTS)
def test_letters_one_by_one_give_the_same_sentences_as_the_whole(text: str) -> None:
    assert cut(list(text)) == cut([text])


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("One. Two! Three? Four", ["One. ", "Two! ", "Three? ", "Four"]),
        ("He said “yes.” Then he left.", ["He said “yes.” ", "Then he left."]),
        ("Dr. Who met J. Smith, e.g. here.", ["Dr. Who met J. Smith, e.g. here."]),
        ("So do I. Really.", ["So do I. ", "Really."]),
        ("Ask (Dr. No) again. Yes.", ["Ask (Dr. No) again. ", "Yes."]),
        (". Then", [". ", "Then"]),
        ("It is 3.14 or so. Fine.", ["It is 3.14 or so. ", "Fine."]),
        ("好。很好。", ["好。", "很好。"]),
        ("A line\nAnother", ["A line\n", "Another"]),
        ("A line\n\nAnother.  Last", ["A line\n", "\nAnother. ", " Last"]),
        (" \n ", [" \n "]),
        ("", []),
    ],
)
def test_a_sentence_ends_where_a_reader_would_say_so(text: str, sentences: list[str]) -> None:
    assert cut([text]) == sentences


def test_a_sentence_is_given_as_soon_as_white_space_follows() -> None:
    cutter = SentenceCutter()
    assert cutter.push("Good morning.") == []
    assert cutter.push(" H") == ["Good morning. "]
    assert cutter.push("ow are you? ") == ["How are you? "]
    assert cutter.push("  And") == []
    assert cutter.rest() == "  And"
    assert cutter.rest() == ""
