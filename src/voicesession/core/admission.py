"""Who may open another session. Pure: the counts are arguments."""

from __future__ import annotations

from attrs import field, frozen
from attrs.validators import ge, optional

from .errors import QuotaExceeded

__all__ = ("AdmissionPolicy", "OpenSessions", "admit")


@frozen(kw_only=True)
class AdmissionPolicy:
    """How many sessions may be open, that is not ENDED, at once. None is without limit.

    Attributes:
        per_user: For each user of a tenant; sessions without a user count together, as
            those of their namespace.
        per_tenant: For all users of a tenant together.
    """

    per_user: int | None = field(default=5, validator=optional(ge(0)))
    per_tenant: int | None = field(default=None, validator=optional(ge(0)))


@frozen(kw_only=True)
class OpenSessions:
    """How many sessions are open now, without the one that asks to be opened."""

    of_user: int = field(validator=ge(0))
    of_tenant: int = field(validator=ge(0))


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
