"""Who may open another session. Pure: the counts are arguments."""

from __future__ import annotations

from typing import Any

from attrs import field, frozen

from .errors import InvalidConfig, QuotaExceeded
from .fields import is_count

__all__ = ("AdmissionPolicy", "OpenSessions", "admit")


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
