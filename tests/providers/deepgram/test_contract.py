from __future__ import annotations

import pytest
from tests.providers.wire.deepgram import DeepgramServer

from voicesession.providers.deepgram import DeepgramSpeechToText
from voicesession.testing.contracts.speech import SpeechToTextContract


class TestDeepgramSpeechToText(SpeechToTextContract):
    @pytest.fixture
    def recogniser(self, server: DeepgramServer) -> DeepgramSpeechToText:
        return DeepgramSpeechToText(api_key="k", base_url=server.url)

    @pytest.fixture
    def said(self, server: DeepgramServer) -> tuple[str, bytes]:
        lexicon = server.lexicon
        pause = lexicon.silence(400_000)
        return "tell me a story", pause + lexicon.speech("tell me a story") + pause
