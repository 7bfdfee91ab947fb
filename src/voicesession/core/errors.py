"""
Every exception this library raises on purpose.

* VoiceSessionError             internal_error
    * InvalidValue              invalid_value           a value the caller gave is not allowed
        * InvalidConfig         invalid_config          a setting is not allowed
    * InvalidState              invalid_state           the event is not legal in this state
    * SessionAlreadyActive      session_already_active  it is started, or another worker runs it
    * SessionNotActive          session_not_active      it is not started, or over
    * SessionExpired            session_expired         its time to live or idle time has passed
    * DeadlineExceeded          timeout                 an operation took too long
    * BudgetExhausted           budget_exhausted        nothing is left to spend
    * QuotaExceeded             quota_exceeded          too many sessions at once
    * Draining                  draining                this worker is leaving; ask another
    * AccessDenied              access_denied           the caller may not do this
    * StoreError                store_failed            a store could not do what it was asked
        * SessionNotFound       session_not_found       no such session in the caller's scope
        * SessionExists         session_exists          the id is taken
        * TemplateNotFound      template_not_found      no such template in the caller's scope
        * VersionConflict       version_conflict        someone else wrote first; reload
        * LeaseLost             lease_lost              another worker owns the session now
        * StoreUnavailable      store_unavailable       the medium does not answer
            * StoreTimeout      store_timeout           no answer in time: the write is *unknown*
    * ProviderError             provider_failed         a speech engine or agent failed
        * ProviderUnavailable   provider_unavailable    the same call may work later
            * ProviderBusy      provider_busy           too many calls; it may say until when
    * RecordingFailed           recording_failed        audio could not be kept
    * WrongEventLoop            wrong_event_loop        the adapter does not run on this async library
    * WrongThread               wrong_thread            the call came from a foreign thread

``code`` is stable and goes on the wire; ``retryable`` says whether the same call may
succeed if it is made again. Each error carries everything in ``args``, so it pickles.
HTTP statuses and close codes are not here: they belong to ``voicesession.web``.
"""

from __future__ import annotations

from typing import ClassVar

__all__ = (
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
)


class VoiceSessionError(Exception):
    """Base of everything raised on purpose.

    Attributes:
        code: Stable machine-readable name; safe to put on the wire.
        retryable: Whether the same call may succeed if it is made again.
    """

    code: ClassVar[str] = "internal_error"
    retryable: ClassVar[bool] = False


class InvalidValue(VoiceSessionError, ValueError):
    """A value the caller gave is not allowed."""

    code = "invalid_value"

    def __init__(self, field: str, value: object, allowed: str) -> None:
        super().__init__(field, value, allowed)
        self.field = field
        self.value = value
        self.allowed = allowed

    def __str__(self) -> str:
        return f"{self.field} is {_shortened(self.value)}; allowed: {self.allowed}"


class InvalidConfig(InvalidValue):
    """A setting is not allowed, so nothing was started."""

    code = "invalid_config"


class InvalidState(VoiceSessionError):
    """The event is not legal in the session's present state."""

    code = "invalid_state"

    def __init__(self, state: str, event: str, allowed: tuple[str, ...]) -> None:
        super().__init__(state, event, allowed)
        self.state = state
        self.event = event
        self.allowed = allowed

    def __str__(self) -> str:
        options = ", ".join(self.allowed) or "nothing: the state is terminal"
        return f"{self.event} is not allowed when {self.state} (allowed: {options})"


class SessionAlreadyActive(VoiceSessionError):
    """The session is started already, here or on another worker."""

    code = "session_already_active"


class SessionNotActive(VoiceSessionError):
    """The session has not been started, or it is over."""

    code = "session_not_active"


class SessionExpired(VoiceSessionError):
    """The session's idle time or time to live has passed."""

    code = "session_expired"


class DeadlineExceeded(VoiceSessionError):
    """An operation did not finish within its deadline."""

    code = "timeout"
    retryable = True


class BudgetExhausted(VoiceSessionError):
    """Nothing is left to spend; raise the limit, or wait for the next window."""

    code = "budget_exhausted"


class QuotaExceeded(VoiceSessionError):
    """Too many sessions are open at once; end one, or try again later."""

    code = "quota_exceeded"
    retryable = True


class Draining(VoiceSessionError):
    """The worker takes no new sessions, because it is leaving; another one will."""

    code = "draining"
    retryable = True


class AccessDenied(VoiceSessionError):
    """The caller is known but may not do this."""

    code = "access_denied"


class StoreError(VoiceSessionError):
    """A store could not do what it was asked."""

    code = "store_failed"


class SessionNotFound(StoreError):
    """There is no such session in the caller's scope."""

    code = "session_not_found"

    def __init__(self, session_id: str) -> None:
        super().__init__(session_id)
        self.session_id = session_id

    def __str__(self) -> str:
        return f"there is no session {self.session_id}"


class SessionExists(StoreError):
    """The id of a new session is taken."""

    code = "session_exists"

    def __init__(self, session_id: str) -> None:
        super().__init__(session_id)
        self.session_id = session_id

    def __str__(self) -> str:
        return f"the session id {self.session_id} is taken"


class TemplateNotFound(StoreError):
    """There is no such template in the caller's scope."""

    code = "template_not_found"

    def __init__(self, template_id: str) -> None:
        super().__init__(template_id)
        self.template_id = template_id

    def __str__(self) -> str:
        return f"there is no template {self.template_id}"


class VersionConflict(StoreError):
    """The stored session is not the one the caller read; load it and try again."""

    code = "version_conflict"
    retryable = True

    def __init__(self, session_id: str, expected_seq: int) -> None:
        super().__init__(session_id, expected_seq)
        self.session_id = session_id
        self.expected_seq = expected_seq

    def __str__(self) -> str:
        return f"session {self.session_id} is no longer at seq {self.expected_seq}"


class LeaseLost(StoreError):
    """Another worker owns the session now; this one must stop."""

    code = "lease_lost"

    def __init__(self, session_id: str, epoch: int) -> None:
        super().__init__(session_id, epoch)
        self.session_id = session_id
        self.epoch = epoch

    def __str__(self) -> str:
        return f"the lease of session {self.session_id} with epoch {self.epoch} is lost"


class StoreUnavailable(StoreError):
    """The medium does not answer, or refuses for now; nothing was written."""

    code = "store_unavailable"
    retryable = True


class StoreTimeout(StoreUnavailable):
    """No answer in time. The write may or may not have happened."""

    code = "store_timeout"


class ProviderError(VoiceSessionError):
    """A speech engine or an agent failed in a way that will not pass by itself."""

    code = "provider_failed"

    def __init__(self, provider: str, problem: str) -> None:
        super().__init__(provider, problem)
        self.provider = provider
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.provider}: {self.problem}"


class ProviderUnavailable(ProviderError):
    """A speech engine or an agent failed for now; the same call may work later."""

    code = "provider_unavailable"
    retryable = True


class ProviderBusy(ProviderUnavailable):
    """A provider takes no more calls for now: a rate limit, or a quota of its own.

    Attributes:
        retry_after_us: How long it asks to be left alone, in microseconds; None if it does
            not say.
    """

    code = "provider_busy"

    def __init__(self, provider: str, problem: str, retry_after_us: int | None = None) -> None:
        super().__init__(provider, problem)
        self.args = (provider, problem, retry_after_us)  # so that it crosses processes whole
        self.retry_after_us = retry_after_us


class RecordingFailed(VoiceSessionError):
    """Audio could not be kept; what was written before is still there."""

    code = "recording_failed"


class WrongEventLoop(VoiceSessionError):
    """An adapter for asyncio only was used under another async library."""

    code = "wrong_event_loop"


class WrongThread(VoiceSessionError):
    """A session was called from a thread that does not run its event loop."""

    code = "wrong_thread"


_LONGEST_VALUE_SHOWN = 80


def _shortened(value: object) -> str:
    try:
        text = repr(value)
    except ValueError:  # an integer of thousands of digits refuses to be written down
        text = f"a very large {type(value).__name__}"
    return text if len(text) <= _LONGEST_VALUE_SHOWN else text[: _LONGEST_VALUE_SHOWN - 1] + "…"
