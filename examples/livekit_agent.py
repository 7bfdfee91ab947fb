"""A LiveKit agent whose calls are kept: `python examples/livekit_agent.py dev`."""

from typing import Any

from livekit.agents import Agent, AgentSession, JobContext, WorkerOptions, cli

import voicesession
from voicesession.integrations.livekit_agents import followed


async def hold(agents: AgentSession[Any], voice: voicesession.SessionManager, **room: Any) -> str:
    session = await voice.create(sample_rate=24_000, store_audio=True, store_transcript=True)
    async with voice.attach(session.id) as handle, followed(agents, handle) as call:
        await agents.start(Agent(instructions="Be brief."), **room)
        await call.closed()
    return session.id


async def entrypoint(job: JobContext) -> None:
    await job.connect()
    agents: AgentSession[Any] = AgentSession(
        stt="deepgram/nova-3", llm="openai/gpt-4o-mini", tts="elevenlabs/eleven_flash_v2_5"
    )
    async with voicesession.open("sqlite:///voice.db", recordings="./recordings") as voice:
        print("kept:", await hold(agents, voice, room=job.room))


if __name__ == "__main__":
    cli.run_app(WorkerOptions(entrypoint_fnc=entrypoint))
