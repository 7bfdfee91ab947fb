from __future__ import annotations

import json
import pickle
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given, settings, strategies as st

from voicesession.core.errors import InvalidValue
from voicesession.core.transcript import (
    SessionTranscript,
    Transcript,
    discard,
    finalise,
    parse_transcript,
    parse_utterance,
    revise,
    transcript_document,
    utterance_document,
)
from voicesession.core.utterance import Speaker, Utterance, UtteranceId, Word
from voicesession.testing.effort import examples
from voicesession.testing.machines import TranscriptMachine
from voicesession.testing.strategies import session_transcripts, transcripts, utterances

few = settings(max_examples=examples(40))  # each of them is a whole conversation
TestAnyDelivery = TranscriptMachine.TestCase
TestAnyDelivery.settings = settings(max_examples=examples(30), stateful_step_count=20)


def said(
    text: str, *, at: int = 0, name: str = "utt_1", speaker: Speaker = Speaker.USER
) -> Utterance:
    return Utterance(
        id=UtteranceId(name), speaker=speaker, start_us=at, end_us=at + 1_000_000, text=text
    )


HELLO = Utterance(
    id=UtteranceId("utt_1"),
    speaker=Speaker.USER,
    start_us=0,
    end_us=2_500_000,
    text="Hello world",
    confidence=0.93,
    words=(Word(text="Hello", start_us=0, end_us=400_000, confidence=0.95),),
)
CUT_REPLY = Utterance(
    id=UtteranceId("utt_2"),
    speaker=Speaker.AGENT,
    start_us=2_900_000,
    end_us=4_100_000,
    text="Good morn",
    generated_text="Good morning, Ada.",
    spoken_text="Good morn",
    interrupted=True,
)
RECORD = SessionTranscript(
    session_id="sess_1",
    language="en",
    duration_us=45_600_000,
    transcript=Transcript(utterances=(CUT_REPLY, HELLO)),
)
DOCUMENT: dict[str, Any] = {
    "session_id": "sess_1",
    "language": "en",
    "duration": 45.6,
    "text": "Hello world Good morn",
    "partial": False,
    "utterances": [
        {
            "id": "utt_1",
            "speaker": "user",
            "start": 0.0,
            "end": 2.5,
            "text": "Hello world",
            "confidence": 0.93,
            "words": [{"text": "Hello", "start": 0.0, "end": 0.4, "confidence": 0.95}],
        },
        {
            "id": "utt_2",
            "speaker": "agent",
            "start": 2.9,
            "end": 4.1,
            "text": "Good morn",
            "generated_text": "Good morning, Ada.",
            "spoken_text": "Good morn",
            "interrupted": True,
            "words": [],
        },
    ],
}


@few
@given(
    st.lists(utterances(), max_size=6, unique_by=(lambda u: u.id, lambda u: u.start_us)),
    st.randoms(),
)
def test_finals_lie_in_order_of_media_time_in_whatever_order_they_come(
    finals: list[Utterance], random: Any
) -> None:
    orderly, shuffled = Transcript(), Transcript()
    for final in finals:
        orderly = finalise(orderly, final)
    random.shuffle(finals)
    for final in finals:
        shuffled = finalise(shuffled, final)
    assert orderly == shuffled
    starts = [utterance.start_us for utterance in shuffled.utterances]
    assert starts == sorted(starts)


@few
@given(st.lists(utterances(), max_size=6, unique_by=lambda u: u.id))
def test_what_begins_together_stays_as_it_came(said: list[Utterance]) -> None:
    together = tuple(evolve(each, start_us=7, end_us=7) for each in said)
    assert Transcript(utterances=together).utterances == together


def test_an_interim_replaces_the_one_before_it_and_counts_for_nothing() -> None:
    transcript = revise(revise(Transcript(), said("Hel")), said("Hello"))
    assert transcript.partial_text == "Hello"
    assert (transcript.text, transcript.word_count, transcript.utterance_count) == ("", 0, 0)


def test_a_final_takes_the_place_of_its_interims_and_of_no_other() -> None:
    transcript = revise(Transcript(), said("Hel"))
    transcript = revise(transcript, said("And", name="utt_2", at=5))
    transcript = finalise(transcript, said("Hello"))
    assert transcript.text == "Hello"
    assert transcript.partial_text == "And"


def test_an_interim_that_comes_after_its_final_changes_nothing() -> None:
    transcript = finalise(Transcript(), said("Hello"))
    assert revise(transcript, said("Hel")) is transcript


def test_the_same_final_again_changes_nothing_and_another_one_is_refused() -> None:
    transcript = finalise(finalise(Transcript(), said("First", name="utt_0")), said("Hello"))
    assert finalise(transcript, said("Hello")) is transcript
    with pytest.raises(
        InvalidValue, match=r"^utterance id is 'utt_1'; allowed: one that is not final yet$"
    ):
        finalise(transcript, said("Hullo"))


def test_interims_that_came_to_nothing_are_discarded_and_a_final_stays() -> None:
    transcript = revise(finalise(Transcript(), said("Hello")), said("uh", name="utt_2"))
    transcript = discard(discard(transcript, UtteranceId("utt_2")), UtteranceId("utt_1"))
    assert transcript == Transcript(utterances=(said("Hello"),))


def test_an_id_stands_only_once_in_a_transcript() -> None:
    with pytest.raises(InvalidValue, match=r"^utterance id is 'utt_1'; allowed: each id once$"):
        Transcript(utterances=(said("a"),), interims=(said("b"),))


@few
@given(transcripts())
def test_each_speaker_has_their_part_and_together_it_is_everything(whole: Transcript) -> None:
    parts = [whole.of(speaker) for speaker in Speaker]
    assert all(
        {utterance.speaker for utterance in part.utterances} <= {speaker}
        for speaker, part in zip(Speaker, parts, strict=True)
    )
    assert sum(part.word_count for part in parts) == whole.word_count == len(whole.text.split())
    assert sum(part.utterance_count for part in parts) == whole.utterance_count
    assert max(part.end_us for part in parts) == whole.end_us


def test_a_speakers_part_keeps_what_they_are_saying_just_now() -> None:
    whole = revise(Transcript(), said("uh"))
    assert whole.of(Speaker.USER) == whole
    assert whole.of(Speaker.AGENT) == Transcript()


def test_the_document_has_exactly_the_published_shape() -> None:
    assert json.dumps(transcript_document(RECORD)) == json.dumps(DOCUMENT)


@few
@given(session_transcripts())
def test_a_document_read_back_from_json_is_the_same_to_the_microsecond(
    record: SessionTranscript,
) -> None:
    stored = json.loads(json.dumps(transcript_document(record)))
    assert parse_transcript(stored) == record
    assert pickle.loads(pickle.dumps(record)) == record  # noqa: S301  # our own pickle


@given(utterances())
def test_an_utterance_read_back_from_json_is_the_same(utterance: Utterance) -> None:
    assert parse_utterance(json.loads(json.dumps(utterance_document(utterance)))) == utterance


def test_an_utterance_that_is_wrong_is_refused_by_the_path_within_it() -> None:
    with pytest.raises(InvalidValue, match=r"^text is None; allowed: present$"):
        parse_utterance({"id": "utt_1", "speaker": "user", "start": 0, "end": 1})


def test_interims_are_not_stored() -> None:
    speaking = evolve(RECORD, transcript=revise(RECORD.transcript, said("uh", name="utt_3")))
    assert transcript_document(speaking) == DOCUMENT


def test_a_user_who_was_marked_as_interrupted_stays_so() -> None:
    utterance = evolve(HELLO, interrupted=True)
    assert parse_utterance(utterance_document(utterance)) == utterance


def test_keys_of_a_newer_library_are_passed_over() -> None:
    newer = DOCUMENT | {"mood": "good", "utterances": [DOCUMENT["utterances"][0] | {"x": 1}]}
    assert parse_transcript(newer).transcript.utterances == (HELLO,)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("session_id", None),
        ("session_id", 7),
        ("language", "e\0n"),
        ("duration", "45.6"),
        ("duration", -0.1),
        ("duration", float("nan")),
        ("duration", float("inf")),
        ("duration", 10**400),
        ("duration", True),
        ("partial", 0),
        ("utterances", {}),
        ("utterances", "[]"),
        ("utterances[0]", []),
        ("utterances[0].id", None),
        ("utterances[0].speaker", "nobody"),
        ("utterances[0].speaker", []),
        ("utterances[0].end", -1),
        ("utterances[1].end", 2.8),
        ("utterances[0].text", "\ud800"),
        ("utterances[0].confidence", 1.1),
        ("utterances[1].interrupted", "yes"),
        ("utterances[1].generated_text", 1),
        ("utterances[0].words", None),
        ("utterances[0].words[0].end", "0"),
        ("utterances[0].words[0].confidence", -1),
    ],
)
def test_a_document_that_is_wrong_is_refused_by_the_path_of_what_is_wrong(
    path: str, value: object
) -> None:
    document = json.loads(json.dumps(DOCUMENT))
    *parents, last = path.replace("[", ".").replace("]", "").split(".")
    target = document
    for step in parents:
        target = target[int(step) if step.isdigit() else step]
    target[int(last) if last.isdigit() else last] = value
    with pytest.raises(InvalidValue) as refused:
        parse_transcript(document)
    assert refused.value.args[:2] == (path, value)
    assert refused.value.allowed


def test_what_is_no_document_at_all_is_refused() -> None:
    with pytest.raises(InvalidValue, match="document"):
        parse_transcript([])  # type: ignore[arg-type]


@pytest.mark.parametrize("duration_us", [-1, 1.5])
def test_a_session_lasts_a_whole_number_of_microseconds_from_0(duration_us: Any) -> None:
    with pytest.raises(InvalidValue, match="duration_us"):
        evolve(RECORD, duration_us=duration_us)
