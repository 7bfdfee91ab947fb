"""A conversation in which nobody answers: what is left of a pipeline for words only."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Final

from anyio.lowlevel import checkpoint
from attrs import evolve

from ...ports.agent import Prompt, ReplyPart
from ...providers.null import NullTextToSpeech
from ...runtime.pipeline import Pipeline

__all__ = ("TRANSCRIPTION", "listening_only")

TRANSCRIPTION: Final = "transcription"
"""The mode of a session in which there is no agent."""


class _Silence:
    """An agent that has nothing to say."""

    name = "silence"

    async def reply(self, _prompt: Prompt, /) -> AsyncGenerator[ReplyPart]:
        await checkpoint()
        nothing: tuple[ReplyPart, ...] = ()
        for part in nothing:
            yield part


def listening_only(pipeline: Pipeline) -> Pipeline:
    """Return *pipeline* without its agent and its voice."""
    return evolve(pipeline, agent=_Silence(), tts=NullTextToSpeech())
