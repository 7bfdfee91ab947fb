"""
The composition root: the one place that knows ports and adapters, and joins them.

URLs choose the parts. An adapter's module is imported only when its scheme is asked for,
so nobody pays for a driver that they do not use.
"""

from __future__ import annotations

import os
import socket
from datetime import timedelta
from typing import TypedDict, Unpack

from ..core.admission import AdmissionPolicy
from ..core.deadlines import LifePolicy
from ..core.identity import DEFAULT_TENANT
from ..ports.clock import Clock
from ..ports.prices import PriceBook
from ..ports.rooms import RoomService
from ..runtime.budget_policy import BudgetPolicy
from ..runtime.clock import SystemClock
from ..runtime.manager import SessionManager
from ..runtime.parameters import SessionParameters
from ..runtime.services import Services
from ..runtime.telemetry import Telemetry
from .recordings import CHECKPOINT, recording_at
from .stores import storage_at

__all__ = ("Options", "open")


class Options(TypedDict, total=False):
    """What a host may choose beside the places; each has a default.

    ``clock`` is the system's, unless time is turned by hand. ``life`` says how long a session
    may take for what, ``admission`` how many may be open at once, ``budgets`` what a session
    does when a budget is used up, and ``lease`` for how long a worker that is not heard of keeps
    its sessions. ``prices`` knows what engines cost, such as `voicesession.pricing.prices` does;
    without it no money is counted. ``telemetry`` tells other providers of OpenTelemetry than the
    global ones. ``defaults`` are the parameters of a new session for which neither its template
    nor its caller says anything. ``rooms`` lets callers into rooms that another server runs:
    `voicesession.integrations.livekit.LiveKitRooms`.
    """

    clock: Clock
    life: LifePolicy
    admission: AdmissionPolicy
    budgets: BudgetPolicy
    prices: PriceBook
    lease: timedelta
    telemetry: Telemetry
    defaults: SessionParameters
    rooms: RoomService


def open(  # noqa: A001 - `voicesession.open` reads like what it does
    store: str = "memory://",
    *,
    recordings: str | os.PathLike[str] | None = None,
    tenant_id: str = DEFAULT_TENANT,
    checkpoint: timedelta = CHECKPOINT,
    **options: Unpack[Options],
) -> SessionManager:
    """Return a manager of the sessions in *store*; nothing is opened before ``async with``.

    Args:
        store: ``memory://``, ``sqlite:///file.db`` (``sqlite:////abs/file.db``),
            ``postgresql://…``, ``redis://…`` (with ``?ttl_after_end_days=40`` the server
            forgets ended sessions by itself), ``firestore://project/database``, or what
            another package has added; see `voicesession.wiring.stores`.
        recordings: Where audio and transcripts are kept: a folder, as a path or a
            ``file:///`` URL, or ``s3://bucket/prefix``; None keeps neither. See
            `voicesession.wiring.recordings`.
        tenant_id: Whose sessions; other tenants by ``for_tenant``.
        checkpoint: How often a recording is shipped to a bucket, 5 seconds or more.
        options: See `Options`.

    Raises:
        InvalidConfig: A URL names no part that there is, or an extra is not installed.
    """
    clock = options.setdefault("clock", SystemClock())
    kept = recording_at(recordings, clock, checkpoint=checkpoint)
    return SessionManager(
        Services(
            storage=storage_at(store),
            recorder=kept.recorder,
            objects=kept.objects,
            tenant_folders=kept.tenant_folders,
            worker_id=f"{socket.gethostname()}:{os.getpid()}",
            **options,
        ),
        tenant_id=tenant_id,
    )
