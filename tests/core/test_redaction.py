from __future__ import annotations

import pickle
from typing import Any

import pytest
from attrs import evolve
from hypothesis import example, given, strategies as st

from voicesession.core.errors import InvalidValue
from voicesession.core.redaction import BLUR, Redaction, SecretKind, blurred_spans
from voicesession.core.timeline import Span
from voicesession.core.utterance import Speaker, Utterance, UtteranceId, Word
from voicesession.testing.strategies import utterances

ALL = Redaction([*SecretKind, "hunter2", "Ada Lovelace"])
CARD = Redaction([SecretKind.CARD_NUMBER])
PHONE = Redaction([SecretKind.PHONE])
EMAIL = Redaction([SecretKind.EMAIL])

# Texts in which secrets are likely, broken in likely places.
FRAGMENTS = st.sampled_from(
    [
        *("4111 1111 1111 1111", "4111-1111", "1111", "four", "one", "double", "oh", "+49", "30"),
        *("555-1234", "ada", "@", "example", ".", "com", "dot", "at", "hunter2", "Ada", "Lovelace"),
        *(" ", " ", " ", "  ", ", ", "-", "(", "ü", "x", "0", "12", BLUR),
    ]
)
texts = st.lists(FRAGMENTS, max_size=30).map("".join)


def spoken(text: str, *, words: str | None = None) -> Utterance:
    """An utterance of one second a word, from the second 1."""
    timed = tuple(
        Word(text=word, start_us=n * 1_000_000, end_us=n * 1_000_000 + 900_000)
        for n, word in enumerate((text if words is None else words).split(), 1)
    )
    return Utterance(
        id=UtteranceId("utt_1"),
        speaker=Speaker.USER,
        start_us=1_000_000,
        end_us=99_000_000,
        text=text,
        words=timed,
    )


def replied(whole: str, heard: str) -> Utterance:
    return Utterance(
        id=UtteranceId("utt_2"),
        speaker=Speaker.AGENT,
        start_us=5,
        end_us=9,
        text=heard,
        generated_text=whole,
        spoken_text=heard,
        interrupted=True,
    )


def seconds(spans: tuple[Span, ...]) -> list[tuple[float, float]]:
    return [(span.from_us / 1e6, span.to_us / 1e6) for span in spans]


@pytest.mark.parametrize(
    ("text", "blurred"),
    [
        ("4111 1111 1111 1111", "████ ████ ████ ████"),
        ("It is 4111-1111-1111-1111, yes.", "It is ███████████████████, yes."),
        ("4111111111111111", "████████████████"),
        ("378282246310005", "███████████████"),
        ("6304 0000 0000 0000 00", "████ ████ ████ ████ ██"),
        ("4000000000006", "█████████████"),
        ("6304 0000 0000 0000 000", "████ ████ ████ ████ ███"),
        ("٤١١١١١١١١١١١١١١١", "████████████████"),
        ("4111 1111 1111 1111 7", "████ ████ ████ ████ 7"),
        ("4111 1111 1111 1112", "4111 1111 1111 1112"),
        ("4111, 1111, 1111, 1111", "█████ █████ █████ ████"),
        ("on 21 11 2026 at 4111", "on 21 11 2026 at 4111"),
    ],
)
def test_a_card_number_is_blurred_if_its_check_digit_is_right(text: str, blurred: str) -> None:
    assert CARD.blur_text(text) == blurred


def test_a_spoken_card_number_is_blurred_with_its_double_and_oh() -> None:
    said = "it's Four double one one, " + "one " * 11 + "one. Thanks"
    blurred = CARD.blur_text(said)
    assert blurred.split()[0] == "it's"
    assert blurred.endswith(" ███. Thanks")
    assert set("".join(blurred.split()[1:-2])) == {BLUR}
    assert "triple oh" not in CARD.blur_text("four one triple one " + "triple oh " * 3 + "six")


@pytest.mark.parametrize(
    "number",
    [
        *("0612345678", "06 12 34 56 78", "(020) 7946 0958", "+1 (415) 555-2671", "+49 30 1234"),
        *("555-1234", "555 1234", "oh six one two three four five six seven eight"),
        *("+49 30 123", "030 123 456", "030 123 456 789 012"),
    ],
)
def test_a_telephone_number_is_blurred_however_it_is_grouped(number: str) -> None:
    blurred = PHONE.blur_text(f"call {number} now")
    assert blurred.startswith("call ")
    assert blurred.endswith(" now")
    assert not any(char.isalnum() for char in blurred[5:-4])


@pytest.mark.parametrize(
    "text",
    ["in 2026", "2026-11-21", "room 12345678", "1234567890123456", "12+345", "+49 30 12"],
)
def test_shorter_and_longer_numbers_are_no_telephone_numbers(text: str) -> None:
    assert PHONE.blur_text(text) == text


@pytest.mark.parametrize(
    "address",
    [
        *("ada@example.com", "a.d+a@mail.example.co.uk", "ÄDA@exämple.de"),
        *("ada at example dot com", "ada dot l at mail dot example dot org", "Ada At example.com"),
    ],
)
def test_an_email_address_is_blurred_written_or_spoken(address: str) -> None:
    blurred = EMAIL.blur_text(f"write {address}, please.")
    assert blurred.startswith("write ")
    assert blurred.endswith(", please.")
    assert not any(char.isalnum() for char in blurred[6:-9])


@pytest.mark.parametrize("text", ["look at that", "a @ b", "user@localhost", "we met at noon."])
def test_what_only_looks_a_little_like_an_address_stays(text: str) -> None:
    assert EMAIL.blur_text(text) == text


def test_a_literal_is_blurred_in_any_case_and_inside_longer_words() -> None:
    redaction = Redaction(["hunter2", " Ada  Lovelace", "a.c"])
    assert redaction.blur_text("HUNTER2s of ada\nlovelace: abc a.c") == (
        "███████s of ███\n████████: abc ███"
    )


def test_secrets_that_overlap_are_blurred_both() -> None:
    assert Redaction(["abc", "cde"]).blur_text("abcde") == "█████"


def test_a_secret_that_a_blur_lays_bare_is_blurred_too() -> None:
    assert Redaction(["4111111111111111", SecretKind.PHONE]).blur_text(
        "0612345678" + "4111111111111111"
    ) == BLUR * len("06123456784111111111111111")


def test_only_what_was_asked_for_is_blurred() -> None:
    text = "ada@example.com 555-1234 4111111111111111"
    assert Redaction([]).blur_text(text) == text
    assert EMAIL.blur_text(text) == f"{BLUR * 15} 555-1234 4111111111111111"


@given(texts)
@example("hunter2hunter24111 1111 1111 1111")
def test_blurring_twice_is_the_same_as_once_and_moves_nothing(text: str) -> None:
    blurred = ALL.blur_text(text)
    assert ALL.blur_text(blurred) == blurred
    assert len(blurred) == len(text)
    for before, after in zip(text, blurred, strict=True):
        assert after in (before, BLUR)
        assert after.isspace() == before.isspace()


@given(texts, texts, texts, st.integers(0, 60))
def test_an_utterance_keeps_its_shape_and_its_times_and_is_blurred_once_for_all(
    text: str, words: str, whole: str, cut: int
) -> None:
    for utterance in (
        spoken(text),
        spoken(text, words=words),
        replied(whole, whole[:cut]),
        replied(whole, text),
        evolve(replied(whole, whole[:cut]), words=spoken(words).words),
    ):
        blurred = ALL.blur(utterance)
        assert ALL.blur(blurred) == blurred
        assert [len(w.text) for w in blurred.words] == [len(w.text) for w in utterance.words]
        assert len(blurred.text) == len(utterance.text)
        bare = evolve(
            blurred,
            text=utterance.text,
            words=utterance.words,
            generated_text=utterance.generated_text,
            spoken_text=utterance.spoken_text,
        )
        assert bare == utterance
        timed = [(w.start_us, w.end_us) for w in utterance.words]
        assert [(w.start_us, w.end_us) for w in blurred.words] == timed


@given(utterances())
def test_without_secrets_an_utterance_comes_back_as_it_is(utterance: Utterance) -> None:
    assert Redaction(()).blur(utterance) == utterance


def test_the_words_of_a_secret_are_blurred_and_their_time_is_told() -> None:
    blurred = CARD.blur(spoken("My card is 4111 1111 1111 1111, okay?"))
    assert blurred.text == "My card is ████ ████ ████ ████, okay?"
    assert [word.text for word in blurred.words][2:] == ["is", *["████"] * 3, "████,", "okay?"]
    assert seconds(blurred_spans(blurred)) == [(4.0, 7.9)]


def test_two_secrets_apart_are_two_spans() -> None:
    blurred = Redaction(["red", "blue"]).blur(spoken("red or blue"))
    assert seconds(blurred_spans(blurred)) == [(1.0, 1.9), (3.0, 3.9)]


def test_text_and_words_of_the_same_count_blur_each_other() -> None:
    secret = Redaction(["Müller"])
    only_in_text = secret.blur(spoken("Hello Müller.", words="hello mueller"))
    assert only_in_text.text == "Hello ██████."
    assert [word.text for word in only_in_text.words] == ["hello", "███████"]
    only_in_words = secret.blur(spoken("Hello Miller.", words="hello müller"))
    assert only_in_words.text == "Hello ███████"
    assert seconds(blurred_spans(only_in_words)) == [(2.0, 2.9)]


def test_a_secret_written_in_digits_and_said_in_words_is_blurred_in_both() -> None:
    said = "my card is four " + "one " * 15 + "thanks"
    blurred = CARD.blur(spoken("My card is 4111-1111-1111-1111, thanks.", words=said))
    assert blurred.text == "My card is ███████████████████, thanks."
    assert blurred.words[2].text == "is"
    assert seconds(blurred_spans(blurred)) == [(4.0, 19.9)]


def test_where_text_and_words_disagree_about_a_secret_all_of_both_is_blurred() -> None:
    missed = CARD.blur(spoken("It is 4111 1111 1111 1111", words="it is forty one eleven"))
    assert {*missed.text} == {BLUR, " "}
    assert {*"".join(word.text for word in missed.words)} == {BLUR}
    assert seconds(blurred_spans(missed)) == [(1.0, 99.0)]


def test_without_word_times_the_whole_utterance_counts_as_blurred() -> None:
    blurred = CARD.blur(spoken("It is 4111 1111 1111 1111", words=""))
    assert seconds(blurred_spans(blurred)) == [(1.0, 99.0)]


def test_nothing_blurred_is_no_span() -> None:
    assert blurred_spans(CARD.blur(spoken("Hello"))) == ()
    assert blurred_spans(CARD.blur(spoken("Hello", words=""))) == ()


def test_a_span_has_a_length_even_if_the_word_has_none() -> None:
    at_once = evolve(spoken("x"), words=(Word(text=BLUR, start_us=7, end_us=7), *spoken("x").words))
    assert blurred_spans(at_once) == (Span(7, 8),)


def test_a_reply_cut_inside_a_secret_shows_no_part_of_it() -> None:
    blurred = CARD.blur(replied("Is it 4111 1111 1111 1111?", "Is it 4111 11"))
    assert blurred.text == blurred.spoken_text == "Is it ████ ██"
    assert blurred.generated_text == "Is it ████ ████ ████ ████?"
    assert blurred_spans(blurred) == (Span(5, 9),)


def test_what_was_generated_and_never_spoken_masks_no_audio() -> None:
    blurred = CARD.blur(replied("Is it 4111 1111 1111 1111?", "Is it"))
    assert blurred.generated_text == "Is it ████ ████ ████ ████?"
    assert blurred_spans(blurred) == ()


def test_spoken_text_that_was_no_part_of_what_was_generated_is_blurred_by_itself() -> None:
    blurred = CARD.blur(replied("Something else", "4111111111111111"))
    assert blurred.spoken_text == BLUR * 16


@pytest.mark.parametrize("secrets", [[""], ["***"], [" "], [f"a{BLUR}"], "phone"])
def test_a_literal_that_cannot_be_a_secret_is_refused(secrets: Any) -> None:
    with pytest.raises(InvalidValue, match="secrets") as refused:
        Redaction(secrets)
    assert refused.value.value == "one that is not shown here"


def test_a_redaction_shows_no_secret_and_can_be_sent_to_another_process() -> None:
    assert "hunter2" not in repr(ALL)
    sent = pickle.loads(pickle.dumps(ALL))  # noqa: S301  # our own pickle
    assert sent == ALL
    assert sent.blur_text("hunter2") == BLUR * 7
