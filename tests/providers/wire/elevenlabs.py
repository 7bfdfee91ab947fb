"""Plays ElevenLabs' streaming speech, by text and by context: each character sounds for 20 ms."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

from attrs import define, field
from tests.providers.wire.links import Opened, VendorServer
from websockets.asyncio.server import ServerConnection

CHARACTER_MS = 20
PIECE = 40
"""Characters that one message speaks."""
MOST_CONTEXTS = 5


@define
class ElevenLabsServer(VendorServer):
    aligns: bool = True
    error: dict[str, Any] | None = None
    odd_pieces: bool = False
    """Whether audio is cut in the middle of a sample."""
    goes_silently: bool = False
    """Whether a client that has spoken once finds nobody any more, and is not told."""
    sent: list[Any] = field(factory=list)
    """Every JSON message to every client, in order."""

    async def converse(self, client: ServerConnection, opened: Opened) -> None:
        rate_hz = int(opened.query["output_format"][0].removeprefix("pcm_"))
        if opened.path.endswith("/multi-stream-input"):
            await self._speak_contexts(client, rate_hz)
        else:
            await self._speak_one(client, rate_hz)

    async def _speak_one(self, client: ServerConnection, rate_hz: int) -> None:
        text = ""
        async for message in client:
            told = self.heard(message)
            text += told["text"]
            if told.get("flush") or told["text"] == "":
                await self._speak(client, text.lstrip(), rate_hz, {})
                text = ""
            if told["text"] == "":
                await self._send(client, {"audio": None, "isFinal": True})
                await client.close(1000)

    async def _speak_contexts(self, client: ServerConnection, rate_hz: int) -> None:
        texts: dict[str, str] = {}
        async for message in client:
            told = self.heard(message)
            name = told["context_id"]
            if name not in texts and len(texts) == MOST_CONTEXTS:
                await self._refuse(client, "max_active_conversations")
                return
            if name not in texts and told["text"] != " ":
                await self._refuse(client, "input_validation_error")
                return
            texts[name] = texts.get(name, "") + told.get("text", "")
            if told.get("flush"):
                if await self.goes_wrong(client):
                    continue
                if self.error is not None:
                    await self._send(client, self.error)
                    continue
                await self._speak(client, texts[name].lstrip(), rate_hz, {"contextId": name})
                texts[name] = ""
            if told.get("close_context") and self.fault is None and self.error is None:
                del texts[name]
                await self._send(client, {"isFinal": True, "contextId": name})
                if self.goes_silently:
                    client.transport.abort()

    async def _refuse(self, client: ServerConnection, error: str) -> None:
        await self._send(client, {"message": "no", "error": error, "code": 1008})
        await client.close(1008, error)

    async def _speak(
        self, client: ServerConnection, text: str, rate_hz: int, named: dict[str, str]
    ) -> None:
        held = b""
        for start in range(0, len(text), PIECE):
            characters = text[start : start + PIECE]
            pcm = held + b"\x00\x08" * (len(characters) * CHARACTER_MS * rate_hz // 1_000)
            held = b""
            if self.odd_pieces and start + PIECE < len(text):
                pcm, held = pcm[:-1], pcm[-1:]
            await self._send(client, self._piece(characters, pcm) | named)

    async def _send(self, client: ServerConnection, told: dict[str, Any]) -> None:
        self.sent.append(told)
        await client.send(json.dumps(told))

    def _piece(self, characters: str, pcm: bytes) -> dict[str, Any]:
        alignment = {
            "chars": list(characters),
            "charStartTimesMs": [n * CHARACTER_MS for n in range(len(characters))],
            "charDurationsMs": [CHARACTER_MS] * len(characters),
        }
        return {
            "audio": b64encode(pcm).decode(),
            "alignment": alignment if self.aligns else None,
            "normalizedAlignment": alignment if self.aligns else None,
        }
