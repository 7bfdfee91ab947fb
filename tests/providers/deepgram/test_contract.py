from __future__ import annotations

import pytest
from tests.providers.wire.deepgram import DeepgramServer

from voicesession.providers.deepgram import DeepgramSpeechToText, listening
from voicesession.testing.contracts.speech import SpeechToTextContract


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Our server answers every flush, but perhaps late: this machine may have other things to do."""
    monkeypatch.setattr(listening, "FLUSH_S", 30.0)
    monkeypatch.setattr(listening, "SETTLED_FLUSH_S", 30.0)


class TestDeepgramSpeechToText(SpeechToTextContract):
    @pytest.fixture
    def recogniser(self, server: DeepgramServer) -> DeepgramSpeechToText:
        return DeepgramSpeechToText(api_key="k", base_url=server.url)

    @pytest.fixture
    def said(self, server: DeepgramServer) -> tuple[str, bytes]:
        lexicon = server.lexicon
        pause = lexicon.silence(400_000)
        return "tell me a story", pause + lexicon.speech("tell me a story") + pause
