"""
Where sessions live: one medium, one bundle, and `commit` as the only write to a session.

The rules that every adapter keeps (``voicesession.testing.contracts`` tests them):

* **Scope.** Every call names a `Scope`; what lies outside it does not exist. Operators
  say `EVERYTHING`, and mean it.
* **All or nothing.** A `Change` is written whole (snapshot, journal entries, utterances,
  tasks) or not at all, also when the caller is cancelled or the process dies.
* **Nobody overwrites unseen.** A change built on an older ``seq`` is refused, and so is
  one from a worker that has lost its lease.
* **Leases and running stats** are the store's own columns: they are written in bulk,
  guarded by the epoch alone, and a commit never brings an older one back. The store
  stamps their time; callers hand in durations, of a day at most. A new session has no
  lease, and an epoch that was given up is never given again.
* **Identity and parameters are written once**, when the session is created.
* Text that another store could not keep (NUL, lone surrogates) is an `InvalidValue`, in a
  change as in a query, and nothing is written.
* Every method is a checkpoint, and safe to call from many tasks at once.

Any method may raise `StoreUnavailable` (nothing was written) or `StoreTimeout` (the write
is *unknown*: repeat it, the seq makes that harmless).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from types import TracebackType
from typing import Any, Final, Protocol, Self, runtime_checkable

from attrs import field, frozen

from ..core.admission import AdmissionPolicy
from ..core.errors import InvalidValue
from ..core.identity import SessionId, TenantId
from ..core.instants import as_optional_utc
from ..core.journal import JournalEntry
from ..core.session import Session
from ..core.states import SessionState, SessionStatus
from ..core.tasks import Task
from ..core.utterance import Utterance
from .ledger import BudgetLedger
from .scope import EVERYTHING, Scope
from .tasks import TaskStore
from .templates import TemplateStore

__all__ = (
    "EVERYTHING",
    "MAX_PAGE",
    "Change",
    "DueSession",
    "Lease",
    "Order",
    "Page",
    "RunningStats",
    "Scope",
    "SessionQuery",
    "SessionStore",
    "Storage",
    "Tombstone",
    "TombstoneReader",
    "TranscriptStore",
)

MAX_PAGE: Final = 100
MAX_OFFSET: Final = 1_000_000


def _between(low: int, high: int) -> Callable[[object, Any, Any], None]:
    def check(_instance: object, attribute: Any, value: Any) -> None:
        if not isinstance(value, int) or not low <= value <= high:
            raise InvalidValue(attribute.name, value, f"a whole number from {low} to {high}")

    return check


@frozen(kw_only=True)
class Change:
    """One write to one session.

    Attributes:
        session: The snapshot after every entry: ``session.seq == expected_seq + len(entries)``.
        expected_seq: What the stored session must be at; None creates it.
        epoch: The writer's lease; None for a command of somebody who does not own the
            session. Running stats are taken from the snapshot only with an epoch, because
            nobody but the owner knows them.
        entries: Journal entries, in order, continuing the stored journal.
        utterances: To be stored; one with a stored id replaces it.
        tasks: New ones of this session, which nobody has claimed yet; one whose id is stored
            already is left as it is stored, so that a repeat does no harm.
        admission: How many sessions may be open once this one is created; None where nobody
            counts. A session that is there already is not counted again.
    """

    session: Session
    expected_seq: int | None
    epoch: int | None = None
    entries: tuple[JournalEntry, ...] = ()
    utterances: tuple[Utterance, ...] = ()
    tasks: tuple[Task, ...] = ()
    admission: AdmissionPolicy | None = None

    def __attrs_post_init__(self) -> None:
        first = (self.expected_seq or 0) + 1
        places = [entry.seq for entry in self.entries]
        if places != list(range(first, first + len(places))):
            raise InvalidValue("entries", places, f"consecutive places from {first}")
        if self.session.seq != first - 1 + len(places):
            raise InvalidValue("session.seq", self.session.seq, f"{first - 1 + len(places)}")
        for task in self.tasks:
            if (task.session_id, task.tenant_id) != (self.session.id, self.session.tenant_id):
                raise InvalidValue("tasks", task.session_id, "tasks of the session itself")


class Order(StrEnum):
    """In which order a list comes, by ``started_at`` and then by id."""

    NEWEST_FIRST = "desc"
    OLDEST_FIRST = "asc"


@frozen(kw_only=True)
class SessionQuery:
    """Which sessions, and which page of them. Filters that are given must all hold.

    Attributes:
        since: ``started_at`` is not before it.
        until: ``started_at`` is before it.
        metadata: Top-level keys of the metadata that must have exactly this text value.
        limit: 1 to 100.
        cursor: From ``Page.next_cursor`` or ``Page.previous_cursor`` of the same query.
        offset: Sessions to skip; for people who count pages. Not together with a cursor.
    """

    state: SessionState | None = None
    status: SessionStatus | None = None
    user_id: str | None = None
    mode: str | None = None
    since: datetime | None = field(default=None, converter=as_optional_utc)
    until: datetime | None = field(default=None, converter=as_optional_utc)
    metadata: Mapping[str, str] = field(factory=dict[str, str])
    order: Order = field(default=Order.NEWEST_FIRST, converter=Order)
    limit: int = field(default=50, validator=_between(1, MAX_PAGE))
    cursor: str | None = None
    offset: int = field(default=0, validator=_between(0, MAX_OFFSET))


@frozen(kw_only=True)
class Page:
    """Some sessions, and how to get at the ones around them.

    Attributes:
        next_cursor: For the page behind this one; None on the last.
        previous_cursor: For the page before this one; None on the first.
    """

    sessions: tuple[Session, ...]
    next_cursor: str | None = None
    previous_cursor: str | None = None


@frozen(kw_only=True)
class Lease:
    """The right to run a session, until it expires or somebody takes it."""

    session_id: SessionId
    worker_id: str
    epoch: int
    expires_at: datetime


@frozen(kw_only=True)
class DueSession:
    """A session that somebody must look at, and the right to do so.

    Attributes:
        session: As it was found. If it has a lease, that one had expired, and its worker is
            lost; if it has none, its deadline had passed.
        lease: The new one.
    """

    session: Session
    lease: Lease


@frozen(kw_only=True)
class RunningStats:
    """What a live session counts, written in bulk at least every ten seconds."""

    epoch: int
    audio_duration_us: int
    audio_chunks_received: int
    audio_chunks_processed: int
    audio_used_us: int
    transcript_partial: str | None = field(default=None, repr=False)


@frozen(kw_only=True)
class Tombstone:
    """What is left of a deleted session: no word, no name.

    Attributes:
        session_hash: SHA-256 of the id, in hex.
    """

    tenant_id: TenantId
    session_hash: str
    deleted_at: datetime
    deleted_by: str | None
    reason: str


class SessionStore(Protocol):
    """Keeps the latest snapshot of each session and its journal."""

    async def commit(self, change: Change, /) -> None:
        """Write *change*: all of it, or nothing.

        A change that ends the session also drops its lease.

        Raises:
            SessionExists: It creates a session whose id is taken, in any tenant.
            SessionNotFound: There is no session with this id and tenant, or the one that
                a new session continues is not there.
            LeaseLost: An epoch is given and is not the stored one; told before anything
                else about the version.
            VersionConflict: The stored seq is not ``expected_seq``.
            TemplateNotFound: A new session names a template that its tenant does not have.
            QuotaExceeded: A new session would be one more than its ``admission`` allows,
                however many are created at once.
            InvalidValue: ``room_name`` is taken, ``enhancement_job_id`` is no task of the
                session, or a text cannot be kept.
        """
        ...

    async def load(self, session_id: SessionId, /, scope: Scope) -> Session:
        """Return the session as it is stored now, lease and running stats included.

        Raises:
            SessionNotFound: There is none in *scope*.
        """
        ...

    async def find(self, query: SessionQuery, /, scope: Scope) -> Page:
        """Return a page of sessions, stable while others are created.

        Sessions that were never started count as started when they were created.

        Raises:
            InvalidValue: The cursor is broken, or belongs to another order.
        """
        ...

    async def count_open(self, scope: Scope, *, user_id: str | None) -> tuple[int, int]:
        """Return how many sessions are not ENDED: of *user_id* (None: of nobody), and of all."""
        ...

    async def journal(
        self, session_id: SessionId, /, scope: Scope, *, after: int = 0, limit: int = MAX_PAGE
    ) -> Sequence[JournalEntry]:
        """Return at most *limit* entries with a seq above *after*, in order.

        Raises:
            SessionNotFound: There is none in *scope*.
        """
        ...

    async def delete(self, session_id: SessionId, /, scope: Scope, *, tombstone: Tombstone) -> None:
        """Remove the session and everything that belongs to it; keep *tombstone*.

        Raises:
            SessionNotFound: There is none in *scope*.
        """
        ...

    async def take_lease(
        self, session_id: SessionId, /, scope: Scope, *, worker_id: str, duration: timedelta
    ) -> Lease:
        """Make *worker_id* the owner, whoever was; the epoch grows by one.

        Raises:
            SessionNotFound: There is none in *scope*.
            SessionNotActive: The session has ended.
        """
        ...

    async def take_due(
        self, *, worker_id: str, duration: timedelta, limit: int = MAX_PAGE
    ) -> Sequence[DueSession]:
        """Make *worker_id* the owner of sessions that somebody must look at, at most *limit*.

        Those are the sessions whose lease has expired, and those without a lease whose
        ``deadline_at`` has passed, ENDED ones too, all by the time of the store. Of many
        callers at once each session goes to one. Those that have waited longest come first.
        """
        ...

    async def renew_leases(
        self, held: Mapping[SessionId, int], /, *, duration: timedelta
    ) -> Mapping[SessionId, int]:
        """Renew every lease in *held* (id to epoch) that is still the stored one.

        Returns the stored seq of each renewed session: a seq that the owner does not know
        means somebody sent it a command. What is missing is lost. One round trip.
        """
        ...

    async def release_lease(self, session_id: SessionId, /, *, epoch: int) -> None:
        """Give the lease up, if it is still the one with *epoch*; otherwise do nothing."""
        ...

    async def write_stats(self, stats: Mapping[SessionId, RunningStats], /) -> None:
        """Store running stats, leaving out sessions whose epoch has changed. One round trip."""
        ...


@runtime_checkable
class TombstoneReader(Protocol):
    """The capability of a session store to show what is left of deleted sessions."""

    async def tombstones(self, scope: Scope, /) -> Sequence[Tombstone]:
        """Return the tombstones of *scope*, in the order of deletion."""
        ...


class TranscriptStore(Protocol):
    """Reads the words that commits have stored."""

    async def utterances(self, session_id: SessionId, /, scope: Scope) -> Sequence[Utterance]:
        """Return every stored utterance, by start; what begins together in the order of storing.

        One that was put in the place of another counts from then.

        Raises:
            SessionNotFound: There is no such session in *scope*.
        """
        ...

    async def delete_utterances(self, session_id: SessionId, /, scope: Scope) -> None:
        """Forget the words of the session; the journal keeps their ids.

        Raises:
            SessionNotFound: There is no such session in *scope*.
        """
        ...


class Storage(Protocol):
    """One medium with every store on it. Opens at ``async with``, and closes what it opened."""

    @property
    def sessions(self) -> SessionStore: ...

    @property
    def transcripts(self) -> TranscriptStore: ...

    @property
    def templates(self) -> TemplateStore: ...

    @property
    def tasks(self) -> TaskStore: ...

    @property
    def ledger(self) -> BudgetLedger: ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None: ...
