"""
The composition root: the one place that knows ports and adapters, and joins them.

URLs choose the parts. An adapter's module is imported only when its scheme is asked for,
so nobody pays for a driver that they do not use.
"""

from __future__ import annotations

import os
import socket
from datetime import timedelta

from ..core.admission import AdmissionPolicy
from ..core.deadlines import LifePolicy
from ..core.identity import DEFAULT_TENANT
from ..ports.clock import Clock
from ..runtime.clock import SystemClock
from ..runtime.manager import SessionManager
from ..runtime.services import Services
from .recordings import recording_at
from .stores import storage_at

__all__ = ("open",)


def open(  # noqa: A001 - `voicesession.open` reads like what it does
    store: str = "memory://",
    *,
    recordings: str | os.PathLike[str] | None = None,
    tenant_id: str = DEFAULT_TENANT,
    clock: Clock | None = None,
    life: LifePolicy | None = None,
    admission: AdmissionPolicy | None = None,
    lease: timedelta = timedelta(seconds=15),
) -> SessionManager:
    """Return a manager of the sessions in *store*; nothing is opened before ``async with``.

    Args:
        store: ``memory://``, ``sqlite:///file.db`` (``sqlite:////abs/file.db``),
            ``postgresql://…``, ``redis://…``, ``firestore://project/database``, or what
            another package has added; see `voicesession.wiring.stores`.
        recordings: Where audio and transcripts are kept: a folder, as a path or a
            ``file:///`` URL, or ``s3://bucket/prefix``; None keeps neither. See
            `voicesession.wiring.recordings`.
        tenant_id: Whose sessions; other tenants by ``for_tenant``.
        clock: The system's, unless time is turned by hand.
        life: How long a session may take for what.
        admission: How many sessions may be open at once.
        lease: For how long a worker that is not heard of keeps its sessions.

    Raises:
        InvalidConfig: A URL names no part that there is, or an extra is not installed.
    """
    clock = clock or SystemClock()
    recorder, objects = recording_at(recordings, clock)
    return SessionManager(
        Services(
            storage=storage_at(store),
            recorder=recorder,
            objects=objects,
            clock=clock,
            life=life or LifePolicy(),
            admission=admission or AdmissionPolicy(),
            lease=lease,
            worker_id=f"{socket.gethostname()}:{os.getpid()}",
        ),
        tenant_id=tenant_id,
    )
