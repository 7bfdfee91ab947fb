"""
Who may open another session, decided in the transaction that stores it.

Whoever opens one locks the account that its quota is for, as whoever books in it does, and only
then counts: so of many at once each one sees all that came before, and no quota is passed.
"""

from __future__ import annotations

from ...core.admission import OpenSessions, admit, counted_for
from ...ports.storage import Change
from .database import Script
from .ledger import locked
from .lists import COUNT_OPEN

__all__ = ("admitted",)


def admitted(change: Change) -> Script[None]:
    """Do nothing if the new session of *change* may be opened.

    Raises:
        QuotaExceeded: The user's or the tenant's quota is full.
    """
    session, policy = change.session, change.admission
    if policy is None or not (accounts := counted_for(policy, session.tenant_id, session.user_id)):
        return
    yield from locked(accounts)
    (counted,) = yield COUNT_OPEN, {"of_tenant": session.tenant_id, "of_user": session.user_id}
    admit(policy, OpenSessions(of_user=counted["of_user"], of_tenant=counted["of_all"]))
