from __future__ import annotations

import pytest
from attrs import evolve
from hypothesis import given, settings, strategies as st

from voicesession.core.errors import RecordingFailed
from voicesession.core.results import SessionFolder
from voicesession.core.timeline import Span, Track
from voicesession.ports.recording import Gap, ProblemKind, RecordingProblem
from voicesession.recording.notes import Notes, line, lost, read_notes
from voicesession.testing.effort import examples
from voicesession.testing.strategies_audio import spans

SPANS = spans(max_us=1_000_000)
START = Notes(folder=SessionFolder("sess_1"), sample_rate=16_000)
LOST = st.builds(
    lost,
    st.lists(st.builds(Gap, st.sampled_from(Track), SPANS), max_size=3).map(tuple),
    st.lists(
        st.builds(
            RecordingProblem,
            kind=st.sampled_from(ProblemKind),
            span=SPANS,
            dropped_bytes=st.integers(0, 10**9),
            detail=st.text(),
        ),
        max_size=3,
    ).map(tuple),
)
ENTRIES = st.one_of(
    st.tuples(st.just("pause"), st.integers(0, 10**9)),
    st.tuples(st.just("resume"), st.integers(0, 10**9)),
    st.tuples(st.just("mask"), SPANS.map(lambda span: [span.from_us, span.to_us])),
    st.tuples(st.just("lost"), LOST),
    st.tuples(st.just("closed"), st.one_of(st.none(), st.integers(0, 10**9))),
    st.tuples(st.just("keys"), st.lists(st.text(min_size=1))),
    st.tuples(st.just("cut"), SPANS.map(lambda span: [span.from_us, span.to_us])),
    st.tuples(st.sampled_from(["first_frame", "checkpoint"]), st.integers(0, 10**9)),
    st.tuples(
        st.just("made"),
        st.fixed_dictionaries(
            {
                "uris": st.lists(st.text(min_size=1), min_size=1),
                "duration_us": st.integers(0, 10**9),
                "size_bytes": st.integers(0, 10**9),
                "channels": st.sampled_from((1, 2)),
                "is_partial": st.booleans(),
            }
        ),
    ),
)


@settings(max_examples=examples(40))
@given(st.lists(ENTRIES, max_size=8), st.data())
def test_whole_lines_say_what_was_noted_and_a_torn_one_says_nothing(
    entries: list[tuple[str, object]], data: st.DataObject
) -> None:
    notes, content = START, START.header()
    for name, value in entries:
        notes, content = notes.after(name, value), content + line(name, value)
    torn = line(*data.draw(ENTRIES))
    torn = torn[: data.draw(st.integers(0, len(torn) - 1))]
    assert read_notes(content + torn) == (notes, len(content))


@settings(max_examples=examples(40))
@given(st.lists(ENTRIES, max_size=8))
def test_the_log_for_others_says_all_but_what_concerns_this_spool(
    entries: list[tuple[str, object]],
) -> None:
    notes = START
    for name, value in entries:
        notes = notes.after(name, value)
    theirs, _ = read_notes(notes.log())
    assert theirs == evolve(notes, first_frame=None, checkpoint=None)


def test_a_pause_and_its_end_are_a_cut_and_an_empty_one_is_none() -> None:
    notes = START.after("pause", 10).after("resume", 30).after("pause", 40).after("resume", 40)
    assert (notes.cuts, notes.paused_at_us) == ((Span(10, 30),), None)
    assert notes.after("resume", 50) == notes


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"\n", b"not json\n", b"[]\n", b'{"other":1}\n', b'{"spool":[]}\n', b"\xff\n"),
        START.header() + b'{"unknown":1}\n',
        START.header() + b'{"mask":[5,1]}\n',
        START.header() + b"[1]\n",
    ],
)
def test_what_are_no_notes_is_refused(content: bytes) -> None:
    with pytest.raises(RecordingFailed, match="cannot be read"):
        read_notes(content)


def test_notes_of_a_later_version_are_refused() -> None:
    with pytest.raises(RecordingFailed, match="version 2, not 1"):
        read_notes(START.header().replace(b'"version":1', b'"version":2'))
