"""One conversation and nothing around it: for a script, a notebook or a first try."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Unpack

from ..runtime.live import VoiceSession
from ..runtime.parameters import SessionParameters
from ..runtime.pipeline import Pipeline, SessionConfig
from . import open as open_manager

__all__ = ("alone",)


@asynccontextmanager
async def alone(
    pipeline: Pipeline, config: SessionConfig | None = None, **parameters: Unpack[SessionParameters]
) -> AsyncGenerator[VoiceSession]:
    """Hold one conversation in memory; after the block nothing is left of it.

        async with voicesession.alone(pipeline) as call:
            await call.process_audio(frame)

    Args:
        pipeline: Its engines stay the caller's.
        config: With ``auto_start`` the first audio or the first ``say`` starts the session.
        parameters: As for `SessionManager.create`.

    Raises:
        InvalidValue: A parameter is not allowed; the error names it.
        ProviderError: An engine cannot be had.
    """
    async with open_manager("memory://") as voice:
        session = await voice.create(**parameters)
        async with voice.converse(session.id, pipeline, config=config) as call:
            yield call
