"""
The server's no, as the errors that the library raises everywhere.

What the server tells is a code and a sentence. The code names the class. Some classes keep
values besides; those are read back from the sentence, and where another version of the server
has worded it differently, the class is still the right one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

from ..core import errors
from ..core.errors import VoiceSessionError
from ..schemas.problems import Problem
from ..schemas.refusals import (
    IdempotencyConflict,
    MethodNotAllowed,
    NotFound,
    RangeNotSatisfiable,
    RateLimited,
    RequestTimeout,
    TooLarge,
    Unauthenticated,
)

__all__ = (
    "CODES",
    "IdempotencyConflict",
    "MethodNotAllowed",
    "NotFound",
    "RangeNotSatisfiable",
    "RateLimited",
    "RequestTimeout",
    "TooLarge",
    "Unauthenticated",
    "Unreachable",
    "error_of",
    "error_of_problem",
)


class Unreachable(VoiceSessionError):
    """The server was not reached, fell silent, or broke off; what was asked may have happened."""

    code = "unreachable"
    retryable = True


_Reader: TypeAlias = Callable[[str], VoiceSessionError]

_STATE: Final = re.compile(r"(?P<event>.+) is not allowed when (?P<state>\S+) \(allowed: (.*)\)")
_CONFLICT: Final = re.compile(r"session (.+) is no longer at seq (\d+)")
_LAST_WORD: Final = re.compile(r"(\S+)(?: is taken)?$")
_ALLOWED: Final = re.compile(r"(.*?) is not allowed; allowed: (.*)", re.DOTALL)
_NOTHING: Final = "nothing: the state is terminal"


def _value(kind: type[errors.InvalidValue]) -> _Reader:
    def read(told: str) -> VoiceSessionError:
        found = _ALLOWED.fullmatch(told)
        field, allowed = found.groups() if found else ("request", told)
        return kind(field, "what was sent", allowed)

    return read


def _state(told: str) -> VoiceSessionError:
    found = _STATE.fullmatch(told)
    if found is None:
        return errors.InvalidState("its present state", told, ())
    allowed = () if found[3] == _NOTHING else tuple(found[3].split(", "))
    return errors.InvalidState(found["state"], found["event"], allowed)


def _named(kind: Callable[[str], VoiceSessionError]) -> _Reader:
    def read(told: str) -> VoiceSessionError:
        found = _LAST_WORD.search(told)
        return kind(found[1] if found else told)

    return read


def _conflict(told: str) -> VoiceSessionError:
    found = _CONFLICT.fullmatch(told)
    return errors.VersionConflict(*((found[1], int(found[2])) if found else (told, 0)))


def _counting(kind: Callable[[int | None], VoiceSessionError], words: str) -> _Reader:
    sentence = re.compile(re.escape(words).replace(r"\{\}", r"(\d{1,15})"))

    def read(told: str) -> VoiceSessionError:
        found = sentence.fullmatch(told)
        return kind(int(found[1]) if found else None)

    return read


def _provider(kind: type[errors.ProviderError]) -> _Reader:
    # Which one, and how, is kept by the server: it names machines and accounts.
    return lambda told: kind("server", told)


CODES: Final[Mapping[str, _Reader]] = MappingProxyType(
    {
        kind.code: kind
        for kind in (
            VoiceSessionError,
            errors.AccessDenied,
            errors.BudgetExhausted,
            errors.DeadlineExceeded,
            errors.Draining,
            errors.QuotaExceeded,
            errors.RecordingFailed,
            errors.SessionAlreadyActive,
            errors.SessionExpired,
            errors.SessionNotActive,
            errors.StoreTimeout,
            errors.StoreUnavailable,
            IdempotencyConflict,
            MethodNotAllowed,
            NotFound,
            RequestTimeout,
            TooLarge,
            Unauthenticated,
        )
    }
    | {
        "invalid_value": _value(errors.InvalidValue),
        "invalid_config": _value(errors.InvalidConfig),
        "invalid_state": _state,
        "session_not_found": _named(errors.SessionNotFound),
        "session_exists": _named(errors.SessionExists),
        "template_not_found": _named(errors.TemplateNotFound),
        "version_conflict": _conflict,
        "range_not_satisfiable": _counting(RangeNotSatisfiable, "the file has {} bytes"),
        "rate_limited": _counting(RateLimited, "call again in {} s"),
        # The session runs elsewhere: for a client that is all there is to a lease.
        "lease_lost": errors.SessionAlreadyActive,
        "provider_failed": _provider(errors.ProviderError),
        "provider_unavailable": _provider(errors.ProviderUnavailable),
        "provider_busy": _provider(errors.ProviderBusy),
    }
)
"""From a code that a server tells to the error."""


def error_of(code: str, told: str) -> VoiceSessionError:
    """Return the error that a server means by *code*, in its own words."""
    return CODES.get(code, VoiceSessionError)(told)


def error_of_problem(problem: Problem) -> VoiceSessionError:
    """Return the error that an HTTP answer tells of."""
    return error_of(problem.code, problem.detail)
