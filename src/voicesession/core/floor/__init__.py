"""The turn-taking engine: who has the floor, as a pure machine in media time."""

from __future__ import annotations

from .config import FloorConfig
from .conversation import Conversation
from .effects import Effect, Effects, ReplyId

__all__ = ("Conversation", "Effect", "Effects", "FloorConfig", "ReplyId")
