"""What the agents say here, and how much of it is in a recording."""

from __future__ import annotations

import wave

from voicesession import SessionManager

RATE_HZ = 16_000
VOICE = b"\x10\x27"
"""A sample of the agent, louder than anything the caller says here."""


async def voices(voice: SessionManager, session_id: str) -> bytes:
    """Return the recording of a session: a caller's and an agent's sample in turn."""
    session = await voice.get(session_id)
    with wave.open(str(session.audio_uri).removeprefix("file://")) as file:
        assert file.getnchannels() == 2
        return bytes(file.readframes(file.getnframes()))


async def samples_spoken(voice: SessionManager, session_id: str) -> int:
    """Return how many samples of the recording of a session are the agent's."""
    return (await voices(voice, session_id))[3::4].count(VOICE[1])
