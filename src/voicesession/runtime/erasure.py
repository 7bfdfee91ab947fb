"""How a session is deleted for good: first its files, then its rows, and a tombstone stays."""

from __future__ import annotations

import hashlib

from ..core.errors import AccessDenied
from ..core.identity import shortened
from ..core.session import Session
from ..ports.scope import Scope
from ..ports.storage import Tombstone
from .ending import delete_results
from .services import Services

__all__ = ("erase",)


async def erase(services: Services, session: Session, *, by: str | None, reason: str) -> None:
    """Remove everything of a session that is over: audio, transcript, words, journal, row.

    The files go first, and the row that knows of them last: what is interrupted in between
    can be done again.

    Raises:
        AccessDenied: It is under a legal hold; nothing was removed.
        RecordingFailed: Audio could not be removed; the row is still there.
        StoreError: Something else could not be removed; the same holds.
    """
    if session.legal_hold:
        raise AccessDenied(f"session …{shortened(session.id)} is under a legal hold")
    await delete_results(services, session)
    await services.storage.ledger.release_session(session.tenant_id, session.id)
    tombstone = Tombstone(
        tenant_id=session.tenant_id,
        session_hash=hashlib.sha256(session.id.encode()).hexdigest(),
        deleted_at=services.clock.now(),
        deleted_by=by,
        reason=reason,
    )
    scope = Scope(session.tenant_id)
    await services.storage.sessions.delete(session.id, scope, tombstone=tombstone)
