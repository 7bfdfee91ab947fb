"""The demo's grammar: every sentence is understood, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from importlib.resources import files
from random import Random
from struct import pack, unpack

import pytest

from voicesession.core.audio import AudioFormat
from voicesession.ports.speech import Final
from voicesession.providers.offline.decoding import Decoders
from voicesession.providers.offline.hearing import Hearing
from voicesession.providers.offline.jsgf import parse_grammar
from voicesession.providers.offline.pocketsphinx import MIN_SCORE

pytestmark = pytest.mark.offline

GRAMMAR = files("voicesession.cli").joinpath("demo.jsgf").read_text()
SENTENCES = [
    " ".join(sentence.split()) for sentence in re.findall(r"=\s([^;]*);", GRAMMAR)[0].split("|")
]
OTHERS = [
    "the weather is lovely today",
    "please send the report to my manager",
    "can you help me with my order",
    "i would like two coffees",
    "what is the price of bread",
    "turn the music off",
    "seventeen",
    "yes of course",
    "banana",
    "call my sister tomorrow",
]
NOISE_RMS = 30


@pytest.fixture(scope="module")
def hear() -> Iterator[Callable[[bytes], Final | None]]:
    decoders = Decoders(parse_grammar(GRAMMAR))

    def heard(pcm: bytes) -> Final | None:
        hearing = Hearing(AudioFormat(), decoders, MIN_SCORE)
        assert list(hearing.hear(pcm, 0)) == []
        return hearing.conclude()

    yield heard
    decoders.clear()


def noisy(pcm: bytes) -> bytes:
    random = Random(4)
    samples = unpack(f"<{len(pcm) // 2}h", pcm)
    return pack(f"<{len(samples)}h", *(s + round(random.gauss(0, NOISE_RMS)) for s in samples))


def test_there_is_something_to_say() -> None:
    assert len(SENTENCES) == 12
    assert len(set(SENTENCES) & {"goodbye", "tell me a long story"}) == 2


@pytest.mark.parametrize("sentence", SENTENCES)
def test_every_sentence_is_understood(
    say: Callable[[str], bytes], hear: Callable[[bytes], Final | None], sentence: str
) -> None:
    final = hear(say(sentence))
    assert final is not None
    assert final.text == sentence


def test_a_little_noise_does_no_harm(
    say: Callable[[str], bytes], hear: Callable[[bytes], Final | None]
) -> None:
    final = hear(noisy(say("how long have we been talking")))
    assert final is not None
    assert final.text == "how long have we been talking"


@pytest.mark.parametrize("sentence", OTHERS)
def test_every_other_sentence_is_rejected(
    say: Callable[[str], bytes], hear: Callable[[bytes], Final | None], sentence: str
) -> None:
    assert hear(say(sentence)) is None
