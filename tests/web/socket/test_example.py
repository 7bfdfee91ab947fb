"""The handler written by hand does what it says, over a real server."""

import json
import runpy
from pathlib import Path
from typing import Any

import anyio
import pytest
from tests.patience import PATIENCE_S
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from voicesession import Limit
from voicesession.core.accounts import Account, Scope
from voicesession.core.meters import Meter
from voicesession.core.windows import Window

EXAMPLE = Path(__file__).parents[3] / "examples" / "fastapi_websocket.py"
MOST_LINES = 40


def said(number: int, minutes: str) -> str:
    words = {"id": f"utt_{number}", "text": "good morning", "final": True, "minutes": minutes}
    return json.dumps(words | {"start_us": number * 1_000_000, "end_us": number * 1_000_000 + 1})


async def messages(socket: Any, count: int) -> list[dict[str, str]]:
    with anyio.fail_after(PATIENCE_S):
        return [json.loads(await socket.recv()) for _ in range(count)]


async def test_the_example_lives_warns_pauses_and_ends(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, serve: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    example = runpy.run_path(str(EXAMPLE))
    voice = example["voice"]
    async with voice, serve(example["app"]) as url:
        ada = Account(tenant_id=voice.tenant_id, scope=Scope.USER, id="ada")
        await voice.budgets.set_limit(
            Limit(account=ada, meter=Meter.AUDIO_US, window=Window.DAY, amount=60_000_000)
        )
        session = await voice.create(user_id="ada", store_transcript=True)
        async with connect(f"{url}/live-sessions/{session.id}/ws") as socket:
            await socket.send(said(1, "0.1"))
            assert await messages(socket, 1) == [{"type": "state", "state": "LIVE"}]
            await socket.send(said(2, "0.7"))
            assert await messages(socket, 1) == [{"type": "budget_warning", "level": "warned"}]
            await socket.send(said(3, "0.2"))
            assert {m.get("level", m.get("state")) for m in await messages(socket, 2)} == {
                "exhausted",
                "PAUSED",
            }
        with anyio.fail_after(PATIENCE_S):
            while (session := await voice.get(session.id)).state != "ENDED":
                await anyio.lowlevel.checkpoint()
        assert (session.status, session.utterance_count) == ("completed", 3)
        async with connect(f"{url}/live-sessions/sess_unknown/ws") as socket:
            with pytest.raises(ConnectionClosed) as closed:
                await socket.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1008


def test_the_example_is_short() -> None:
    assert len(EXAMPLE.read_text().splitlines()) <= MOST_LINES
