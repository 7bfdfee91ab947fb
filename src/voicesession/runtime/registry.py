"""The records of one tenant, for whoever does not run the sessions: made, read, taken over."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ..core.accounts import Account, Limit, Scope as Payer
from ..core.deadlines import next_look
from ..core.errors import (
    InvalidState,
    QuotaExceeded,
    SessionExpired,
    SessionNotActive,
    SessionNotFound,
)
from ..core.events import ConnectRequested, EndRequested
from ..core.identity import SessionId, TenantId
from ..core.journal import JournalEntry
from ..core.life import apply
from ..core.metadata import metadata_json
from ..core.meters import Meter
from ..core.session import Session
from ..core.snapshots import changed
from ..core.states import EndReason, SessionState
from ..core.templates import SessionTemplate, TemplateId, session_defaults
from ..core.windows import Window
from ..ports.storage import Change, Scope
from .orphans import Orphans
from .ownership import Ownership
from .record import SessionRecord
from .services import Services

__all__ = ("Registry",)


class Registry:
    """What can be done to a stored session without a lease, and how to get one."""

    def __init__(self, services: Services, scope: Scope, orphans: Orphans) -> None:
        self._services = services
        self._orphans = orphans
        self._sessions = services.storage.sessions
        self._scope = scope

    async def create(
        self, parameters: dict[str, Any], tenant_id: TenantId, *, at: datetime | None = None
    ) -> Session:
        """Store a new session in CONNECTING, if the quota allows it.

        Args:
            at: When it begins; now unless somebody has said so already.
        """
        template = await self._template_of(parameters)
        of_template = {} if template is None else session_defaults(template)
        parameters = {**self._services.defaults, **of_template, **parameters}
        new = await self._new_session(parameters, tenant_id, at or self._services.clock.now())
        event = ConnectRequested(at=new.created_at)
        session = apply(new, event)
        session = changed(session, deadline_at=next_look(session, self._services.life))
        entry = JournalEntry(session.seq, event)
        change = Change(
            session=session,
            expected_seq=None,
            entries=(entry,),
            admission=self._services.admission,
        )
        audio_us = None if template is None else template.audio_budget_us
        await self._store(change, None if audio_us is None else _limit_of(session, audio_us))
        self._services.telemetry.changed(new, session)
        return session

    async def load(self, session_id: str) -> SessionRecord:
        """Return the record, after what time has brought about if nobody looks after it."""
        session = await self._sessions.load(SessionId(session_id), self._scope)
        record = SessionRecord(self._sessions, session, policy=self._services.life)
        if session.worker_id is None:
            await self._orphans.pass_time(record)
        return record

    async def end(self, record: SessionRecord, event: EndRequested) -> Session:
        """End a session that this worker does not run.

        If another one does, its owner makes the files as soon as it learns of this; should
        that worker be lost, whoever sweeps does it a lease later.
        """
        try:
            if record.session.worker_id is None:
                return await self._orphans.end(record, event)
            look_again = self._services.clock.now() + self._services.lease
            return await record.apply(event, deadline_at=look_again)
        except InvalidState:
            if record.session.state is not SessionState.ENDED:
                raise
            return record.session  # somebody else ended it meanwhile

    async def take(self, session_id: str) -> Ownership:
        """Make this worker the owner of a session that goes on.

        Raises:
            SessionExpired: Its time is over.
            SessionNotActive: It has ended.
        """
        session = (await self.load(session_id)).session
        if session.end_reason is EndReason.EXPIRED:
            raise SessionExpired(f"session {session_id} expired at {session.ended_at}")
        if session.state is SessionState.ENDED:
            raise SessionNotActive(f"session {session_id} is over: {session.status}")
        lease = await self._sessions.take_lease(
            session.id,
            self._scope,
            worker_id=self._services.worker_id,
            duration=self._services.lease,
        )
        is_torn = session.worker_id not in {None, self._services.worker_id}
        if session.worker_id is not None or lease.epoch != session.epoch + 1:
            # Until the lease was ours, its last owner may have written.
            session = await self._sessions.load(session.id, self._scope)
        return Ownership(self._services, session, lease, is_torn=is_torn)

    async def _new_session(
        self, parameters: dict[str, Any], tenant_id: TenantId, now: datetime
    ) -> Session:
        given = parameters.pop("session_id", None)
        previous = parameters.pop("resume_session_id", None)
        if "metadata" in parameters:
            parameters["metadata_json"] = metadata_json(parameters.pop("metadata"))
        if previous is not None:
            earlier = await self._sessions.load(SessionId(previous), self._scope)
            if earlier.user_id != parameters.get("user_id"):
                raise SessionNotFound(previous)
        return Session(
            id=self._services.new_session_id() if given is None else SessionId(given),
            tenant_id=tenant_id,
            created_at=now,
            updated_at=now,
            state_since=now,
            last_activity_at=now,
            previous_session_id=previous,
            **parameters,
        )

    async def _template_of(self, parameters: dict[str, Any]) -> SessionTemplate | None:
        template_id = parameters.get("session_template_id")
        if template_id is None:
            return None
        return await self._services.storage.templates.get(TemplateId(template_id), self._scope)

    async def _store(self, change: Change, limit: Limit | None) -> None:
        """Store a new session, with its own limit if it has one."""
        if limit is None:
            await self._sessions.commit(change)
            return
        ledger = self._services.storage.ledger
        # Before the session is there, so that it never is without its limit.
        await ledger.set_limit(limit, at=change.session.created_at)
        try:
            await self._sessions.commit(change)
        except QuotaExceeded:
            await ledger.drop_limit(limit.account, limit.meter, limit.window)
            raise


def _limit_of(session: Session, audio_us: int) -> Limit:
    """Return the limit on what *session* may use in all."""
    return Limit(
        account=Account(Payer.SESSION, session.id, session.tenant_id),
        meter=Meter.AUDIO_US,
        window=Window.SESSION,
        amount=audio_us,
    )
