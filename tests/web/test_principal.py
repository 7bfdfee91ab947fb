"""Who may do what, and to whose sessions."""

import pytest
from hypothesis import given, strategies as st

from voicesession import AccessDenied, InvalidValue
from voicesession.web.principal import Permission, Principal, Reach, known_scopes

GOLDEN = """
scopes       user   service
read         own    all
read:own     own    none
read:all     all    all
write        none   none
admin        all    all
admin:all    all    all
"""


@pytest.mark.parametrize("row", GOLDEN.strip().splitlines()[1:])
def test_how_far_a_scope_goes(row: str) -> None:
    scope, user, service = row.split()
    of_user = Principal(tenant_id="acme", user_id="ada", scopes=[scope])
    of_service = Principal(tenant_id="acme", scopes=[scope])
    assert of_user.reach(Permission.READ) is Reach(user)
    assert of_service.reach(Permission.READ) is Reach(service)


@given(permission=st.sampled_from(Permission), has=st.sets(st.sampled_from(Permission)))
def test_a_permission_is_had_or_it_is_not(permission: Permission, has: set[Permission]) -> None:
    somebody = Principal(tenant_id="acme", user_id="ada", scopes=has)
    if permission in has or Permission.ADMIN in has:
        assert somebody.require(permission) is not Reach.NONE
    else:
        with pytest.raises(AccessDenied, match=permission):
            somebody.require(permission)


@given(
    scopes=st.sets(st.sampled_from(sorted(known_scopes(["read:own", "read:all", "usage:own"])))),
    wanted=st.lists(st.sampled_from(Permission), min_size=1),
)
def test_of_several_permissions_the_one_that_goes_furthest_counts(
    scopes: set[str], wanted: list[Permission]
) -> None:
    somebody = Principal(tenant_id="acme", user_id="ada", scopes=scopes)
    reaches = {somebody.reach(permission) for permission in wanted}
    if reaches == {Reach.NONE}:
        with pytest.raises(AccessDenied, match=" or ".join(sorted(wanted))):
            somebody.require(*wanted)
    else:
        expected = Reach.ALL if Reach.ALL in reaches else Reach.OWN
        assert somebody.require(*wanted) is expected


def test_scopes_of_other_services_are_passed_over_and_made_up_ones_refused() -> None:
    assert known_scopes(["openid", "read", "write:all", "write:some"]) == {"read", "write:all"}
    for wrong in ({"scopes": ["fly"]}, {"user_id": ""}, {"tenant_id": "../x"}):
        with pytest.raises(InvalidValue):
            Principal(**({"tenant_id": "acme"} | wrong))
