"""
What anybody may tell a session, wherever it runs.

Where this worker owns it, its owner does it at once. Otherwise it is a write past the owner,
without its lease: it learns of that by its next conflict, or when it renews.
"""

from __future__ import annotations

from typing import Any

from ..core.errors import BudgetExhausted, SessionExpired, SessionNotActive
from ..core.events import BudgetRaised, EndRequested, ResumeRequested, SessionEvent
from ..core.identity import SessionId, TenantId, shortened
from ..core.session import Session
from ..core.states import EndReason, PauseReason, SessionState
from ..ports.scope import Scope
from .budgets import BudgetTracker
from .ownership import Ownership
from .registry import Registry
from .services import Services
from .worker import Worker

__all__ = ("Commands", "over")


class Commands:
    """The commands of one tenant. Every one raises SessionNotFound where it has no such session."""

    def __init__(
        self, services: Services, worker: Worker, registry: Registry, tenant_id: TenantId
    ) -> None:
        self._worker = worker
        self._registry = registry
        self._budgets = BudgetTracker(services, worker.home, tenant_id)
        self._scope = Scope(tenant_id)
        self._clock = services.clock

    def owned(self, session_id: str) -> Ownership | None:
        """Return the session in the hands of this worker, if it is there."""
        owned = self._worker.owned.get(SessionId(session_id))
        if owned is None or owned.is_lost or owned.scope != self._scope:
            return None
        return owned

    async def load(self, session_id: str) -> Session:
        """Return the session as it is now; one whose time is over is ended first."""
        if (owned := self.owned(session_id)) is not None:
            return owned.session
        return (await self._registry.load(session_id)).session

    async def apply(
        self, session_id: str, *events: SessionEvent, at_seq: int | None = None, **changes: Any
    ) -> Session:
        """Apply *events* in one commit.

        Args:
            at_seq: Only if the session is still there.

        Raises:
            InvalidState: An event is not legal now.
            VersionConflict: The session is no longer at *at_seq*.
        """
        if (owned := self.owned(session_id)) is not None:
            return await owned.apply(*events, at_seq=at_seq, **changes)
        record = await self._registry.load(session_id)
        return await record.apply(*events, at_seq=at_seq, **changes)

    async def resume(self, session_id: str) -> Session:
        """Take back the user's own pause, and that of a budget which has room again.

        Raises:
            BudgetExhausted: It has none.
            InvalidState: Neither has paused it.
            SessionExpired: Its time was over before.
            SessionNotActive: It has ended.
        """
        session = await self.load(session_id)
        if session.state is SessionState.ENDED:
            raise over(session)
        at = self._clock.now()
        if PauseReason.BUDGET_EXHAUSTED not in session.pause_reasons:
            return await self.apply(session_id, ResumeRequested(at=at))
        if exhausted := await self._budgets.exhausted(session):
            line = exhausted[0].line
            raise BudgetExhausted(f"the {line.window} of the {line.account.scope} has no more")
        events: list[SessionEvent] = [BudgetRaised(at=at)]
        if PauseReason.USER in session.pause_reasons:
            events.append(ResumeRequested(at=at))
        return await self.apply(session_id, *events)

    async def end(self, session_id: str, reason: EndReason) -> Session:
        """End a session; one that has ended stays as it is."""
        if (owned := self.owned(session_id)) is not None:
            ended = await owned.end(reason)
            if ended.state is SessionState.ENDED:
                return ended
            # It was being handed over: now it is nobody's, or somebody else's.
        record = await self._registry.load(session_id)
        if record.session.state is SessionState.ENDED:
            return record.session
        return await self._registry.end(record, EndRequested(at=self._clock.now(), reason=reason))


def over(session: Session) -> SessionExpired | SessionNotActive:
    """Return the refusal of what cannot be done with a session that has ended."""
    told = f"session …{shortened(session.id)} is over: {session.end_reason}"
    if session.end_reason is EndReason.EXPIRED:
        return SessionExpired(told)
    return SessionNotActive(told)
