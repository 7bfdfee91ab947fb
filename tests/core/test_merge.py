from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from attrs import evolve
from hypothesis import given, settings, strategies as st

from voicesession.core.errors import InvalidValue
from voicesession.core.merge import MANY_LANGUAGES, Leg, merge
from voicesession.core.transcript import SessionTranscript, Transcript
from voicesession.core.utterance import Speaker, Utterance, UtteranceId, Word
from voicesession.testing.effort import examples
from voicesession.testing.strategies import session_transcripts

T0 = datetime(2026, 11, 21, 9, tzinfo=UTC)
SECOND = 1_000_000


def record(session: str, *utterances: Utterance, seconds: int = 10) -> SessionTranscript:
    return SessionTranscript(
        session_id=session,
        language="en",
        duration_us=seconds * SECOND,
        transcript=Transcript(utterances=utterances),
    )


def leg(of: SessionTranscript, after: str | None, *, minute: int = 0, lasting_s: int = 10) -> Leg:
    started_at = T0 + timedelta(minutes=minute)
    return Leg(
        record=of,
        previous_session_id=after,
        started_at=started_at,
        ended_at=started_at + timedelta(seconds=lasting_s),
    )


def said(text: str, *, name: str, at: int = 0) -> Utterance:
    words = (Word(text=text, start_us=at, end_us=at + SECOND),)
    return Utterance(
        id=UtteranceId(name),
        speaker=Speaker.USER,
        start_us=at,
        end_us=at + SECOND,
        text=text,
        words=words,
    )


FIRST = leg(record("s1", said("one", name="a", at=2 * SECOND)), None)
SECOND_LEG = leg(record("s2", said("two", name="b", at=SECOND)), "s1", minute=1)
THIRD = leg(record("s3", said("three", name="c")), "s2", minute=60)


@st.composite
def chains(draw: st.DrawFn) -> list[Leg]:
    records = draw(st.lists(session_transcripts(), min_size=1, max_size=4))
    names = [None, *(each.session_id for each in records)]
    minutes = st.integers(0, 100)
    return [
        leg(of, after, minute=draw(minutes), lasting_s=draw(minutes))
        for of, after in zip(records, names, strict=False)
    ]


@settings(max_examples=examples(30))
@given(chains(), st.booleans(), st.data())
def test_every_utterance_is_there_once_and_the_sessions_in_the_order_of_their_links(
    chain: list[Leg], keep_gaps: bool, data: st.DataObject
) -> None:
    merged = merge(data.draw(st.permutations(chain)), keep_gaps=keep_gaps)
    everything = Counter(u.text for each in chain for u in each.record.transcript.utterances)
    assert Counter(u.text for u in merged.record.transcript.utterances) == everything
    assert merged.record.transcript.word_count == sum(
        each.record.transcript.word_count for each in chain
    )
    assert [place.session_id for place in merged.placements] == [
        each.record.session_id for each in chain
    ]


@settings(max_examples=examples(30))
@given(chains(), st.booleans())
def test_sessions_follow_each_other_and_every_time_moves_with_its_session(
    chain: list[Leg], keep_gaps: bool
) -> None:
    merged = merge(chain, keep_gaps=keep_gaps)
    moved = {utterance.id: utterance for utterance in merged.record.transcript.utterances}
    end_us = 0
    for place, each in zip(merged.placements, chain, strict=True):
        assert place.offset_us == end_us + (place.gap_us if keep_gaps else 0)
        for before in each.record.transcript.utterances:
            after = moved[before.id]
            assert after.start_us == before.start_us + place.offset_us
            assert after.end_us == before.end_us + place.offset_us
            assert [w.start_us - place.offset_us for w in after.words] == [
                w.start_us for w in before.words
            ]
        of = each.record
        end_us = place.offset_us + max(of.duration_us, of.transcript.end_us)
    assert merged.record.duration_us == end_us


def test_a_chain_keeps_its_ids_and_is_named_after_its_last_session() -> None:
    merged = merge([THIRD, FIRST, SECOND_LEG])
    assert [u.id for u in merged.record.transcript.utterances] == ["a", "b", "c"]
    assert merged.record.session_id == "s3"
    assert merged.record.transcript.text == "one two three"


def test_the_time_between_sessions_is_told_and_only_kept_if_wanted() -> None:
    merged = merge([FIRST, SECOND_LEG, THIRD])
    gaps_us = [place.gap_us for place in merged.placements]
    assert gaps_us == [0, 50 * SECOND, (59 * 60 - 10) * SECOND]
    assert [place.offset_us // SECOND for place in merged.placements] == [0, 10, 20]
    kept = merge([FIRST, SECOND_LEG, THIRD], keep_gaps=True)
    assert [place.offset_us // SECOND for place in kept.placements] == [0, 60, 3600]


def test_clocks_that_disagree_make_no_negative_gap() -> None:
    early = leg(record("s2"), "s1", minute=-5)
    assert merge([FIRST, early], keep_gaps=True).placements[1].gap_us == 0


def test_words_that_outlast_their_audio_still_come_before_the_next_session() -> None:
    crashed = leg(record("s1", said("late", name="a", at=20 * SECOND)), None)
    assert merge([crashed, SECOND_LEG]).placements[1].offset_us == 21 * SECOND


def test_two_sessions_with_the_same_utterance_id_are_told_apart() -> None:
    other = leg(record("s2", said("two", name="a")), "s1")
    merged = merge([FIRST, other])
    assert [u.id for u in merged.record.transcript.utterances] == ["s1/a", "s2/a"]


def test_the_whole_is_partial_if_any_session_is() -> None:
    partial = evolve(FIRST, record=evolve(FIRST.record, partial=True))
    assert merge([partial, SECOND_LEG]).record.partial
    assert not merge([FIRST, SECOND_LEG]).record.partial


def test_sessions_in_several_languages_say_so() -> None:
    german = evolve(SECOND_LEG, record=evolve(SECOND_LEG.record, language="de"))
    assert merge([FIRST, SECOND_LEG]).record.language == "en"
    assert merge([FIRST, german]).record.language == MANY_LANGUAGES


def test_a_chain_may_begin_with_a_session_whose_own_past_is_gone() -> None:
    assert len(merge([SECOND_LEG, THIRD]).placements) == 2


@pytest.mark.parametrize(
    "legs",
    [
        pytest.param([], id="nothing"),
        pytest.param([FIRST, THIRD], id="a hole"),
        pytest.param([FIRST, SECOND_LEG, leg(record("s9"), "s1")], id="a fork"),
        pytest.param([leg(record("s1"), "s2"), leg(record("s2"), "s1")], id="a loop"),
        pytest.param([FIRST, SECOND_LEG, leg(record("s1"), "s2")], id="a session twice"),
        pytest.param([leg(record("s1"), "s1")], id="its own past"),
    ],
)
def test_what_is_no_single_chain_is_refused(legs: list[Leg]) -> None:
    with pytest.raises(InvalidValue, match="legs"):
        merge(legs)


def test_a_naive_instant_is_refused() -> None:
    with pytest.raises(InvalidValue, match="time zone"):
        evolve(FIRST, ended_at=datetime(2026, 1, 1))  # noqa: DTZ001  # that is the point
