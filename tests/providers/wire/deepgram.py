"""Plays Deepgram's live endpoint: it hears the words of a lexicon in real audio."""

from __future__ import annotations

import json
from typing import Any

from attrs import define, field
from tests.providers.wire.links import Opened, VendorServer
from websockets.asyncio.server import ServerConnection

from voicesession.core.audio import AudioFormat, Encoding
from voicesession.core.pcm import to_s16_mono
from voicesession.ports.speech import Final, Flushed, Interim, Marked, RecognitionStream
from voicesession.testing.scripted import Lexicon, ScriptedSpeechToText

ENCODINGS = {
    "linear16": Encoding.PCM_S16LE,
    "mulaw": Encoding.MULAW,
    "alaw": Encoding.ALAW,
}


@define
class DeepgramServer(VendorServer):
    lexicon: Lexicon = field(factory=Lexicon)
    answers_finalize: bool = True
    audio: bytearray = field(factory=bytearray)

    async def converse(self, client: ServerConnection, opened: Opened) -> None:
        audio_format = AudioFormat(
            ENCODINGS[opened.query["encoding"][0]], int(opened.query["sample_rate"][0])
        )
        ear = await ScriptedSpeechToText(self.lexicon).open(
            AudioFormat(sample_rate=audio_format.sample_rate), language="en"
        )
        size = 0
        async for message in client:
            if isinstance(message, bytes):
                self.audio += message
                self.note()
                if await self.goes_wrong(client):
                    continue
                at_us = audio_format.duration_us(size)
                size += len(message)
                ear.push(to_s16_mono(message, audio_format), at_us)
                ear.mark()
                await self._tell(client, ear, audio_format.duration_us(size))
            elif (kind := self.heard(message)["type"]) == "Finalize" and self.answers_finalize:
                ear.flush()
                await self._tell(client, ear, audio_format.duration_us(size))
            elif kind == "CloseStream":
                await client.send(json.dumps(metadata(audio_format.duration_us(size))))
                await client.close(1000)

    async def _tell(self, client: ServerConnection, ear: RecognitionStream, end_us: int) -> None:
        final: Final | None = None
        async for heard in ear:
            if isinstance(heard, Interim):
                await client.send(json.dumps(results(heard, end_us)))
            elif isinstance(heard, Final):
                final = heard
            elif isinstance(heard, Flushed):
                message = results(final, end_us, is_final=True, from_finalize=True)
                await client.send(json.dumps(message))
                return
            elif isinstance(heard, Marked):
                return


def results(heard: Interim | Final | None, end_us: int, **flags: bool) -> dict[str, Any]:
    """Return what Deepgram says of *heard*, of a track that is *end_us* long by now."""
    words = heard.words if heard else ()
    start = (heard.start_us if heard else end_us) / 1e6
    return {
        "type": "Results",
        "channel_index": [0, 1],
        "start": start,
        "duration": end_us / 1e6 - start,
        "is_final": False,
        "speech_final": False,
        "from_finalize": False,
        **flags,
        "channel": {
            "alternatives": [
                {
                    "transcript": heard.text if heard else "",
                    "confidence": 0.98 if heard else 0.0,
                    "words": [
                        {
                            "word": word.text,
                            "start": round(word.start_us / 1e6, 3),
                            "end": round(word.end_us / 1e6, 3),
                            "confidence": 0.97,
                            "punctuated_word": word.text,
                        }
                        for word in words
                    ],
                }
            ]
        },
        "metadata": {
            "request_id": "7f2c",
            "model_info": {"name": "nova-3", "version": "1", "arch": "nova-3"},
            "model_uuid": "0e1d",
        },
    }


def metadata(end_us: int) -> dict[str, Any]:
    return {
        "type": "Metadata",
        "transaction_key": "deprecated",
        "request_id": "7f2c",
        "sha256": "00",
        "created": "2026-11-21T00:00:00.000Z",
        "duration": end_us / 1e6,
        "channels": 1,
    }
