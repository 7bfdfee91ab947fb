"""How words are counted and compared."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from voicesession.core.floor.tokens import similarity, tokens

SEQUENCES = st.lists(st.sampled_from("abcd"), max_size=8).map(tuple)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ()),
        (" … — ", ()),
        ("Uh-huh, it’s 3.50!", ("uh-huh", "it's", "3.50")),
        ("Wait—no… stop", ("wait", "no", "stop")),
        ("well...okay", ("well", "okay")),
        ("«Grüße», STRASSE", ("grüsse", "strasse")),
        ("你好。", ("你", "好")),
        ("iPhoneです", ("iphone", "で", "す")),
        ("हिन्दी में", ("हिन्दी", "में")),
    ],
)
def test_a_token_is_a_word_without_case_and_punctuation(
    text: str, expected: tuple[str, ...]
) -> None:
    assert tokens(text) == expected


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("", "", 1),
        ("a", "", 0),
        ("a b c", "a b c", 1),
        ("a b c d e f g h i", "a b c d e f g h i please", 18 / 19),
        ("a b c d e", "a b x d e", 0.8),
        ("from paris to rome", "from rome to paris", 0.5),
        ("x a y b z", "a b", 4 / 7),
    ],
)
def test_similarity_counts_the_words_in_common_in_their_order(
    one: str, other: str, expected: float
) -> None:
    assert similarity(tokens(one), tokens(other)) == expected


@given(one=SEQUENCES, other=SEQUENCES)
def test_similarity_is_symmetric_bounded_and_one_only_for_equals(
    one: tuple[str, ...], other: tuple[str, ...]
) -> None:
    alike = similarity(one, other)
    assert alike == similarity(other, one)
    assert 0 <= alike <= 1
    assert (alike == 1) == (one == other)


@given(one=SEQUENCES, other=SEQUENCES)
def test_similarity_finds_the_longest_common_subsequence(
    one: tuple[str, ...], other: tuple[str, ...]
) -> None:
    def longest(a: tuple[str, ...], b: tuple[str, ...]) -> int:
        if not a or not b:
            return 0
        if a[0] == b[0]:
            return 1 + longest(a[1:], b[1:])
        return max(longest(a[1:], b), longest(a, b[1:]))

    total = len(one) + len(other)
    assert total == 0 or similarity(one, other) == 2 * longest(one, other) / total
