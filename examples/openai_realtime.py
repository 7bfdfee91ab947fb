"""A realtime call of the OpenAI Agents SDK, kept: `python examples/openai_realtime.py call.pcm`."""

import asyncio
import sys
from pathlib import Path

from agents.realtime import RealtimeAgent, RealtimeRunner

import voicesession
from voicesession.integrations.openai_agents import KeptCall, kept

FRAME_BYTES = 960  # 20 ms of 16-bit samples at 24 kHz


async def hold(voice: voicesession.SessionManager, runner: RealtimeRunner, pcm: bytes) -> str:
    session = await voice.create(sample_rate=24_000, store_audio=True, store_transcript=True)
    async with voice.attach(session.id) as handle:
        async with await runner.run() as realtime, kept(realtime, handle) as call:
            listening = asyncio.create_task(listen(call))
            for at in range(0, len(pcm), FRAME_BYTES):
                await call.send_audio(pcm[at : at + FRAME_BYTES])
                await asyncio.sleep(0.02)
            listening.cancel()
        await handle.end()
    return session.id


async def listen(call: KeptCall) -> None:
    async for event in call:
        print(event.type)  # play what is of type "audio"


async def main(pcm: bytes) -> None:
    agent = RealtimeAgent(name="clerk", instructions="Be brief.")
    async with voicesession.open("sqlite:///voice.db", recordings="./recordings") as voice:
        print(await hold(voice, RealtimeRunner(agent), pcm))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]).read_bytes()))
