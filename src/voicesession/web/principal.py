"""
Who calls, and what they may do.

A scope is a permission, and how far it goes: ``read:own`` is for the caller's own sessions,
``read:all`` for all of its tenant. A bare ``read`` is ``own`` for a user, and ``all`` for
a caller that is no user: the tenant's own backend. ``admin`` is everything, for all.
No scope leads out of the tenant.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final, Protocol

from attrs import field, frozen
from attrs.validators import optional

from ..core.errors import AccessDenied, InvalidValue
from ..core.fields import is_text
from ..core.identity import TenantId, is_id
from ..schemas.refusals import Unauthenticated

__all__ = (
    "Authenticator",
    "Credentials",
    "Permission",
    "Principal",
    "Reach",
    "Unauthenticated",
    "is_loopback",
    "known_scopes",
)

_LONGEST_USER: Final = 256
_BEARER: Final = "bearer "
_PROXIES: Final = frozenset({"forwarded", "x-forwarded-for"})
"""Headers by which a proxy tells that it speaks for somebody else."""


class Permission(StrEnum):
    """What one may do. The values are the scopes of tokens and keys; never rename one."""

    READ = "read"
    """See sessions, words, audio and budgets."""
    WRITE = "write"
    """Create, change, pause, end and delete sessions."""
    USAGE = "usage"
    """Say what a session has used, and what is left of its budget."""
    ADMIN = "admin"
    """Everything, and templates and limits besides."""


class Reach(StrEnum):
    """For whose sessions one may do it."""

    NONE = "none"
    OWN = "own"
    ALL = "all"


_FURTHEST_FIRST: Final = (Reach.ALL, Reach.OWN)
_SCOPES: Final = frozenset(
    text for one in Permission for text in (one.value, f"{one}:{Reach.OWN}", f"{one}:{Reach.ALL}")
)
_FOR_ALL: Final = {
    one: frozenset({Permission.ADMIN, f"{Permission.ADMIN}:all", f"{one}:all"})
    for one in Permission
}
_FOR_OWN: Final = {one: f"{one}:{Reach.OWN}" for one in Permission}


def known_scopes(texts: Iterable[str]) -> frozenset[str]:
    """Return those of *texts* that are scopes here; a token may be good for other things too."""
    return _SCOPES.intersection(texts)


def _is_user(principal: object, attribute: Any, value: Any) -> None:
    is_text(principal, attribute, value)
    if not 1 <= len(value) <= _LONGEST_USER:
        raise InvalidValue(attribute.name, value, f"1 to {_LONGEST_USER} characters")


def _as_tenant(name: str) -> TenantId:
    return TenantId(name)


def _as_scopes(texts: Iterable[str]) -> frozenset[str]:
    return frozenset(texts)


def _are_scopes(_principal: object, _attribute: object, scopes: frozenset[str]) -> None:
    if unknown := scopes - _SCOPES:
        raise InvalidValue("scopes", sorted(unknown), ", ".join(sorted(_SCOPES)))


@frozen(kw_only=True)
class Principal:
    """Somebody whose credentials were good.

    Attributes:
        tenant_id: Nothing outside of it exists for them.
        user_id: None for a caller that is no user.
        scopes: See the module.
        any_tenant: They may name the tenant with each call. Only where nobody is asked who
            they are, on the machine of a developer.

    Raises:
        InvalidValue: There is no such scope, or an id cannot be one.
    """

    tenant_id: TenantId = field(converter=_as_tenant, validator=is_id)
    user_id: str | None = field(default=None, validator=optional(_is_user))
    scopes: frozenset[str] = field(
        factory=frozenset[str], converter=_as_scopes, validator=_are_scopes
    )
    any_tenant: bool = False

    @property
    def caller(self) -> str:
        """Whom calls and streams are counted for."""
        return f"{self.tenant_id}/{self.user_id or ''}"

    def reach(self, permission: Permission) -> Reach:
        """Return for whose sessions of the tenant they may do it."""
        if not _FOR_ALL[permission].isdisjoint(self.scopes):
            return Reach.ALL
        if permission in self.scopes:
            return Reach.ALL if self.user_id is None else Reach.OWN
        if _FOR_OWN[permission] in self.scopes and self.user_id is not None:
            return Reach.OWN
        return Reach.NONE

    def require(self, *permissions: Permission) -> Reach:
        """Return the reach of whichever of *permissions* goes furthest.

        Raises:
            AccessDenied: They have none of them.
        """
        reaches = [self.reach(one) for one in permissions]
        for furthest in _FURTHEST_FIRST:
            if furthest in reaches:
                return furthest
        raise AccessDenied(f"this needs the scope {' or '.join(sorted(permissions))}")


@frozen(kw_only=True)
class Credentials:
    """What a caller shows: the headers of its request, and where it comes from.

    Attributes:
        headers: By their names in lower case. A WebSocket that brings its token in another
            way is given the header it would have had: ``authorization: Bearer …``.
        client_host: The address at the other end of the connection, as the server knows it
            (never from a header); None if that is no network.
    """

    headers: Mapping[str, str] = field(factory=dict[str, str], repr=False)
    client_host: str | None = None

    @property
    def bearer(self) -> str | None:
        """The token of ``Authorization: Bearer …``, if there is one."""
        value = self.headers.get("authorization", "")
        return value[len(_BEARER) :].strip() if value.lower().startswith(_BEARER) else None

    @property
    def api_key(self) -> str | None:
        """The key of ``X-API-Key``, if there is one."""
        return self.headers.get("x-api-key")

    @property
    def is_loopback(self) -> bool:
        """Whether the caller sits on this machine, and no proxy speaks for somebody else."""
        if self.client_host is None or not _PROXIES.isdisjoint(self.headers):
            return False
        return is_loopback(self.client_host)


@lru_cache(maxsize=1_024)
def is_loopback(address: str) -> bool:
    """Whether it is the address of this machine; what is no address is not."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


class Authenticator(Protocol):
    """Knows callers by their credentials. Shared by all calls, long-lived."""

    async def authenticate(self, credentials: Credentials, /) -> Principal:
        """Return who it is.

        Raises:
            Unauthenticated: Nobody is known by these credentials.
            AccessDenied: Somebody is, and may not come in.
        """
        ...
