"""Who may open another session. Pure: the counts are arguments."""

from __future__ import annotations

from typing import Any

from attrs import field, frozen

from .accounts import Account, Scope
from .errors import InvalidConfig, QuotaExceeded
from .fields import is_count
from .identity import TenantId

__all__ = ("AdmissionPolicy", "OpenSessions", "admit", "counted_for")


def _is_quota(_policy: object, attribute: Any, value: Any) -> None:
    if value is not None and (type(value) is not int or value < 0):
        raise InvalidConfig(
            attribute.name, value, "a whole number, 0 or more, or None for no quota"
        )


@frozen(kw_only=True)
class AdmissionPolicy:
    """How many sessions may be open, that is not ENDED, at once. None is without limit.

    Attributes:
        per_user: For each user of a tenant; sessions without a user count together, as
            those of their namespace.
        per_tenant: For all users of a tenant together.

    Raises:
        InvalidConfig: A quota is negative or no whole number.
    """

    per_user: int | None = field(default=5, validator=_is_quota)
    per_tenant: int | None = field(default=None, validator=_is_quota)


@frozen(kw_only=True)
class OpenSessions:
    """How many sessions are open now, without the one that asks to be opened.

    Raises:
        InvalidValue: A count is negative or no whole number.
    """

    of_user: int = field(validator=is_count)
    of_tenant: int = field(validator=is_count)


def counted_for(
    policy: AdmissionPolicy, tenant_id: TenantId, user_id: str | None
) -> tuple[Account, ...]:
    """Return for whom open sessions have to be counted before one more is opened; sorted.

    A store has those who open sessions for one of them wait for each other, so that nobody counts
    while another one opens. Empty where there is no quota.
    """
    tenant = Account(Scope.TENANT, tenant_id, tenant_id)
    user = tenant if user_id is None else Account(Scope.USER, user_id, tenant_id)
    quotas = ((tenant, policy.per_tenant), (user, policy.per_user))
    return tuple(dict.fromkeys(account for account, quota in quotas if quota is not None))


def admit(policy: AdmissionPolicy, open_sessions: OpenSessions) -> None:
    """Do nothing if one more session may be opened.

    Raises:
        QuotaExceeded: The user's or the tenant's quota is full.
    """
    for limit, used in (
        (policy.per_user, open_sessions.of_user),
        (policy.per_tenant, open_sessions.of_tenant),
    ):
        if limit is not None and used >= limit:
            raise QuotaExceeded(f"Maximum {limit} concurrent sessions allowed")
