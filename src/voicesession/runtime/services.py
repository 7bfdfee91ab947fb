"""What every session of one worker shares: the ports that the host has joined, and the rules."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from attrs import field, frozen

from ..core.accounts import HoldId
from ..core.admission import AdmissionPolicy
from ..core.deadlines import LifePolicy
from ..core.identity import RANDOM_BYTES, SessionId, session_id, utterance_id, uuid7_hex
from ..core.results import SessionFolder
from ..core.session import Session
from ..core.utterance import UtteranceId
from ..ports.clock import Clock
from ..ports.objects import ObjectStore
from ..ports.prices import PriceBook
from ..ports.recording import Recorder
from ..ports.rooms import RoomService
from ..ports.storage import Storage
from .budget_policy import BudgetPolicy
from .clock import SystemClock
from .parameters import SessionParameters
from .telemetry.reporting import Telemetry

__all__ = ("Services",)

_DRAWN_BYTES: Final = 4


@frozen(kw_only=True)
class Services:
    """The parts of one worker.

    Attributes:
        recorder: None where no audio is ever kept.
        objects: Where transcripts are written; None where none are.
        tenant_folders: Whether what is recorded and written lies in a folder of its tenant.
        rooms: Where sessions are started in rooms; None where none are.
        worker_id: Names this process in leases.
        lease: For how long a silent worker keeps its sessions.
        defaults: Parameters of a new session, where neither its template nor its caller says
            anything.
        budgets: What sessions do when a budget is used up.
        prices: What engines cost; None where nobody wants to know.
        telemetry: Where it is told what goes on; the global providers of OpenTelemetry unless
            a host brings its own.
        entropy: Gives random bytes; the system's unless a test wants it repeatable.
    """

    storage: Storage
    worker_id: str
    recorder: Recorder | None = None
    objects: ObjectStore | None = None
    tenant_folders: bool = False
    rooms: RoomService | None = None
    clock: Clock = field(factory=SystemClock)
    life: LifePolicy = field(factory=LifePolicy)
    admission: AdmissionPolicy = field(factory=AdmissionPolicy)
    budgets: BudgetPolicy = field(factory=BudgetPolicy)
    prices: PriceBook | None = None
    lease: timedelta = timedelta(seconds=15)
    defaults: SessionParameters = field(factory=SessionParameters)
    telemetry: Telemetry = field(factory=Telemetry)
    entropy: Callable[[int], bytes] = os.urandom

    def folder_of(self, session: Session) -> SessionFolder:
        """Return where results of *session* go."""
        return SessionFolder(session.id, session.tenant_id if self.tenant_folders else None)

    def recorder_of(self, session: Session) -> Recorder | None:
        """Return what records *session*; None where no audio is ever kept."""
        if self.recorder is None or not self.tenant_folders:
            return self.recorder
        return self.recorder.for_tenant(session.tenant_id)

    def draw(self) -> float:
        """Draw a number evenly from 0 up to 1."""
        return int.from_bytes(self.entropy(_DRAWN_BYTES)) / (1 << 8 * _DRAWN_BYTES)

    def new_session_id(self) -> SessionId:
        """Draw an id for a new session."""
        return session_id(self.clock.now(), self.entropy(RANDOM_BYTES))

    def new_hold_id(self) -> HoldId:
        """Draw an id for something that is held in the ledger."""
        return HoldId(f"hold_{uuid7_hex(self.clock.now(), self.entropy(RANDOM_BYTES))}")

    def new_utterance_id(self) -> UtteranceId:
        """Draw an id for a new utterance."""
        return UtteranceId(utterance_id(self.clock.now(), self.entropy(RANDOM_BYTES)))
