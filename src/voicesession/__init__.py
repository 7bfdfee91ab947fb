"""
The durable session layer of a voice app.

>>> import voicesession
>>> voice = voicesession.open("memory://")

Importing the package loads none of its parts: each name below is fetched from its own
module when it is first used, so that a worker that only reads sessions never pays for
pydantic, a driver or a speech engine.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from .core.accounts import Limit as Limit
    from .core.admission import AdmissionPolicy as AdmissionPolicy
    from .core.audio import AudioFormat as AudioFormat, Encoding as Encoding
    from .core.deadlines import LifePolicy as LifePolicy
    from .core.errors import (
        AccessDenied as AccessDenied,
        BudgetExhausted as BudgetExhausted,
        DeadlineExceeded as DeadlineExceeded,
        Draining as Draining,
        InvalidConfig as InvalidConfig,
        InvalidState as InvalidState,
        InvalidValue as InvalidValue,
        LeaseLost as LeaseLost,
        ProviderBusy as ProviderBusy,
        ProviderError as ProviderError,
        ProviderUnavailable as ProviderUnavailable,
        QuotaExceeded as QuotaExceeded,
        RecordingFailed as RecordingFailed,
        SessionAlreadyActive as SessionAlreadyActive,
        SessionExists as SessionExists,
        SessionExpired as SessionExpired,
        SessionNotActive as SessionNotActive,
        SessionNotFound as SessionNotFound,
        StoreError as StoreError,
        StoreTimeout as StoreTimeout,
        StoreUnavailable as StoreUnavailable,
        TemplateNotFound as TemplateNotFound,
        VersionConflict as VersionConflict,
        VoiceSessionError as VoiceSessionError,
        WrongEventLoop as WrongEventLoop,
        WrongThread as WrongThread,
    )
    from .core.floor.config import FloorConfig as FloorConfig
    from .core.journal import JournalEntry as JournalEntry, replay as replay
    from .core.life import apply as apply, reactions as reactions
    from .core.price import Money as Money
    from .core.session import Session as Session
    from .core.states import (
        EndReason as EndReason,
        PauseReason as PauseReason,
        SessionState as SessionState,
        SessionStatus as SessionStatus,
        TurnState as TurnState,
    )
    from .core.timeline import Track as Track
    from .core.transcript import Transcript as Transcript
    from .core.utterance import Speaker as Speaker, Utterance as Utterance, Word as Word
    from .ports.agent import HangUp as HangUp, Prompt as Prompt
    from .runtime.budget_policy import BudgetPolicy as BudgetPolicy
    from .runtime.handle import SessionHandle as SessionHandle
    from .runtime.live import VoiceSession as VoiceSession
    from .runtime.manager import SessionManager as SessionManager
    from .runtime.pipeline import Pipeline as Pipeline, SessionConfig as SessionConfig
    from .wiring import open as open  # noqa: A004 - `voicesession.open` is its name
    from .wiring.alone import alone as alone

_HOME_OF: Final = {
    name: module
    for module, names in {
        "core.accounts": ("Limit",),
        "core.admission": ("AdmissionPolicy",),
        "core.audio": ("AudioFormat", "Encoding"),
        "core.deadlines": ("LifePolicy",),
        "core.errors": (
            "AccessDenied",
            "BudgetExhausted",
            "DeadlineExceeded",
            "Draining",
            "InvalidConfig",
            "InvalidState",
            "InvalidValue",
            "LeaseLost",
            "ProviderBusy",
            "ProviderError",
            "ProviderUnavailable",
            "QuotaExceeded",
            "RecordingFailed",
            "SessionAlreadyActive",
            "SessionExists",
            "SessionExpired",
            "SessionNotActive",
            "SessionNotFound",
            "StoreError",
            "StoreTimeout",
            "StoreUnavailable",
            "TemplateNotFound",
            "VersionConflict",
            "VoiceSessionError",
            "WrongEventLoop",
            "WrongThread",
        ),
        "core.floor.config": ("FloorConfig",),
        "core.journal": ("JournalEntry", "replay"),
        "core.life": ("apply", "reactions"),
        "core.price": ("Money",),
        "core.session": ("Session",),
        "core.states": ("EndReason", "PauseReason", "SessionState", "SessionStatus", "TurnState"),
        "core.timeline": ("Track",),
        "core.transcript": ("Transcript",),
        "core.utterance": ("Speaker", "Utterance", "Word"),
        "ports.agent": ("HangUp", "Prompt"),
        "runtime.budget_policy": ("BudgetPolicy",),
        "runtime.handle": ("SessionHandle",),
        "runtime.live": ("VoiceSession",),
        "runtime.manager": ("SessionManager",),
        "runtime.pipeline": ("Pipeline", "SessionConfig"),
        "wiring": ("open",),
        "wiring.alone": ("alone",),
    }.items()
    for name in names
}

# One list of names is enough; a test holds the imports above equal to it.
__all__ = tuple(sorted(_HOME_OF))  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{home}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
