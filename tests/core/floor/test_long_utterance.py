"""Speech without a pause: cut at its quietest point, with no word lost or doubled."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from attrs import evolve
from hypothesis import given, settings, strategies as st

from voicesession.core.floor.config import FloorConfig
from voicesession.core.floor.conversation import Conversation
from voicesession.core.floor.effects import CutUtterance, Effect, TurnCommitted, UtteranceHeard
from voicesession.core.floor.long_utterance import QuietestPoint, Seam
from voicesession.core.utterance import Word
from voicesession.testing.effort import examples

S = 1_000_000


def spoken(*words: tuple[str, float, float], text: str | None = None) -> UtteranceHeard:
    """An utterance of words with their times in seconds."""
    timed = tuple(
        Word(text=word, start_us=round(start * S), end_us=round(end * S))
        for word, start, end in words
    )
    return UtteranceHeard(
        text=" ".join(word.text for word in timed) if text is None else text,
        start_us=timed[0].start_us,
        end_us=timed[-1].end_us,
        words=timed,
    )


def texts(utterances: list[UtteranceHeard]) -> list[str]:
    return [heard.text for heard in utterances]


# --- where ------------------------------------------------------------------------------------


def test_speech_is_cut_at_the_quietest_window_of_its_last_stretch(begin: Any) -> None:
    talk = begin(away_after_us=None)
    talk.loud(20)
    talk.voice(0.01, 0.36)  # quieter, but long before there is need
    talk.loud(7)
    talk.voice(0.01, 0.4)
    talk.loud(2.97)
    assert not talk.all(CutUtterance)
    talk.loud(0.01)
    assert talk.names == ["CutUtterance", "FlushRecogniser"]
    assert talk.last(CutUtterance).at_us == 27_015_000


def test_of_windows_that_are_alike_the_latest_is_cut(begin: Any) -> None:
    talk = begin(away_after_us=None)
    talk.loud(30)
    assert talk.last(CutUtterance).at_us == 29_995_000


def test_the_next_utterance_begins_at_the_cut(begin: Any) -> None:
    talk = begin(away_after_us=None, max_utterance_us=3 * S, cut_search_us=S)
    talk.loud(2.5)
    talk.voice(0.01, 0.4)
    talk.loud(0.49)
    talk.answers_flush()
    talk.loud(2.49)
    assert len(talk.all(CutUtterance)) == 1
    talk.loud(0.05)
    assert len(talk.all(CutUtterance)) == 2


def test_a_pause_in_time_spares_the_cut(begin: Any) -> None:
    talk = begin(away_after_us=None)
    for _ in range(3):
        talk.loud(20)
        talk.quiet(0.6)
        talk.answers_flush()
    assert not talk.all(CutUtterance)


def test_utterances_may_be_of_any_length_where_the_config_says_so() -> None:
    point = QuietestPoint(None, S)
    point.begin(0)
    assert point.window(0, 100 * S, 0.9) is None
    assert point.search_from_us is None


def test_a_search_longer_than_the_limit_looks_at_all_of_it() -> None:
    point = QuietestPoint(S, 5 * S)
    point.begin(S)
    assert point.search_from_us == S
    assert point.window(S, 2 * S, 0.9) == 1_500_000


# --- whose words ------------------------------------------------------------------------------


def test_without_a_cut_words_pass_as_they_come() -> None:
    seam, heard = Seam(), spoken(("hello", 0, 1))
    assert seam.take(heard) == [heard]
    assert seam.flushed() == []


def test_a_word_belongs_to_the_utterance_in_which_its_middle_lies() -> None:
    seam = Seam()
    seam.cut(10 * S)
    first = seam.take(spoken(("one", 9, 9.5), ("two", 9.6, 10.3), ("three", 9.8, 10.3)))
    assert texts(first) == ["one two"]
    assert (first[0].start_us, first[0].end_us) == (9 * S, 10_300_000)
    assert texts(seam.close()) == ["three"]


def test_words_heard_again_after_the_cut_are_kept_once() -> None:
    seam = Seam()
    seam.cut(10 * S)
    assert texts(seam.take(spoken(("one", 9, 9.5), ("two", 10.2, 10.6)))) == ["one"]
    seam.flushed()
    assert texts(seam.take(spoken(("two", 10.2, 10.6), ("three", 10.7, 11)))) == ["two three"]
    assert seam.flushed() == []


def test_words_that_are_not_heard_again_stand() -> None:
    seam = Seam()
    seam.cut(10 * S)
    seam.take(spoken(("one", 9, 9.5), ("two", 10.2, 10.6)))
    seam.flushed()
    assert texts(seam.take(spoken(("three", 10.7, 11)))) == ["two", "three"]


def test_of_words_kept_back_those_before_the_first_one_heard_again_stand() -> None:
    seam = Seam()
    seam.cut(10 * S)
    seam.take(spoken(("two", 10.2, 10.4), ("tore", 10.5, 10.7)))
    seam.flushed()
    assert texts(seam.take(spoken(("torn", 10.5, 10.9)))) == ["two", "torn"]


def test_the_tail_of_a_word_given_out_is_not_a_word() -> None:
    seam = Seam()
    seam.cut(10 * S)
    assert texts(seam.take(spoken(("flight", 9.7, 10.2)))) == ["flight"]
    seam.flushed()
    assert seam.take(spoken(("ight", 10, 10.2))) == []
    assert texts(seam.take(spoken(("ight", 10, 10.2), ("to", 10.3, 10.4)))) == ["to"]


def test_a_final_behind_the_cut_waits_as_a_whole() -> None:
    seam = Seam()
    seam.cut(10 * S)
    assert seam.take(spoken(("two", 10.2, 10.6))) == []
    assert texts(seam.close()) == ["two"]


def test_what_one_cut_kept_back_is_sorted_with_the_words_of_the_next() -> None:
    seam = Seam()
    seam.cut(10 * S)
    seam.take(spoken(("one", 9, 9.5), ("two", 10.2, 10.6)))
    seam.flushed()
    seam.cut(20 * S)
    again = spoken(("two", 10.2, 10.6), ("three", 15, 16), ("four", 20.1, 20.5))
    assert texts(seam.take(again)) == ["two three"]
    assert texts(seam.close()) == ["four"]


def test_of_two_finals_before_the_flush_the_first_stands_once_the_second_has_come() -> None:
    seam = Seam()
    seam.cut(10 * S)
    assert seam.take(spoken(("two", 10.2, 10.6))) == []
    assert texts(seam.take(spoken(("three", 10.7, 11)))) == ["two"]
    seam.flushed()
    assert texts(seam.take(spoken(("two", 10.2, 10.6), ("three", 10.7, 11)))) == ["three"]


def test_words_without_times_pass_behind_those_kept_back() -> None:
    seam = Seam()
    seam.cut(10 * S)
    seam.take(spoken(("two", 10.2, 10.6)))
    untimed = UtteranceHeard(text="three", start_us=0, end_us=0)
    assert texts(seam.take(untimed)) == ["two", "three"]


def test_the_second_flush_closes_the_seam() -> None:
    seam = Seam()
    seam.cut(10 * S)
    seam.take(spoken(("two", 10.2, 10.6)))
    assert seam.flushed() == []
    assert texts(seam.flushed()) == ["two"]


def test_a_text_is_cut_with_its_punctuation() -> None:
    seam = Seam()
    seam.cut(10 * S)
    heard = spoken(("It", 9, 9.1), ("is", 9.2, 9.4), ("it", 10.2, 10.6), text="It is; it…")
    assert texts(seam.take(heard)) == ["It is;"]
    assert texts(seam.close()) == ["it…"]


def test_a_text_that_is_not_made_of_its_words_is_made_of_them() -> None:
    seam = Seam()
    seam.cut(10 * S)
    heard = spoken(("twenty", 9, 9.5), ("one", 10.2, 10.6), text="21")
    assert texts(seam.take(heard)) == ["twenty"]
    assert texts(seam.close()) == ["one"]


# --- together ---------------------------------------------------------------------------------


@settings(max_examples=examples(40))
@given(
    gaps=st.lists(st.integers(200_000, 900_000), min_size=10, max_size=60),
    levels=st.lists(st.floats(0.36, 0.6), min_size=1, max_size=9),
    pushes_again=st.booleans(),
    splits=st.sets(st.integers(0, 60)),
)
def test_a_speech_of_any_length_comes_out_word_by_word(
    gaps: list[int], levels: list[float], pushes_again: bool, splits: set[int]
) -> None:
    """A recogniser of the simplest kind: at a flush it answers with what it was pushed since."""
    starts = [sum(gaps[:n]) for n in range(len(gaps))]
    words = [
        Word(text=f"w{n}", start_us=start, end_us=start + 3 * gap // 4)
        for n, (start, gap) in enumerate(zip(starts, gaps, strict=True))
    ]
    conversation = Conversation(
        FloorConfig(max_utterance_us=4 * S, cut_search_us=S, away_after_us=None)
    )
    effects: list[Effect] = [*conversation.start(0)]
    total_us = sum(gaps)
    at_us = heard_until_us = 0
    while at_us < total_us + 2 * S:
        at_us += 20_000
        said = any(word.start_us <= at_us < word.end_us for word in words)
        level = 0.9 if said else levels[at_us // 300_000 % len(levels)]
        told = conversation.voice(at_us, level if at_us < total_us else 0.0)
        effects += told
        cuts = [effect.at_us for effect in told if isinstance(effect, CutUtterance)]
        if "FlushRecogniser" in {type(effect).__name__ for effect in told}:
            found = [w for w in words if w.end_us <= at_us and w.start_us >= heard_until_us]
            for final in _in_pieces(found, splits):
                text = " ".join(word.text for word in final)
                span = final[0].start_us, final[-1].end_us
                effects += conversation.final(at_us, text, *span, 0.9, final)
            effects += conversation.flushed(at_us)
            again_from_us = cuts[0] if cuts and pushes_again else at_us
            lost_to_the_flush = [w for w in words if w.start_us < at_us < w.end_us]
            heard_until_us = min([again_from_us, *(w.start_us for w in lost_to_the_flush)])
    effects += conversation.end(at_us)
    heard = [e for e in effects if isinstance(e, UtteranceHeard)]
    assert " ".join(each.text for each in heard).split() == [word.text for word in words]
    assert [word for each in heard for word in each.words] == words
    assert all(one.end_us <= two.start_us for one, two in pairwise(heard))
    turns = [e.text for e in effects if isinstance(e, TurnCommitted)]
    assert turns == [" ".join(word.text for word in words)]


def _in_pieces(words: list[Word], splits: set[int]) -> list[tuple[Word, ...]]:
    pieces: list[tuple[Word, ...]] = []
    for word in words:
        if pieces and int(word.text[1:]) not in splits:
            pieces[-1] += (word,)
        else:
            pieces.append((word,))
    return pieces


def cut_at(seconds: float, heard: UtteranceHeard) -> list[str]:
    """The texts on both sides of a cut, once the recogniser has no more."""
    seam = Seam()
    seam.cut(round(seconds * S))
    before = seam.take(heard)
    assert seam.flushed() == []
    return texts([*before, *seam.flushed()])


def test_a_word_whose_middle_is_the_cut_belongs_behind_it() -> None:
    heard = spoken(("one", 0, 1), ("two", 1, 2), ("three", 2, 3))
    assert cut_at(1.5, heard) == ["one", "two three"]


def test_a_word_that_comes_twice_is_cut_at_its_own_place() -> None:
    words = [("the", 0, 1), ("cat", 1, 2), ("the", 2, 3), ("dog", 3, 4), ("the", 4, 5)]
    heard = spoken(*words, text="The cat, the dog! The")
    assert cut_at(2, evolve(heard, text="the cat, the dog! the")) == ["the cat,", "the dog! the"]


def test_a_text_that_is_not_made_of_its_words_is_cut_into_these() -> None:
    heard = spoken(("one", 0, 1), ("two", 1, 2), ("three", 2, 3), ("four", 3, 4), text="1 2 3 4")
    assert cut_at(2, heard) == ["one two", "three four"]


def test_the_quietest_point_is_a_whole_microsecond() -> None:
    point = QuietestPoint(limit_us=30, search_us=30)
    point.begin(0)
    assert point.window(0, 15, 0.4) is None
    cut_us = point.window(15, 30, 0.9)
    assert (cut_us, type(cut_us)) == (7, int)
