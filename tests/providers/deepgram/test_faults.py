from __future__ import annotations

import asyncio
from datetime import timedelta

import anyio
import pytest
from tests.patience import PATIENCE_S
from tests.providers.wire.deepgram import DeepgramServer
from tests.providers.wire.links import Fault, Refusal
from tests.providers.wire.outcomes import FAULTS, KEY, REFUSALS

from voicesession.core.audio import AudioFormat
from voicesession.core.errors import ProviderBusy, ProviderError, ProviderUnavailable
from voicesession.providers.deepgram import DeepgramSpeechToText

FORMAT = AudioFormat()


@pytest.fixture
def deepgram(server: DeepgramServer) -> DeepgramSpeechToText:
    return DeepgramSpeechToText(api_key=KEY, base_url=server.url)


@pytest.fixture
def impatient(server: DeepgramServer) -> DeepgramSpeechToText:
    return DeepgramSpeechToText(api_key=KEY, base_url=server.url, patience=timedelta(seconds=1))


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_in_the_stream_is_told_for_what_it_is(
    deepgram: DeepgramSpeechToText,
    impatient: DeepgramSpeechToText,
    server: DeepgramServer,
    fault: Fault,
) -> None:
    server.fault = fault
    recogniser = impatient if fault is Fault.HANG else deepgram
    stream = await recogniser.open(FORMAT, language="en")
    for n in range(60):
        stream.push(bytes(640), n * 20_000)
    with anyio.fail_after(PATIENCE_S), pytest.raises(ProviderError) as raised:
        async for _ in stream:
            pass
    assert type(raised.value) is FAULTS[fault]
    assert raised.value.provider == "deepgram"
    assert KEY not in str(raised.value)
    stream.push(bytes(640), 1_200_000)
    await stream.aclose()


@pytest.mark.parametrize(("refusal", "kind", "problem"), REFUSALS)
async def test_a_refusal_is_told_for_what_it_is(
    deepgram: DeepgramSpeechToText,
    server: DeepgramServer,
    refusal: Refusal,
    kind: type[ProviderError],
    problem: str,
) -> None:
    server.refusal = refusal
    with pytest.raises(ProviderError) as raised:
        await deepgram.open(FORMAT, language="en")
    assert type(raised.value) is kind
    assert str(raised.value) == f"deepgram: {problem}"
    if isinstance(raised.value, ProviderBusy):
        asked = 2_500_000 if refusal.retry_after == "2.5" else None
        assert raised.value.retry_after_us == asked


async def test_a_handshake_that_hangs_is_given_up(
    impatient: DeepgramSpeechToText, server: DeepgramServer
) -> None:
    server.hangs_at_handshake = True
    with (
        anyio.fail_after(PATIENCE_S),
        pytest.raises(ProviderUnavailable, match=r"no answer in 1 s"),
    ):
        await impatient.open(FORMAT, language="en")


async def test_a_server_that_is_not_there_is_told(server: DeepgramServer) -> None:
    listener = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    listener.close()
    await listener.wait_closed()
    deepgram = DeepgramSpeechToText(api_key=KEY, base_url=f"http://127.0.0.1:{port}")
    with pytest.raises(ProviderUnavailable, match="cannot be reached"):
        await deepgram.open(FORMAT, language="en")


async def test_a_server_that_speaks_no_http_is_told() -> None:
    async def mumble(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example.org ESMTP\r\n\r\n")
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(mumble, "127.0.0.1", 0) as listener:
        port = listener.sockets[0].getsockname()[1]
        deepgram = DeepgramSpeechToText(api_key=KEY, base_url=f"http://127.0.0.1:{port}")
        with pytest.raises(ProviderUnavailable, match="not its protocol"):
            await deepgram.open(FORMAT, language="en")


async def test_whoever_is_cancelled_while_opening_leaves_nothing_behind(
    deepgram: DeepgramSpeechToText, server: DeepgramServer
) -> None:
    server.hangs_at_handshake = True
    with anyio.move_on_after(0.05):
        await deepgram.open(FORMAT, language="en")
    server.hangs_at_handshake = False
    before = asyncio.all_tasks()
    await (await deepgram.open(FORMAT, language="en")).aclose()
    assert asyncio.all_tasks() == before
