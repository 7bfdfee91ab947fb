"""Plays ElevenLabs' streaming speech: each character sounds for 20 ms."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

from attrs import define
from tests.providers.wire.links import Opened, VendorServer
from websockets.asyncio.server import ServerConnection

CHARACTER_MS = 20
PIECE = 40
"""Characters that one message speaks."""


@define
class ElevenLabsServer(VendorServer):
    aligns: bool = True
    error: dict[str, Any] | None = None
    odd_pieces: bool = False
    """Whether audio is cut in the middle of a sample."""

    async def converse(self, client: ServerConnection, opened: Opened) -> None:
        rate_hz = int(opened.query["output_format"][0].removeprefix("pcm_"))
        text = ""
        async for message in client:
            told = self.heard(message)
            text += told["text"]
            if told.get("flush") or told["text"] == "":
                if await self.goes_wrong(client):
                    continue
                if self.error is not None:
                    await client.send(json.dumps(self.error))
                    continue
                await self._speak(client, text.lstrip(), rate_hz)
                text = ""
            if told["text"] == "":
                await client.send(json.dumps({"audio": None, "isFinal": True}))
                await client.close(1000)

    async def _speak(self, client: ServerConnection, text: str, rate_hz: int) -> None:
        held = b""
        for start in range(0, len(text), PIECE):
            characters = text[start : start + PIECE]
            pcm = held + b"\x00\x08" * (len(characters) * CHARACTER_MS * rate_hz // 1_000)
            held = b""
            if self.odd_pieces and start + PIECE < len(text):
                pcm, held = pcm[:-1], pcm[-1:]
            await client.send(json.dumps(self._piece(characters, pcm)))

    def _piece(self, characters: str, pcm: bytes) -> dict[str, Any]:
        alignment = {
            "chars": list(characters),
            "charStartTimesMs": [n * CHARACTER_MS for n in range(len(characters))],
            "charDurationsMs": [CHARACTER_MS] * len(characters),
        }
        return {
            "audio": b64encode(pcm).decode(),
            "isFinal": None,
            "alignment": alignment if self.aligns else None,
            "normalizedAlignment": alignment if self.aligns else None,
        }
