"""How errors are told: each with a status, and none with more than it says."""

from urllib.parse import parse_qsl

import pytest

from voicesession.core import errors
from voicesession.core.errors import InvalidValue, ProviderBusy, VoiceSessionError
from voicesession.schemas.refusals import BadRequest
from voicesession.web.parsing import query_as
from voicesession.web.socket.query import StreamQuery
from voicesession.web.statuses import STATUSES, CloseCode, code_told, problem_of, retry_after_s

HTTP = """
400 invalid_value invalid_config
401 unauthenticated
402 budget_exhausted
403 access_denied
404 not_found session_not_found template_not_found
405 method_not_allowed
408 request_timeout
409 invalid_state session_already_active session_not_active version_conflict
409 session_exists lease_lost idempotency_conflict
410 session_expired
413 too_large
416 range_not_satisfiable
429 quota_exceeded rate_limited
500 internal_error recording_failed
502 provider_failed
503 draining store_unavailable provider_unavailable provider_busy
504 timeout store_timeout
"""
CLOSE_CODES = {1000, 1008, 1009, 1011, 1012, 4400, 4402, 4408, 4409, 4410, 4429}


def below(kind: type[VoiceSessionError]) -> list[type[VoiceSessionError]]:
    return [kind, *[found for child in kind.__subclasses__() for found in below(child)]]


def test_the_table_is_the_one_of_the_protocol() -> None:
    rows = [line.split() for line in HTTP.strip().splitlines()]
    assert {code: told.http for code, told in STATUSES.items()} == {
        code: int(status) for status, *codes in rows for code in codes
    }
    assert {*CloseCode} == CLOSE_CODES


def test_only_faults_of_ours_are_a_500() -> None:
    ours = [kind for kind in below(VoiceSessionError) if kind.__module__.startswith("voicesession")]
    faults = {kind for kind in ours if STATUSES[code_told(kind)].http == 500}
    assert {errors.StoreError, errors.RecordingFailed, errors.WrongThread} <= faults
    said = {errors.InvalidState, errors.SessionNotFound, errors.LeaseLost, errors.DeadlineExceeded}
    assert not faults & said


def test_an_error_that_the_table_does_not_know_is_told_as_the_one_above_it() -> None:
    class Slow(errors.StoreTimeout):
        code = "very_slow"

    assert problem_of(Slow("at 10.0.0.7"))["code"] == "store_timeout"
    assert "10.0.0.7" not in str(problem_of(Slow("at 10.0.0.7")))


def test_a_value_that_was_refused_is_named_and_not_repeated() -> None:
    problem = problem_of(InvalidValue("key_hash", "hunter2", "64 hex digits"))
    assert problem["field"] == "key_hash"
    assert "64 hex digits" in problem["detail"]
    assert "hunter2" not in str(problem)


@pytest.mark.parametrize(
    ("error", "wait_s"),
    [
        (errors.QuotaExceeded("full"), 1),
        (errors.Draining("leaving"), 1),
        (ProviderBusy("stt", "busy", 2_500_000), 3),
        (ProviderBusy("stt", "busy"), 1),
        (errors.SessionNotFound("s"), None),
    ],
)
def test_who_may_come_again_is_told_when(error: Exception, wait_s: int | None) -> None:
    assert retry_after_s(error) == wait_s


@pytest.mark.parametrize(
    ("said", "detail"),
    [
        ("laguage=en", "laguage is not allowed; allowed: only what is documented"),
        ("sample_rate=4000", "sample_rate is not allowed; allowed: greater than or equal to 8000"),
        ("model=", "model is not allowed; allowed: String of at least 1 character"),
        (f"{'x' * 9_000}=", f"{'x' * 80} is not allowed; allowed: only what is documented"),
    ],
)
def test_what_is_wrong_with_a_parameter_is_told_in_our_words_and_in_few(
    said: str, detail: str
) -> None:
    with pytest.raises(BadRequest) as caught:
        query_as(StreamQuery, parse_qsl(said, keep_blank_values=True))
    assert problem_of(caught.value)["detail"] == detail


def test_a_recording_that_fails_is_told_as_that_and_not_where() -> None:
    problem = problem_of(errors.RecordingFailed("no space left on /var/lib/voice"))
    assert (problem["code"], problem["status"]) == ("recording_failed", 500)
    assert "/var/lib" not in str(problem)
