"""The engines that tests talk to are held to the same suites as those that people do."""

import pytest

from voicesession.testing.contracts.speech import (
    AgentContract,
    MarksProgressContract,
    TextToSpeechContract,
    VoiceActivityDetectorContract,
)
from voicesession.testing.faults import (
    Faults,
    FaultyAgent,
    FaultySpeechToText,
    FaultyTextToSpeech,
)
from voicesession.testing.scripted import (
    CallbackAgent,
    Lexicon,
    ScriptedSpeechToText,
    ScriptedTextToSpeech,
    ScriptedVoiceActivityDetector,
)
from voicesession.testing.stage import echo


@pytest.fixture
def lexicon() -> Lexicon:
    return Lexicon()


class TestScriptedVoiceActivityDetector(VoiceActivityDetectorContract):
    @pytest.fixture
    def detector(self) -> ScriptedVoiceActivityDetector:
        return ScriptedVoiceActivityDetector()

    @pytest.fixture
    def voice(self, lexicon: Lexicon) -> bytes:
        return lexicon.speech("tell me a story") + lexicon.silence(400_000)


class TestScriptedSpeechToText(MarksProgressContract):
    @pytest.fixture
    def recogniser(self, lexicon: Lexicon) -> ScriptedSpeechToText:
        return ScriptedSpeechToText(lexicon, endpoint_us=300_000)

    @pytest.fixture
    def said(self, lexicon: Lexicon) -> tuple[str, bytes]:
        pause = lexicon.silence(400_000)
        return "tell me a story", pause + lexicon.speech("tell me a story") + pause


class TestScriptedTextToSpeech(TextToSpeechContract):
    @pytest.fixture
    def speaker(self, lexicon: Lexicon) -> ScriptedTextToSpeech:
        return ScriptedTextToSpeech(lexicon)


class TestCallbackAgent(AgentContract):
    @pytest.fixture
    def agent(self) -> CallbackAgent:
        return CallbackAgent(echo)


class TestFaultySpeechToTextWithoutFaults(TestScriptedSpeechToText):
    @pytest.fixture
    def recogniser(self, lexicon: Lexicon) -> FaultySpeechToText:
        return FaultySpeechToText(ScriptedSpeechToText(lexicon), Faults())


class TestFaultyTextToSpeechWithoutFaults(TextToSpeechContract):
    @pytest.fixture
    def speaker(self, lexicon: Lexicon) -> FaultyTextToSpeech:
        return FaultyTextToSpeech(ScriptedTextToSpeech(lexicon), Faults())


class TestFaultyAgentWithoutFaults(AgentContract):
    @pytest.fixture
    def agent(self) -> FaultyAgent:
        return FaultyAgent(CallbackAgent(echo), Faults())
