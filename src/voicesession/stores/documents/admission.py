"""
Who may open another session, decided in the batch that stores it.

Everybody who has a quota has a *gate*, a document that each new session of theirs passes: it is
read before the open sessions are counted, and written along with the new one. So of two that have
counted the same sessions one finds the gate changed, and counts again; and no quota is passed.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...core.admission import OpenSessions, admit, counted_for
from ...ports.documents import ABSENT, DocumentDriver, Put
from ...ports.storage import Change
from . import layout

__all__ = ("gates_of",)


async def gates_of(driver: DocumentDriver, change: Change) -> Sequence[Put]:
    """Return what has to be written with the new session of *change*, if it may be opened.

    Raises:
        QuotaExceeded: The user's or the tenant's quota is full.
    """
    session, policy = change.session, change.admission
    if policy is None or not (accounts := counted_for(policy, session.tenant_id, session.user_id)):
        return ()
    keys = [layout.gate_key(a.tenant_id, a.scope, a.id) for a in accounts]
    gates = await driver.get(keys)
    equal = {"tenant_id": session.tenant_id, "is_open": True}
    of_user = of_tenant = 0
    if policy.per_user is not None:
        of_user = await driver.count(layout.OPEN_OF_USER, {**equal, "user_id": session.user_id})
    if policy.per_tenant is not None:
        of_tenant = await driver.count(layout.OPEN_OF_TENANT, equal)
    admit(policy, OpenSessions(of_user=of_user, of_tenant=of_tenant))
    return [
        Put(key, {"tenant_id": session.tenant_id, "passed": 1}, ABSENT)
        if gate is None
        else Put(key, {**gate.body, "passed": gate.body["passed"] + 1}, gate.revision)
        for key, gate in zip(keys, gates, strict=True)
    ]
