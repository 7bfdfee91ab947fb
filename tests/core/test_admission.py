from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st

from voicesession.core.accounts import Account, Scope
from voicesession.core.admission import AdmissionPolicy, OpenSessions, admit, counted_for
from voicesession.core.errors import InvalidConfig, InvalidValue, QuotaExceeded
from voicesession.core.identity import TenantId

QUOTAS = st.none() | st.integers(0, 6)
OPEN = st.builds(OpenSessions, of_user=st.integers(0, 6), of_tenant=st.integers(0, 6))


@given(QUOTAS, QUOTAS, OPEN)
def test_one_more_is_let_in_where_no_quota_would_be_passed(
    per_user: int | None, per_tenant: int | None, now: OpenSessions
) -> None:
    policy = AdmissionPolicy(per_user=per_user, per_tenant=per_tenant)
    user_has_room = per_user is None or now.of_user + 1 <= per_user
    tenant_has_room = per_tenant is None or now.of_tenant + 1 <= per_tenant
    if user_has_room and tenant_has_room:
        admit(policy, now)
    else:
        with pytest.raises(QuotaExceeded) as refusal:
            admit(policy, now)
        full = per_tenant if user_has_room else per_user
        assert str(refusal.value) == f"Maximum {full} concurrent sessions allowed"


def test_unless_the_host_says_otherwise_a_user_has_five() -> None:
    admit(AdmissionPolicy(), OpenSessions(of_user=4, of_tenant=1000))
    with pytest.raises(QuotaExceeded, match="Maximum 5 concurrent sessions allowed"):
        admit(AdmissionPolicy(), OpenSessions(of_user=5, of_tenant=5))


def test_without_quotas_everybody_comes_in() -> None:
    nobody_counts = AdmissionPolicy(per_user=None, per_tenant=None)
    admit(nobody_counts, OpenSessions(of_user=10**6, of_tenant=10**9))


def test_a_quota_of_zero_keeps_everybody_out() -> None:
    for closed in (AdmissionPolicy(per_user=0), AdmissionPolicy(per_tenant=0)):
        with pytest.raises(QuotaExceeded, match="Maximum 0 concurrent"):
            admit(closed, OpenSessions(of_user=0, of_tenant=0))


@pytest.mark.parametrize("name", ["per_user", "per_tenant"])
@pytest.mark.parametrize("wrong", [-1, 1.5, "5", True])
def test_a_quota_is_a_whole_number_or_none(name: str, wrong: Any) -> None:
    with pytest.raises(InvalidConfig) as refusal:
        AdmissionPolicy(**{name: wrong})
    assert (refusal.value.field, refusal.value.value) == (name, wrong)
    assert refusal.value.allowed == "a whole number, 0 or more, or None for no quota"


@pytest.mark.parametrize("name", ["of_user", "of_tenant"])
@pytest.mark.parametrize("wrong", [-1, 1.5, "5", None])
def test_sessions_are_counted_in_whole_numbers(name: str, wrong: Any) -> None:
    with pytest.raises(InvalidValue, match=name):
        OpenSessions(**{"of_user": 0, "of_tenant": 0, name: wrong})


@given(QUOTAS, QUOTAS, st.none() | st.just("ada"))
def test_sessions_are_counted_for_whoever_has_a_quota(
    per_user: int | None, per_tenant: int | None, user_id: str | None
) -> None:
    policy = AdmissionPolicy(per_user=per_user, per_tenant=per_tenant)
    acme = TenantId("acme")
    tenant, user = Account(Scope.TENANT, "acme", acme), Account(Scope.USER, "ada", acme)
    expected = {tenant} if per_tenant is not None else set[Account]()
    if per_user is not None:
        expected.add(tenant if user_id is None else user)
    counted = counted_for(policy, acme, user_id)
    assert list(counted) == sorted(expected, key=lambda account: account.scope)
