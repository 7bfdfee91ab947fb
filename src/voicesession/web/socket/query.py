"""What a client says in the URL of its connection."""

from __future__ import annotations

from typing import Any, Final, Self

from attrs import evolve, frozen
from pydantic import Field

from ...core.audio import MAX_RATE_HZ, MIN_RATE_HZ, Encoding
from ...core.session import Session
from ...schemas.messages import Config
from ...schemas.refusals import BadRequest
from ...schemas.requests import Query

__all__ = ("StreamQuery", "Wishes")

_LONGEST_NAME: Final = 256
_LONGEST_VOCABULARY: Final = 4_096
_MOST_DAYS: Final = 36_500
_OF_THE_SESSION: Final = (
    "language",
    "model",
    "encoding",
    "sample_rate",
    "channels",
    "store_audio",
    "store_transcript",
    "enhance_on_end",
    "retention_days",
    "mode",
)


class StreamQuery(Query):
    """The parameters of a connection. Those of a session that is there already must agree."""

    session_id: str | None = Field(default=None, max_length=128)
    ticket: str | None = Field(default=None, max_length=2_048, repr=False)
    mode: str | None = Field(default=None, min_length=1, max_length=_LONGEST_NAME)
    language: str | None = Field(default=None, min_length=1, max_length=_LONGEST_NAME)
    model: str | None = Field(default=None, min_length=1, max_length=_LONGEST_NAME)
    encoding: Encoding | None = None
    sample_rate: int | None = Field(default=None, ge=MIN_RATE_HZ, le=MAX_RATE_HZ)
    channels: int | None = Field(default=None, ge=1, le=2)
    store_audio: bool | None = None
    store_transcript: bool | None = None
    enhance_on_end: bool | None = None
    retention_days: int | None = Field(default=None, ge=-1, le=_MOST_DAYS)
    resume_session_id: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_.:-]{1,128}$")
    vocabulary: str | None = Field(
        default=None,
        max_length=_LONGEST_VOCABULARY,
        description="Words to expect, with commas between.",
    )
    interim_results: bool = True
    word_timestamps: bool = True

    def said(self) -> dict[str, Any]:
        """Return the parameters of a session that were given."""
        values = ((name, getattr(self, name)) for name in _OF_THE_SESSION)
        return {name: value for name, value in values if value is not None}

    def agree(self, session: Session) -> None:
        """Do nothing, if what was said is so.

        Raises:
            BadRequest: The session was created with something else.
        """
        there = {name: getattr(session, name) for name in _OF_THE_SESSION}
        there["resume_session_id"] = session.previous_session_id
        for name, value in there.items():
            if getattr(self, name) not in {None, value}:
                raise BadRequest(name, "what the session was created with")


@frozen(kw_only=True)
class Wishes:
    """What one connection wants to be told.

    Attributes:
        playout: The client reports what it plays; until it does, what was sent counts.
    """

    interim_results: bool = True
    word_timestamps: bool = True
    playout: bool = False

    @classmethod
    def of(cls, query: StreamQuery) -> Self:
        """Return what the URL says."""
        return cls(interim_results=query.interim_results, word_timestamps=query.word_timestamps)

    def changed(self, config: Config) -> Wishes:
        """Return them as *config* wants them."""
        said = config.model_dump(exclude={"type"}, exclude_none=True)
        return evolve(self, **said)
