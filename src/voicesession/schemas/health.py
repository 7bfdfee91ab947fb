"""How a server says in one word that it is there."""

from __future__ import annotations

from pydantic import Field

from .parts import Told

__all__ = ("HealthAnswer",)


class HealthAnswer(Told):
    """One word: ``ok``, ``ready``; ``taken`` for what was brought."""

    status: str = Field(examples=["ok"])
