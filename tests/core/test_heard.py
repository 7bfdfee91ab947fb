"""How much of a reply was heard."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from voicesession.core.heard import MadeSpeech, SpeakingRate, SpeechMark

TEXT = "Good morning, Ada. How are you?"
PIECES = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 5_000_000)), max_size=6)


def heard(made: MadeSpeech, played_us: int, text: str = TEXT) -> str:
    return made.heard_of(text, played_us, SpeakingRate())


def test_of_what_was_not_played_nothing_was_heard() -> None:
    made = MadeSpeech()
    assert heard(made, 0) == ""
    made.add(18, 2_000_000, [SpeechMark(4, 500_000)])
    assert heard(made, 0) == ""


def test_of_what_was_wholly_played_all_was_heard() -> None:
    made = MadeSpeech()
    made.add(len(TEXT), 3_000_000)
    made.complete(SpeakingRate())
    assert heard(made, 3_000_000) == TEXT


def test_what_was_never_made_was_not_heard_though_all_that_was_made_is_played() -> None:
    made = MadeSpeech()
    made.add(18, 2_000_000)
    made.complete(SpeakingRate())
    assert heard(made, 2_000_000) == "Good morning, Ada."


def test_marks_tell_exactly() -> None:
    made = MadeSpeech()
    made.add(18, 2_000_000, [SpeechMark(4, 400_000), SpeechMark(13, 1_100_000)])
    made.add(18, 2_500_000, [SpeechMark(4, 400_000), SpeechMark(18, 1_900_000)])
    assert heard(made, 399_999) == ""
    assert heard(made, 400_000) == "Good"
    assert heard(made, 1_899_999) == "Good morning,"
    assert heard(made, 1_900_000) == "Good morning, Ada."


def test_a_mark_within_a_word_counts_only_the_words_before() -> None:
    made = MadeSpeech()
    made.add(31, 2_000_000, [SpeechMark(7, 600_000)])
    assert heard(made, 700_000) == "Good"


def test_without_marks_a_piece_that_is_made_is_heard_in_proportion() -> None:
    made = MadeSpeech()
    made.add(18, 1_000_000)
    made.add(31, 1_500_000)
    # The first sentence is wholly made: 18 characters in 1 s.
    assert heard(made, 500_000) == "Good"
    assert heard(made, 999_999) == "Good morning,"
    assert heard(made, 1_000_000) == "Good morning, Ada."


def test_a_piece_still_being_made_is_heard_at_the_speaking_rate() -> None:
    made = MadeSpeech()
    made.add(31, 200_000)
    made.add(31, 1_200_000)
    # 15 characters a second.
    assert heard(made, 1_000_000) == "Good morning,"
    assert heard(made, 60_000_000) == TEXT


def test_the_last_piece_is_heard_in_proportion_once_it_is_complete() -> None:
    made = MadeSpeech()
    made.add(31, 10_000_000)
    made.complete(SpeakingRate())
    assert heard(made, 5_000_000) == "Good morning,"


def test_a_script_without_spaces_may_be_cut_between_any_two_characters() -> None:
    made = MadeSpeech()
    made.add(4, 4_000_000)
    made.complete(SpeakingRate())
    assert heard(made, 2_000_000, "你好吗？") == "你好"


def test_the_rate_is_learned_a_quarter_at_a_time() -> None:
    rate = SpeakingRate()
    assert rate.us_per_character == 66_666
    made = MadeSpeech()
    made.add(100, 10_000_000)
    made.complete(rate)
    made.complete(rate)
    assert rate.us_per_character == (3 * 66_666 + 100_000) // 4


@pytest.mark.parametrize(("characters", "duration_us"), [(0, 5_000_000), (10, 0), (10, 9)])
def test_nothing_is_learned_from_silence(characters: int, duration_us: int) -> None:
    rate = SpeakingRate()
    rate.learn(characters, duration_us)
    assert rate.us_per_character == 66_666


@given(pieces=PIECES, played=st.lists(st.integers(0, 6_000_000), max_size=8), ends=st.booleans())
def test_what_is_heard_only_grows_and_never_cuts_a_word(
    pieces: list[tuple[int, int]], played: list[int], ends: bool
) -> None:
    made = MadeSpeech()
    for text_end, duration_us in pieces:
        made.add(text_end, duration_us)
    if ends:
        made.complete(SpeakingRate())
    before = ""
    for played_us in sorted(played):
        now = heard(made, played_us)
        assert now.startswith(before)
        assert now.split() == TEXT.split()[: len(now.split())]
        before = now


@given(pieces=PIECES)
def test_totals_never_shrink(pieces: list[tuple[int, int]]) -> None:
    made = MadeSpeech()
    for text_end, duration_us in pieces:
        made.add(text_end, duration_us)
    assert made.text_end == max((text_end for text_end, _ in pieces), default=0)
    assert made.duration_us == max((duration_us for _, duration_us in pieces), default=0)


def test_only_the_first_audio_is_news() -> None:
    made = MadeSpeech()
    assert [made.add(5, duration_us) for duration_us in (0, 1, 2)] == [False, True, False]


def test_text_that_has_no_audio_yet_was_not_heard_with_the_audio_before_it() -> None:
    made = MadeSpeech()
    for text_end in (4, 13, 18):
        made.add(text_end, 1_000_000)
    assert heard(made, 1_000_000) == "Good"


def test_a_mark_that_is_told_again_is_kept_once() -> None:
    made = MadeSpeech()
    told = [SpeechMark(4, 0), SpeechMark(13, 1), SpeechMark(18, 2)]
    for count in (1, 2, 3, 3):
        made.add(18, 2_000_000, told[:count])
    assert made._marks == told
    assert heard(made, 0) == "Good"


def test_after_the_last_of_it_all_was_heard_whatever_the_marks_say() -> None:
    made = MadeSpeech()
    made.add(18, 2_000_000, [SpeechMark(4, 400_000)])
    made.complete(SpeakingRate())
    assert heard(made, 1_999_999) == "Good"
    assert heard(made, 2_000_000) == "Good morning, Ada."


def test_before_the_first_mark_not_even_a_word_of_one_letter_was_heard() -> None:
    made = MadeSpeech()
    made.add(4, 1_000_000, [SpeechMark(1, 500_000)])
    assert heard(made, 499_999, "I am") == ""


def test_each_piece_is_heard_in_its_own_proportion() -> None:
    made = MadeSpeech()
    made.add(18, 1_000_000)
    made.add(31, 2_000_000)
    made.complete(SpeakingRate())
    # 18 characters are over, and half of the other 13.
    assert heard(made, 1_500_000) == "Good morning, Ada. How"


def test_a_word_ends_where_another_script_begins() -> None:
    made = MadeSpeech()
    made.add(3, 3_000_000)
    made.complete(SpeakingRate())
    assert heard(made, 2_000_000, "Hi你") == "Hi"


@pytest.mark.parametrize(("left_us", "over"), [(1_000, False), (999, True), (0, True)])
def test_all_is_heard_when_less_than_a_millisecond_is_left(left_us: int, over: bool) -> None:
    made = MadeSpeech()
    made.add(18, 2_000_000)
    assert made.all_heard_from_us > 2_000_000
    made.complete(SpeakingRate())
    assert (2_000_000 - left_us >= made.all_heard_from_us) is over


@pytest.mark.parametrize(("characters", "duration_us"), [(1, 80_000), (10, 10)])
def test_the_rate_stays_a_whole_number_however_little_was_said(
    characters: int, duration_us: int
) -> None:
    rate = SpeakingRate()
    rate.learn(characters, duration_us)
    assert rate.us_per_character == (3 * 66_666 + duration_us // characters) // 4
    assert type(rate.us_per_character) is int
