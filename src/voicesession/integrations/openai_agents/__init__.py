"""
A session under the OpenAI Agents SDK: the memory of its agents, and beside its realtime calls.

.. code-block:: python

    async with voice.attach(session.id) as handle:
        await handle.live()
        await Runner.run(agent, "Hello.", session=TranscriptMemory(voice, handle))

    async with voice.attach(session.id) as handle, await runner.run() as realtime:
        async with kept(realtime, handle) as call:
            await call.send_audio(frame)          # instead of realtime.send_audio
            async for event in call: …            # instead of: in realtime
"""

from __future__ import annotations

from .memory import TranscriptMemory
from .realtime import KeptCall, kept

__all__ = ("KeptCall", "TranscriptMemory", "kept")
