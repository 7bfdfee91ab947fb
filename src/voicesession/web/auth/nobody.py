"""Nobody is asked who they are: for the machine of a developer, and for no other."""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

from ...core.identity import DEFAULT_TENANT
from ..principal import Credentials, Permission, Principal, Unauthenticated, is_loopback

__all__ = ("NobodyAsked",)

logger = logging.getLogger("voicesession.web")

_EVERYBODY: Final = Principal(
    tenant_id=DEFAULT_TENANT, scopes=frozenset({Permission.ADMIN}), any_tenant=True
)


class NobodyAsked:
    """Lets everybody on this machine in, as an administrator of every tenant.

    Callers from elsewhere are refused, and so is a web page that somebody on this machine has
    open: its browser says where it comes from, and by which name it found us.
    """

    def __init__(self) -> None:
        logger.warning(
            "no authenticator: everybody on this machine may do everything, and nobody else "
            "may do anything. Give one before you serve others"
        )

    async def authenticate(self, credentials: Credentials, /) -> Principal:
        if not credentials.is_loopback:
            raise Unauthenticated("there are no accounts here: only this machine is let in")
        host = credentials.headers.get("host")
        page = credentials.headers.get("origin")
        if host is not None and not _is_this_machine(f"//{host}"):
            raise Unauthenticated("without accounts this server answers to the name localhost")
        if page is not None and not _is_this_machine(page):
            raise Unauthenticated("without accounts only pages of this machine are let in")
        return _EVERYBODY


@lru_cache(maxsize=1_024)
def _is_this_machine(url: str) -> bool:
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return False
    return host == "localhost" or host.endswith(".localhost") or is_loopback(host)
