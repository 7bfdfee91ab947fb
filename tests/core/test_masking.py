from __future__ import annotations

import pytest
from attrs import evolve
from hypothesis import given, strategies as st

from voicesession.core.masking import masked
from voicesession.core.timeline import Span
from voicesession.core.utterance import Speaker, Utterance, UtteranceId, Word
from voicesession.testing.strategies import utterances

WORDS = ("my", "card", "is", "1234")
SAID = Utterance(
    id=UtteranceId("utt_1"),
    speaker=Speaker.USER,
    start_us=1_000,
    end_us=5_000,
    text="My card  is 1234.",
    words=tuple(
        Word(text=text, start_us=at, end_us=at + 900)
        for text, at in zip(WORDS, (1_000, 2_000, 3_000, 4_000), strict=True)
    ),
)
SPANS = st.builds(
    lambda start, length: Span(start, start + length), st.integers(0, 10**7), st.integers(1, 10**7)
)


def test_words_under_the_mask_are_blurred_in_the_text_as_well() -> None:
    hidden = masked(SAID, [Span(2_500, 3_500)])
    assert hidden.text == "My ████  ██ 1234."
    assert [word.text for word in hidden.words] == ["my", "████", "██", "1234"]
    assert (hidden.start_us, hidden.end_us, hidden.id) == (1_000, 5_000, "utt_1")


@pytest.mark.parametrize(
    ("mask", "text"),
    [
        (Span(0, 1_000), "My card  is 1234."),
        (Span(0, 1_001), "██ card  is 1234."),
        (Span(4_899, 9_000), "My card  is █████"),
        (Span(4_900, 9_000), "My card  is 1234."),
        (Span(5_000, 9_000), "My card  is 1234."),
    ],
)
def test_a_word_is_blurred_if_any_of_it_lies_under_the_mask(mask: Span, text: str) -> None:
    assert masked(SAID, [mask]).text == text


def test_without_the_times_of_words_all_of_it_is_blurred() -> None:
    untimed = evolve(SAID, words=())
    assert masked(untimed, [Span(4_900, 4_901)]).text == "██ ████  ██ █████"


def test_a_text_that_does_not_match_its_words_is_blurred_whole() -> None:
    torn = evolve(SAID, text="My credit card is 1234.")
    assert masked(torn, [Span(1_000, 1_001)]).text == "██ ██████ ████ ██ █████"


def test_the_space_around_the_words_stays() -> None:
    wide = evolve(SAID, text=" My card  is 1234. ")
    assert masked(wide, [Span(1_000, 1_001)]).text == " ██ card  is 1234. "


def test_what_the_agent_meant_to_say_is_blurred_with_what_was_heard() -> None:
    said = evolve(
        SAID,
        speaker=Speaker.AGENT,
        generated_text="My card is 1234. And more.",
        spoken_text="My card is 1234.",
        interrupted=True,
    )
    hidden = masked(said, [Span(4_000, 4_500)])
    assert hidden.spoken_text == "My card is █████"
    assert hidden.generated_text == "██ ████ ██ █████ ███ █████"


def test_what_takes_no_time_is_under_the_mask_of_its_instant() -> None:
    instant = evolve(SAID, start_us=7_000, end_us=7_000, words=())
    assert masked(instant, [Span(7_000, 7_001)]).text == "██ ████  ██ █████"
    assert masked(instant, [Span(7_001, 7_002)]) == instant


@given(utterances(), st.lists(SPANS, max_size=3))
def test_masking_twice_changes_nothing_more_and_keeps_every_length(
    utterance: Utterance, spans: list[Span]
) -> None:
    once = masked(utterance, spans)
    assert masked(once, spans) == once
    assert len(once.text) == len(utterance.text)
    assert [len(w.text) for w in once.words] == [len(w.text) for w in utterance.words]


@given(utterances())
def test_without_a_mask_everything_stays(utterance: Utterance) -> None:
    assert masked(utterance, []) == utterance
