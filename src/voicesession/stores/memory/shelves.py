"""What a memory storage holds: plain dicts, which its stores share."""

from __future__ import annotations

from collections import Counter

from attrs import define, field

from ...core.accounts import Account, Balance, Hold, HoldId, Limit, Line
from ...core.errors import SessionNotFound
from ...core.identity import SessionId, TenantId
from ...core.journal import JournalEntry
from ...core.meters import Meter
from ...core.session import Session
from ...core.states import SessionState
from ...core.tasks import Task, TaskId
from ...core.templates import SessionTemplate, TemplateId
from ...core.utterance import Utterance, UtteranceId
from ...core.windows import Window
from ...ports.scope import Scope
from ...ports.storage import Tombstone

__all__ = ("Kept", "Shelves")


@define
class Kept:
    """All there is of one session."""

    session: Session
    journal: list[JournalEntry] = field(factory=list)
    words: dict[UtteranceId, tuple[int, Utterance]] = field(factory=dict)
    """With their places."""
    tasks: dict[TaskId, Task] = field(factory=dict)


@define
class Shelves:
    """Everything. Needs no lock: nothing awaits between a check and the write it allows."""

    sessions: dict[SessionId, Kept] = field(factory=dict)
    open_sessions: dict[TenantId, Counter[str | None]] = field(factory=dict)
    """How many sessions each user of a tenant has that are not ENDED."""
    tombstones: list[Tombstone] = field(factory=list)
    templates: dict[TemplateId, SessionTemplate] = field(factory=dict)
    zones: dict[Account, str] = field(factory=dict)
    limits: dict[Account, dict[tuple[Meter, Window], Limit]] = field(factory=dict)
    balances: dict[Line, Balance] = field(factory=dict)
    holds: dict[HoldId, Hold] = field(factory=dict)

    def count(self, session: Session, *, by: int) -> None:
        """Count *session* among the open ones, or no longer; one that has ended is not."""
        if session.state is SessionState.ENDED:
            return
        of_tenant = self.open_sessions.setdefault(session.tenant_id, Counter())
        of_tenant[session.user_id] += by
        if not of_tenant[session.user_id]:
            del of_tenant[session.user_id]
        if not of_tenant:
            del self.open_sessions[session.tenant_id]

    def of(self, session_id: SessionId, scope: Scope) -> Kept:
        """Return what there is of a session.

        Raises:
            SessionNotFound: There is none in *scope*.
        """
        kept = self.sessions.get(session_id)
        if kept is None or scope.tenant_id not in (None, kept.session.tenant_id):
            raise SessionNotFound(session_id)
        return kept
