from __future__ import annotations

import copy
import inspect
import pickle
import re
from collections.abc import Iterator

import pytest
from hypothesis import given, strategies as st

from voicesession.core import errors
from voicesession.core.errors import (
    InvalidConfig,
    InvalidState,
    InvalidValue,
    LeaseLost,
    ProviderBusy,
    ProviderError,
    ProviderUnavailable,
    SessionExists,
    SessionNotFound,
    VersionConflict,
    VoiceSessionError,
)

# Codes go on the wire and clients decide by them: change this text only with a major version.
GOLDEN = """
AccessDenied            access_denied
BudgetExhausted         budget_exhausted
DeadlineExceeded        timeout                  retryable
Draining                draining                 retryable
InvalidConfig           invalid_config
InvalidState            invalid_state
InvalidValue            invalid_value
LeaseLost               lease_lost
ProviderBusy            provider_busy            retryable
ProviderError           provider_failed
ProviderUnavailable     provider_unavailable     retryable
QuotaExceeded           quota_exceeded           retryable
RecordingFailed         recording_failed
SessionAlreadyActive    session_already_active
SessionExists           session_exists
SessionExpired          session_expired
SessionNotActive        session_not_active
SessionNotFound         session_not_found
StoreError              store_failed
StoreTimeout            store_timeout            retryable
StoreUnavailable        store_unavailable        retryable
TemplateNotFound        template_not_found
VersionConflict         version_conflict         retryable
VoiceSessionError       internal_error
WrongEventLoop          wrong_event_loop
WrongThread             wrong_thread
"""

SAMPLES = {
    "field": "sample_rate",
    "value": 7,
    "allowed": "8000 to 48000",
    "state": "PAUSED",
    "event": "ConnectRequested",
    "session_id": "sess_1",
    "template_id": "tmpl_1",
    "expected_seq": 3,
    "epoch": 2,
    "provider": "deepgram",
    "problem": "no answer",
    "retry_after_us": 2_000_000,
}


def _every_class() -> list[type[VoiceSessionError]]:
    return [getattr(errors, name) for name in errors.__all__]


def _a(kind: type[VoiceSessionError]) -> VoiceSessionError:
    if "__init__" not in vars(kind) and kind.__init__ is Exception.__init__:
        return kind("what went wrong")
    names = list(inspect.signature(kind).parameters)
    if names == ["args", "kwargs"]:
        return kind("what went wrong")
    return kind(*(SAMPLES[name] for name in names))


def _tree(kind: type[VoiceSessionError], depth: int = 0) -> Iterator[tuple[int, str, str]]:
    yield depth, kind.__name__, kind.code
    for child in kind.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from _tree(child, depth + 1)


def test_codes_and_whether_to_try_again_are_as_they_were_released() -> None:
    said = {line.split()[0]: line.split()[1:] for line in GOLDEN.strip().splitlines()}
    now = {
        kind.__name__: [kind.code, *(["retryable"] if kind.retryable else [])]
        for kind in _every_class()
    }
    assert now == said


def test_no_two_errors_share_a_code() -> None:
    codes = [kind.code for kind in _every_class()]
    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch(r"[a-z_]+", code) for code in codes)


def test_the_tree_in_the_docstring_is_the_tree_of_the_classes() -> None:
    drawn = re.findall(r"^( *)\* (\w+) +(\w+)", errors.__doc__ or "", flags=re.MULTILINE)
    assert [(len(indent) // 4, name, code) for indent, name, code in drawn] == list(
        _tree(VoiceSessionError)
    )


def test_every_error_of_the_module_is_public() -> None:
    assert {name for _, name, _ in _tree(VoiceSessionError)} == set(errors.__all__)


@pytest.mark.parametrize("kind", _every_class())
def test_an_error_crosses_a_process_boundary_and_says_the_same_there(
    kind: type[VoiceSessionError],
) -> None:
    error = _a(kind)
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error)):  # noqa: S301  # our own bytes
        assert type(twin) is kind
        assert twin.args == error.args
        assert vars(twin) == vars(error)
        assert str(twin) == str(error) != ""


def test_a_refused_value_is_named_with_what_would_be_allowed() -> None:
    error = InvalidValue("sample_rate", 7, "8000 to 48000")
    assert str(error) == "sample_rate is 7; allowed: 8000 to 48000"
    assert (error.field, error.value, error.allowed) == ("sample_rate", 7, "8000 to 48000")
    assert isinstance(error, ValueError)
    assert issubclass(InvalidConfig, InvalidValue)


@given(st.text(max_size=300))
def test_a_long_value_is_shown_by_its_beginning(value: str) -> None:
    shown = str(InvalidValue("f", value, "a")).removeprefix("f is ").removesuffix("; allowed: a")
    assert len(shown) <= 80
    assert shown == repr(value) if len(repr(value)) <= 80 else shown == repr(value)[:79] + "…"


def test_a_refused_event_is_named_with_what_may_happen_instead() -> None:
    error = InvalidState("LIVE", "ConnectRequested", ("PauseRequested", "EndRequested"))
    assert str(error) == (
        "ConnectRequested is not allowed when LIVE (allowed: PauseRequested, EndRequested)"
    )
    assert (error.state, error.event) == ("LIVE", "ConnectRequested")
    assert error.allowed == ("PauseRequested", "EndRequested")


def test_where_nothing_may_happen_any_more_the_error_says_so() -> None:
    assert str(InvalidState("ENDED", "PauseRequested", ())) == (
        "PauseRequested is not allowed when ENDED (allowed: nothing: the state is terminal)"
    )


def test_errors_about_one_session_name_it() -> None:
    assert str(SessionNotFound("s1")) == "there is no session s1"
    assert str(SessionExists("s1")) == "the session id s1 is taken"
    assert str(VersionConflict("s1", 4)) == "session s1 is no longer at seq 4"
    assert str(LeaseLost("s1", 2)) == "the lease of session s1 with epoch 2 is lost"
    assert SessionNotFound("s1").session_id == SessionExists("s1").session_id == "s1"
    assert (VersionConflict("s1", 4).session_id, VersionConflict("s1", 4).expected_seq) == ("s1", 4)
    assert (LeaseLost("s1", 2).session_id, LeaseLost("s1", 2).epoch) == ("s1", 2)


def test_errors_of_a_provider_name_it() -> None:
    error = ProviderUnavailable("deepgram", "no answer")
    assert str(error) == "deepgram: no answer"
    assert (error.provider, error.problem) == ("deepgram", "no answer")
    assert isinstance(error, ProviderError)


def test_a_busy_provider_may_say_for_how_long() -> None:
    assert ProviderBusy("openai", "429", 1_500_000).retry_after_us == 1_500_000
    assert ProviderBusy("openai", "429").retry_after_us is None
    assert str(ProviderBusy("openai", "429", 7)) == "openai: 429"
    assert isinstance(ProviderBusy("openai", "429"), ProviderUnavailable)


def test_a_number_too_long_to_be_written_down_is_told_all_the_same() -> None:
    assert str(InvalidValue("seq", 10**5_000, "less")) == "seq is a very large int; allowed: less"


@pytest.mark.parametrize(("length", "shown"), [(78, 80), (79, 80), (500, 80), (3, 5)])
def test_up_to_eighty_characters_of_a_value_are_shown(length: int, shown: int) -> None:
    text = str(InvalidValue("f", "x" * length, "a")).split(" is ")[1].split("; allowed")[0]
    assert len(text) == shown
    assert text.endswith("…") is (length > 78)
