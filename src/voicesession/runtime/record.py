"""
The stored session, as one writer sees it: events go in, one commit at a time comes out.

Whoever changes a session does it here: the owner with its lease, a command from somewhere
else without. The core decides what an event means; this only carries the decision to the
store, and when somebody else was faster, asks the core again on what is there now.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

from attrs import asdict, define, evolve

from ..core.deadlines import LifePolicy, next_look
from ..core.errors import StoreTimeout, VersionConflict
from ..core.events import SessionEvent
from ..core.journal import JournalEntry
from ..core.life import apply
from ..core.session import Session
from ..core.snapshots import changed
from ..core.tasks import Task
from ..core.utterance import Utterance
from ..ports.storage import MAX_PAGE, Change, Scope, SessionStore
from .gate import Gate

__all__ = ("Running", "SessionRecord")

_MOST_TRIES: Final = 10
_MOST_UNKNOWN: Final = 100

_Entries: TypeAlias = tuple[JournalEntry, ...]


@define
class Running:
    """What the owner counts while the session is live. Mutable, because it changes often."""

    audio_duration_us: int = 0
    audio_chunks_received: int = 0
    audio_chunks_processed: int = 0
    audio_used_us: int = 0
    transcript_partial: str | None = None

    @classmethod
    def of(cls, session: Session) -> Running:
        """Return what *session* had counted when it was stored."""
        return cls(
            audio_duration_us=session.audio_duration_us,
            audio_chunks_received=session.audio_chunks_received,
            audio_chunks_processed=session.audio_chunks_processed,
            audio_used_us=session.audio_used_us,
            transcript_partial=session.transcript_partial,
        )


class SessionRecord:
    """One session's snapshot and the way to change it.

    Args:
        epoch: The lease that the writes carry; None for somebody who does not own it.
        running: What the owner counts; goes along with each of its commits.
        on_change: Called with the snapshots before and after, whoever made the change, and
            with the entries of the journal that lie between them.
    """

    __slots__ = (
        "_epoch",
        "_on_change",
        "_policy",
        "_running",
        "_scope",
        "_store",
        "_turn",
        "_unknown",
        "session",
    )

    def __init__(
        self,
        store: SessionStore,
        session: Session,
        *,
        policy: LifePolicy,
        epoch: int | None = None,
        running: Running | None = None,
        on_change: Callable[[Session, Session, _Entries], None] | None = None,
    ) -> None:
        self._store = store
        self._policy = policy
        self._epoch = epoch
        self._running = running
        self._on_change = on_change
        self._scope = Scope(session.tenant_id)
        self._turn = Gate()
        self._unknown: list[_Entries] = []
        self.session = session
        """As this writer stored or loaded it last."""

    async def apply(
        self,
        *events: SessionEvent,
        utterances: Sequence[Utterance] = (),
        tasks: Sequence[Task] = (),
        at_seq: int | None = None,
        **changes: Any,
    ) -> Session:
        """Apply *events* in order, set the fields in *changes*, and store it all in one commit.

        Writes of one record queue up behind each other, in the order of the calls. If
        another writer got in between, the events are applied again to what it stored.

        After a `StoreTimeout` nobody knows whether they were stored. Apply the same events
        again, at whatever time: if they were, that is found out, and they count once.

        Args:
            at_seq: Only if the session is still there; then nothing is applied again.

        Raises:
            InvalidState: An event is not legal, here or on what the other writer left.
            VersionConflict: Others were faster every time, or the session is not at
                *at_seq*; nothing was written.
            LeaseLost: Another worker owns the session; nothing was written.
            StoreError: The store refused, or did not answer.
        """
        async with self._turn:
            for attempt in range(_MOST_TRIES):
                if await self._have_happened(events):
                    break
                if at_seq not in (None, self.session.seq):
                    raise VersionConflict(self.session.id, at_seq)
                change = self._change(events, utterances, tasks, changes)
                try:
                    await self._store.commit(change)
                except VersionConflict:
                    if attempt == _MOST_TRIES - 1:
                        raise
                    await self._reload()
                except StoreTimeout:
                    if change.entries:
                        self._unknown.append(change.entries)
                        del self._unknown[:-_MOST_UNKNOWN]
                    raise
                else:
                    self._adopt(change.session, tuple(change.entries))
                    break
        return self.session

    async def refresh(self) -> Session:
        """Load what is stored now; what others have changed is reported as any change."""
        async with self._turn:
            await self._reload()
        return self.session

    def _change(
        self,
        events: Sequence[SessionEvent],
        utterances: Sequence[Utterance],
        tasks: Sequence[Task],
        changes: dict[str, Any],
    ) -> Change:
        before = after = self.session
        entries: list[JournalEntry] = []
        for event in events:
            after = apply(after, event)
            entries.append(JournalEntry(after.seq, event))
        after = changed(after, **changes)
        counted = {} if self._running is None else asdict(self._running)
        # One copy for both: no deadline hangs on what is counted.
        look_at = {"deadline_at": next_look(after, self._policy)}
        after = changed(after, **counted | look_at | changes)
        return Change(
            session=after,
            expected_seq=before.seq,
            epoch=self._epoch,
            entries=tuple(entries),
            utterances=tuple(utterances),
            tasks=tuple(tasks),
        )

    async def _have_happened(self, events: Sequence[SessionEvent]) -> bool:
        """Whether *events* were stored by an attempt of which that was unknown until now."""
        for entries in tuple(self._unknown):
            if not _are_of(entries, events):
                continue
            (first, *_) = entries
            stored = await self._store.journal(
                self.session.id, self._scope, after=first.seq - 1, limit=len(entries)
            )
            if stored:  # if not, the attempt may still arrive: then the next one conflicts
                self._unknown.remove(entries)
            if tuple(stored) == entries:
                await self._reload()
                return True
        return False

    async def _reload(self) -> None:
        session = await self._store.load(self.session.id, self._scope)
        self._adopt(session, await self._entries_until(session.seq))

    async def _entries_until(self, seq: int) -> _Entries:
        """Return what others have written up to *seq*, where somebody wants to know."""
        entries: list[JournalEntry] = []
        read = self.session.seq
        while self._on_change is not None and read < seq:
            page = await self._store.journal(
                self.session.id, self._scope, after=read, limit=min(seq - read, MAX_PAGE)
            )
            if not page:
                break
            entries += page
            read = page[-1].seq
        return tuple(entries)

    def _adopt(self, session: Session, entries: _Entries) -> None:
        before, self.session = self.session, session
        if self._on_change is not None and session.seq != before.seq:
            self._on_change(before, session, entries)


def _are_of(entries: _Entries, events: Sequence[SessionEvent]) -> bool:
    """Whether *entries* are those of *events*, whenever each attempt was made."""
    told = [entry.event for entry in entries]
    return len(told) == len(events) and told == [
        evolve(event, at=earlier.at) for event, earlier in zip(events, told, strict=True)
    ]
