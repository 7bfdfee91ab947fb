from __future__ import annotations

import sys
from collections.abc import Callable
from random import Random
from struct import pack

import pytest

from voicesession.core.errors import InvalidConfig, InvalidValue
from voicesession.providers.offline import decoding
from voicesession.providers.offline.decoding import SLICE_BYTES, Decoder, Decoders, Heard
from voicesession.providers.offline.jsgf import parse_grammar
from voicesession.providers.offline.pocketsphinx import MIN_SCORE

pytestmark = pytest.mark.offline

GRAMMAR = """#JSGF V1.0;
grammar test;
public <request> = what time is it | tell me (a long story | the time);
public <greeting> = hello [there];
"""


@pytest.fixture(scope="module")
def decoders() -> Decoders:
    return Decoders(parse_grammar(GRAMMAR))


def heard(decoder: Decoder, pcm: bytes) -> Heard | None:
    decoder.begin()
    for at in range(0, len(pcm) - SLICE_BYTES + 1, SLICE_BYTES):
        decoder.hear(pcm[at : at + SLICE_BYTES])
    return decoder.decide(pcm)


@pytest.mark.parametrize(
    "sentence", ["what time is it", "tell me the time", "hello", "hello there"]
)
def test_any_public_rule_may_be_said(
    decoders: Decoders, say: Callable[[str], bytes], sentence: str
) -> None:
    found = heard(decoders.take(), say(sentence))
    assert found is not None
    assert found.text == sentence
    assert [word.text for word in found.words] == sentence.split()
    assert found.score >= MIN_SCORE


@pytest.mark.parametrize("beginning", ["what time", "tell me", "tell me a long"])
def test_half_a_sentence_is_none(
    decoders: Decoders, say: Callable[[str], bytes], beginning: str
) -> None:
    found = heard(decoders.take(), say(beginning))
    assert found is None or found.score < MIN_SCORE


def test_what_is_cut_off_is_a_whole_sentence_or_none(
    decoders: Decoders, say: Callable[[str], bytes]
) -> None:
    decoder = decoders.take()
    # The engine takes the beginning of it for "what time is".
    pcm = say("the weather is lovely today")
    for until in range(len(pcm) // 2, len(pcm), SLICE_BYTES):
        found = heard(decoder, pcm[:until])
        assert found is None or found.text in {"what time is it", "tell me the time", "hello"}


def test_the_words_so_far_can_be_read(decoders: Decoders, say: Callable[[str], bytes]) -> None:
    decoder = decoders.take()
    pcm = say("tell me a long story")
    decoder.begin()
    seen = [decoder.text]
    for at in range(0, len(pcm), SLICE_BYTES):
        decoder.hear(pcm[at : at + SLICE_BYTES])
        seen.append(decoder.text)
    assert seen[0] == ""
    assert "tell me" in seen
    assert seen[-1] == "tell me a long story"


def test_a_used_decoder_decides_as_a_fresh_one(
    decoders: Decoders, say: Callable[[str], bytes]
) -> None:
    used = decoders._make()
    heard(used, say("hello"))
    used.begin()
    used.hear(say("tell me a long story")[:SLICE_BYTES])
    used.reset()
    assert heard(used, say("what time is it")) == heard(decoders._make(), say("what time is it"))


def test_silence_noise_and_too_little_are_no_sentence(decoders: Decoders) -> None:
    random = Random(2)
    hiss = pack("<32000h", *(round(random.gauss(0, 1_000)) for _ in range(32_000)))
    for pcm in (bytes(64_000), hiss, bytes(1_000), b""):
        found = heard(decoders.take(), pcm)
        assert found is None or found.score < MIN_SCORE


def test_full_scale_does_not_overflow(decoders: Decoders) -> None:
    loud = pack("<3200h", *(32_767, -32_768) * 1_600)
    heard(decoders.take(), loud)


def test_slices_measure_the_mean_of_the_whole(
    decoders: Decoders, say: Callable[[str], bytes]
) -> None:
    # Longer than the 3 s after which the engine begins to forget.
    pcm = say("tell me a long story") + say("what time is it") + say("hello there")
    pcm = pcm[: len(pcm) // SLICE_BYTES * SLICE_BYTES]
    decoder = decoders._make()
    decoder.begin()
    noisy = [pcm[at : at + SLICE_BYTES] for at in range(0, len(pcm), SLICE_BYTES)]
    for piece in noisy:
        decoder.hear(piece)
    measured = [total / (len(pcm) // 320) for total in decoder._measured]
    decoder.reset()

    decoder._slices = 0
    at_once = b"".join(decoder._with_noise(piece) for piece in noisy)
    engine = decoders._make()._engine
    engine.start_utt()
    engine.process_raw(at_once, full_utt=True)  # type: ignore[call-arg]
    engine.end_utt()
    truth = [float(part) for part in engine.get_cmn(False).split(",")]
    assert measured == pytest.approx(truth, abs=1.0)


def test_only_so_many_decoders_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "MOST_IDLE", 2)
    decoders = Decoders(parse_grammar(GRAMMAR))
    taken = [decoders.take() for _ in range(4)]
    assert len(set(taken)) == 4
    for decoder in taken:
        decoders.give(decoder)
    again = [decoders.take() for _ in range(3)]
    assert len(set(again) & set(taken)) == 2
    decoders.give(again[0])
    decoders.clear()
    assert decoders.take() is not again[0]


def test_an_unknown_word_is_said_with_its_line() -> None:
    with pytest.raises(InvalidValue, match=r"line 4: voicesession.*dictionary"):
        Decoders(parse_grammar("#JSGF V1.0;\ngrammar a;\npublic <a> = hello\n | voicesession;"))


def test_without_the_package_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pocketsphinx", None)
    with pytest.raises(InvalidConfig, match=r'pip install "voicesession\[offline\]"'):
        Decoders(parse_grammar(GRAMMAR))


def test_the_engine_writes_nothing(
    capfd: pytest.CaptureFixture[str], say: Callable[[str], bytes]
) -> None:
    decoders = Decoders(parse_grammar(GRAMMAR))
    heard(decoders.take(), say("tell me"))
    heard(decoders.take(), bytes(3_200))
    with pytest.raises(InvalidValue):
        Decoders(parse_grammar("#JSGF V1.0;\ngrammar a;\npublic <a> = xyzzy;"))
    assert capfd.readouterr() == ("", "")


def test_sentences_of_any_length_are_measured_alike(say: Callable[[str], bytes]) -> None:
    long = "please tell me how much of the budget is left for this month"
    decoder = Decoders(parse_grammar(f"#JSGF V1.0;\ngrammar a;\npublic <a> = no | {long};")).take()
    for sentence in ("no", long):
        found = heard(decoder, say(sentence))
        assert found is not None
        assert found.text == sentence
        assert found.score >= MIN_SCORE


def test_every_way_to_say_a_word_is_known() -> None:
    decoders = Decoders(parse_grammar("#JSGF V1.0;\ngrammar a;\npublic <a> = the aaberg;"))
    assert [entry for entry, _ in decoders._pronunciations] == ["the", "the(2)", "aaberg"]
