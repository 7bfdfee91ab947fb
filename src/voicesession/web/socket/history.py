"""What a client has missed: read from the store, in order, each message once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from attrs import field, frozen

from ...core.journal import JournalEntry
from ...core.session import Session
from ...core.utterance import Utterance, UtteranceId
from ...runtime.manager import SessionManager
from ...schemas.messages import ServerMessage
from .story import Moment, durable_message, final_message, moments_of

__all__ = ("Past", "past_of")

_PAGE: Final = 100


@frozen(kw_only=True)
class Past:
    """The journal of a session so far, and the words that were said.

    Attributes:
        until: The last entry of it.
    """

    moments: tuple[Moment, ...]
    until: int
    _said: dict[UtteranceId, Utterance] = field(alias="said", repr=False)

    def told(self, *, after: int, at: datetime, words: bool) -> Iterator[ServerMessage]:
        """Yield the durable messages behind the entry *after*.

        Words that were not to be kept beyond the end of their session are left out.

        Args:
            words: With the time of each.
        """
        for moment in self.moments:
            if moment.entry.seq <= after:
                continue
            said = None if moment.utterance_id is None else self._said.get(moment.utterance_id)
            if said is not None:
                yield final_message(said, moment.entry.seq, at=at, words=words)
            elif (message := durable_message(moment, at=at)) is not None:
                yield message


async def past_of(voice: SessionManager, session: Session) -> Past:
    """Return what has happened to *session* until now."""
    journal: list[JournalEntry] = []
    while page := await voice.journal(session.id, after=len(journal), limit=_PAGE):
        journal += page
    # Read after the journal: then whatever that names is there, unless it was deleted.
    transcript = await voice.transcript(session.id)
    return Past(
        moments=moments_of(session, journal),
        until=len(journal),
        said={utterance.id: utterance for utterance in transcript.utterances},
    )
