"""What a server tells by a code comes back as the error that it was."""

import pytest
from hypothesis import given, strategies as st

from voicesession import VoiceSessionError, client
from voicesession.client.errors import CODES, error_of, error_of_problem
from voicesession.core import errors
from voicesession.schemas import refusals
from voicesession.schemas.problems import Problem
from voicesession.web.statuses import STATUSES, problem_of

TEXT = st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=1, max_size=20)

KEPT: list[st.SearchStrategy[VoiceSessionError]] = [
    *(
        st.builds(kind, TEXT)
        for kind in (
            errors.AccessDenied,
            errors.BudgetExhausted,
            errors.DeadlineExceeded,
            errors.Draining,
            errors.QuotaExceeded,
            errors.SessionAlreadyActive,
            errors.SessionExists,
            errors.SessionExpired,
            errors.SessionNotActive,
            errors.SessionNotFound,
            errors.TemplateNotFound,
        )
    ),
    *(
        st.builds(kind, TEXT)
        for kind in (
            refusals.IdempotencyConflict,
            refusals.MethodNotAllowed,
            refusals.NotFound,
            refusals.RequestTimeout,
            refusals.TooLarge,
            refusals.Unauthenticated,
        )
    ),
    st.builds(refusals.RangeNotSatisfiable, st.none() | st.integers(0, 2**40)),
    st.builds(refusals.RateLimited, st.none() | st.integers(1, 10**6)),
    st.builds(errors.VersionConflict, TEXT, st.integers(0, 10**9)),
    st.builds(errors.InvalidState, TEXT, TEXT, st.lists(TEXT, max_size=3).map(tuple)),
]


def told_by(error: VoiceSessionError) -> VoiceSessionError:
    return error_of_problem(Problem.model_validate(problem_of(error)))


@given(st.one_of(KEPT))
def test_an_error_that_is_meant_for_the_caller_comes_back_whole(error: VoiceSessionError) -> None:
    back = told_by(error)
    assert (type(back), back.args) == (type(error), error.args)


@given(st.sampled_from([errors.InvalidValue, errors.InvalidConfig]), TEXT, TEXT, TEXT)
def test_a_value_at_fault_comes_back_without_the_value(
    kind: type[errors.InvalidValue], field: str, value: str, allowed: str
) -> None:
    back = told_by(kind(field, f"<{value}>", allowed))
    assert type(back) is kind
    assert isinstance(back, errors.InvalidValue)
    assert (back.field, back.allowed) == (field, allowed)
    assert f"<{value}>" not in str(back)


def test_every_code_of_the_server_is_an_error_of_the_client() -> None:
    assert set(CODES) == set(STATUSES)


@given(st.sampled_from(sorted(STATUSES)), st.text(max_size=40))
def test_whatever_the_words_an_error_has_the_code_that_was_told(code: str, words: str) -> None:
    error = error_of(code, words)
    expected = {"lease_lost": "session_already_active"}.get(code, code)
    assert error.code == expected
    assert str(error) is not None


@pytest.mark.parametrize("code", ["", "a_code_of_tomorrow"])
def test_a_code_that_nobody_knows_is_still_an_error(code: str) -> None:
    error = error_of(code, "something new")
    assert (type(error), str(error)) == (VoiceSessionError, "something new")


@pytest.mark.parametrize("name", refusals.__all__)
def test_what_a_server_refuses_by_is_what_a_host_of_the_client_catches(name: str) -> None:
    kind = getattr(refusals, name)
    assert issubclass(kind, VoiceSessionError)
    if name != "BadRequest":  # which comes back as the value that was at fault
        assert getattr(client, name) is kind
