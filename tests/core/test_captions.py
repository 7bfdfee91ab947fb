from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from voicesession.core.captions import CaptionLayout, cues, to_srt, to_txt, to_vtt
from voicesession.core.errors import InvalidValue
from voicesession.core.transcript import Transcript
from voicesession.core.utterance import Speaker, Utterance, UtteranceId, Word
from voicesession.testing.effort import examples
from voicesession.testing.strategies import transcripts

SRT_TIMES = re.compile(
    r"(\d\d+):([0-5]\d):([0-5]\d),(\d{3}) --> (\d\d+):([0-5]\d):([0-5]\d),(\d{3})"
)
VTT_ESCAPES = {"&lt;": "<", "&gt;": ">", "&amp;": "&"}
few = settings(max_examples=examples(40))  # each of them is a whole conversation
layouts = st.builds(
    CaptionLayout,
    line_length=st.integers(1, 50),
    lines_per_cue=st.integers(1, 4),
    speakers=st.booleans(),
)


def said(
    text: str,
    *,
    start_ms: int = 0,
    end_ms: int = 1000,
    speaker: Speaker = Speaker.USER,
    words: tuple[Word, ...] = (),
) -> Utterance:
    return Utterance(
        id=UtteranceId(f"{speaker}_{start_ms}_{text}"),
        speaker=speaker,
        start_us=start_ms * 1000,
        end_us=end_ms * 1000,
        text=text,
        words=words,
    )


def transcript(*utterances: Utterance) -> Transcript:
    return Transcript(utterances=utterances)


def characters(text: str) -> str:
    return "".join(text.split())


def times_shown(of: Transcript, layout: CaptionLayout) -> list[tuple[int, int]]:
    return [(cue.start_ms, cue.end_ms) for cue in cues(of, layout)]


@few
@given(transcripts(), layouts)
def test_each_speakers_words_are_all_shown_once_and_in_order(
    whole: Transcript, layout: CaptionLayout
) -> None:
    shown = cues(whole, layout)
    for speaker in Speaker:
        utterances = whole.of(speaker).utterances
        if any(one.end_us > other.start_us for one, other in pairwise(utterances)):
            continue  # somebody who talks over themselves is shown in turns
        lines = [line for cue in shown if cue.speaker is speaker for line in cue.lines]
        assert characters("".join(lines)) == characters("".join(u.text for u in utterances))


@few
@given(transcripts(max_utterances=1))
def test_words_that_fit_into_a_line_stay_whole(whole: Transcript) -> None:
    lines = [line for cue in cues(whole, CaptionLayout(line_length=200)) for line in cue.lines]
    assert " ".join(lines).split() == whole.text.split()


@few
@given(transcripts(), layouts)
def test_cues_neither_overlap_nor_run_backwards_nor_last_no_time(
    whole: Transcript, layout: CaptionLayout
) -> None:
    shown = cues(whole, layout)
    assert all(cue.start_ms < cue.end_ms for cue in shown)
    assert all(one.end_ms <= other.start_ms for one, other in pairwise(shown))


@few
@given(transcripts(), layouts)
def test_no_cue_is_larger_than_its_layout(whole: Transcript, layout: CaptionLayout) -> None:
    for cue in cues(whole, layout):
        assert 1 <= len(cue.lines) <= layout.lines_per_cue
        assert all(1 <= len(line) <= layout.line_length for line in cue.lines)


@few
@given(transcripts(), layouts)
def test_srt_blocks_can_be_told_apart_whatever_was_said(
    whole: Transcript, layout: CaptionLayout
) -> None:
    written = to_srt(whole, layout)
    blocks = written.removesuffix("\n").split("\n\n") if written else []
    last_ms = 0
    for number, block in enumerate(blocks, 1):
        counted, times, *lines = block.split("\n")
        assert counted == str(number)
        assert lines
        assert not any("-->" in line for line in lines)
        clock = SRT_TIMES.fullmatch(times)
        assert clock
        at = [int(part) for part in clock.groups()]
        start_ms, end_ms = (((h * 60 + m) * 60 + s) * 1000 + ms for h, m, s, ms in (at[:4], at[4:]))
        assert last_ms <= start_ms < end_ms
        last_ms = end_ms


@few
@given(transcripts(), layouts)
def test_webvtt_gives_back_the_words_of_its_cues(whole: Transcript, layout: CaptionLayout) -> None:
    header, *blocks = to_vtt(whole, layout).removesuffix("\n").split("\n\n")
    assert header == "WEBVTT"
    for block, cue in zip(blocks, cues(whole, layout), strict=True):
        _times, text = block.split("\n", 1)
        voice = f"<v {cue.speaker.capitalize()}>" if layout.speakers else ""
        assert text.startswith(voice)
        payload = text.removeprefix(voice)
        assert not re.search(r"[<>]|&(?!lt;|gt;|amp;)", payload)
        plain = re.sub("&(lt|gt|amp);", lambda escape: VTT_ESCAPES[escape[0]], payload)
        assert plain == "\n".join(cue.lines)


@few
@given(transcripts())
def test_plain_text_has_a_line_for_each_utterance_that_says_something(whole: Transcript) -> None:
    spoken = [u for u in whole.utterances if u.text.split()]
    lines = to_txt(whole, speakers=False).split("\n")[:-1]
    assert [line.split() for line in lines] == [u.text.split() for u in spoken]


TWO = transcript(
    said("Hello world, how are you today?", start_ms=0, end_ms=3100),
    said("Fine <b>& well</b> --> bye", start_ms=3600_000, end_ms=3601_500, speaker=Speaker.AGENT),
)


def test_plain_text_looks_like_this() -> None:
    assert to_txt(TWO) == (
        "User: Hello world, how are you today?\nAgent: Fine <b>& well</b> --> bye\n"
    )


def test_subrip_looks_like_this() -> None:
    assert to_srt(TWO, CaptionLayout(line_length=18, lines_per_cue=1)) == (
        "1\n00:00:00,000 --> 00:00:01,311\nUser: Hello world,\n\n"
        "2\n00:00:01,311 --> 00:00:03,100\nhow are you today?\n\n"
        "3\n01:00:00,000 --> 01:00:00,545\nAgent: Fine <\u2060b>&\n\n"
        "4\n01:00:00,545 --> 01:00:01,500\nwell<\u2060/b> --\u2060> bye\n"
    )


def test_webvtt_looks_like_this() -> None:
    assert to_vtt(TWO) == (
        "WEBVTT\n\n"
        "00:00:00.000 --> 00:00:03.100\n<v User>Hello world, how are you today?\n\n"
        "01:00:00.000 --> 01:00:01.500\n<v Agent>Fine &lt;b&gt;&amp; well&lt;/b&gt; --&gt; bye\n"
    )


def test_nothing_said_is_an_empty_file_of_each_kind() -> None:
    silent = transcript(said(" \n"))
    assert (to_txt(silent), to_srt(silent), to_vtt(silent)) == ("", "", "WEBVTT\n")


def test_an_override_of_a_player_is_shown_and_not_obeyed() -> None:
    shown = to_srt(transcript(said(r"{\an8}up {brace}")), CaptionLayout(speakers=False))
    assert shown.splitlines()[2] == "{\u2060\\an8}up {brace}"


def test_word_times_place_the_cues_where_there_is_one_for_each_word() -> None:
    words = (
        Word(text="one", start_us=100_000, end_us=300_000),
        Word(text="two", start_us=2_000_000, end_us=2_400_000),
    )
    layout = CaptionLayout(line_length=3, lines_per_cue=1)
    timed = transcript(said("One. Two?", end_ms=3000, words=words))
    narrow = CaptionLayout(line_length=4, lines_per_cue=1)
    assert times_shown(timed, narrow) == [(100, 300), (2000, 2400)]
    shared_out = transcript(said("One two", end_ms=3000, words=words[:1]))
    assert times_shown(shared_out, layout) == [(0, 1500), (1500, 3000)]


def test_words_whose_times_step_back_are_still_shown_in_order() -> None:
    words = (
        Word(text="one", start_us=500_000, end_us=700_000),
        Word(text="two", start_us=0, end_us=100_000),
    )
    layout = CaptionLayout(line_length=3, lines_per_cue=1)
    shown = cues(transcript(said("one two", words=words)), layout)
    assert [cue.lines for cue in shown] == [("one",), ("two",)]


def test_a_word_longer_than_a_line_goes_on_in_the_next_and_shares_its_time() -> None:
    layout = CaptionLayout(line_length=4, lines_per_cue=1)
    shown = cues(transcript(said("今天天气很好啊")), layout)
    assert [(cue.lines, cue.start_ms, cue.end_ms) for cue in shown] == [
        (("今天天气",), 0, 571),
        (("很好啊",), 571, 1000),
    ]


def test_a_mark_is_not_cut_off_its_letter_unless_the_line_has_no_room_for_both() -> None:
    def lines(length: int) -> list[str]:
        layout = CaptionLayout(line_length=length, lines_per_cue=1)
        return [cue.lines[0] for cue in cues(transcript(said("ae\u0301e\u0301")), layout)]

    assert lines(2) == ["a", "e\u0301", "e\u0301"]
    assert lines(1) == ["a", "e", "\u0301", "e", "\u0301"]


def test_what_goes_on_in_a_new_line_is_not_joined_by_a_space_that_nobody_said() -> None:
    layout = CaptionLayout(line_length=4, lines_per_cue=9)
    # Both cuts go back over the marks, so that "a" and "b" would fit into one line.
    (cue,) = cues(transcript(said("ab" + "\u0301" * 4)), layout)
    assert cue.lines == ("a", "b", "\u0301" * 4)


def test_a_cue_gives_way_to_whoever_speaks_over_it_after_half_a_second() -> None:
    over = transcript(
        said("A long story", start_ms=0, end_ms=10_000, speaker=Speaker.AGENT),
        said("Stop", start_ms=100, end_ms=400),
    )
    assert times_shown(over, CaptionLayout()) == [(0, 500), (500, 800)]


def test_two_who_say_something_short_at_once_are_shown_one_after_the_other() -> None:
    both = transcript(said("Yes", start_ms=0, end_ms=200), said("No", start_ms=0, end_ms=300))
    assert times_shown(both, CaptionLayout()) == [(0, 200), (200, 500)]


def test_an_utterance_without_a_duration_is_shown_for_a_moment() -> None:
    assert times_shown(transcript(said("Hm", end_ms=0)), CaptionLayout()) == [(0, 1)]


@pytest.mark.parametrize("field", ["line_length", "lines_per_cue"])
@pytest.mark.parametrize("value", [0, -1, 1.5, True, "42"])
def test_a_layout_without_room_is_refused(field: str, value: Any) -> None:
    with pytest.raises(InvalidValue, match=field):
        CaptionLayout(**{field: value})


def test_short_cues_one_right_after_the_other_keep_their_own_times() -> None:
    shown = cues(
        Transcript(
            utterances=(
                said("Yes.", start_ms=5_000, end_ms=5_300),
                said("No.", start_ms=5_300, end_ms=5_700),
            )
        )
    )
    assert [(cue.start_ms, cue.end_ms) for cue in shown] == [(5_000, 5_300), (5_300, 5_700)]


def test_the_parts_of_a_word_that_is_too_long_share_its_time() -> None:
    shown = cues(
        Transcript(utterances=(said("abcdefgh", start_ms=4_000, end_ms=12_000),)),
        CaptionLayout(line_length=2, lines_per_cue=1),
    )
    assert [(cue.lines, cue.start_ms, cue.end_ms) for cue in shown] == [
        (("ab",), 4_000, 6_000),
        (("cd",), 6_000, 8_000),
        (("ef",), 8_000, 10_000),
        (("gh",), 10_000, 12_000),
    ]
