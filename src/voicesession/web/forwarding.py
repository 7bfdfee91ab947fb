"""
Where a call comes from, and under which address the caller sees us.

Behind a proxy only the proxy knows. Its ``X-Forwarded-…`` headers are believed where the
connection comes from an address that the host trusts, and from nobody else: anybody can send
a header.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

from attrs import frozen

from ..core.errors import InvalidConfig

__all__ = ("Network", "Origin", "networks", "origin_of")

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

_A_HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]{1,253})(:[0-9]{1,5})?")
_SECURE: Final = frozenset({"https", "wss"})


@frozen(kw_only=True)
class Origin:
    """Both ends of a call.

    Attributes:
        host: With its port, where that is not the usual one.
        root: What stands in front of every path, where the application is mounted deeper.
        client_host: Of the caller, or of the last proxy that is not trusted.
    """

    is_secure: bool = False
    host: str = "localhost"
    root: str = ""
    client_host: str | None = None

    @property
    def http_url(self) -> str:
        """What a path is appended to."""
        return f"{'https' if self.is_secure else 'http'}://{self.host}{self.root}"

    @property
    def websocket_url(self) -> str:
        """What the path of a WebSocket is appended to."""
        return f"{'wss' if self.is_secure else 'ws'}://{self.host}{self.root}"


def networks(addresses: Sequence[str]) -> tuple[Network, ...]:
    """Return the networks that *addresses* name: ``10.0.0.0/8``, ``::1``.

    Raises:
        InvalidConfig: One of them names none.
    """
    try:
        return tuple(ipaddress.ip_network(address, strict=False) for address in addresses)
    except ValueError as error:
        raise InvalidConfig(
            "trusted_proxies", list(addresses), f"addresses and networks ({error})"
        ) from None


def origin_of(
    headers: Mapping[str, str],
    *,
    peer: str | None,
    scheme: str,
    root: str,
    trusted: Sequence[Network],
    port: int,
) -> Origin:
    """Return where a call comes from, and how it sees us.

    Args:
        headers: By their names in lower case.
        peer: The address at the other end of the connection.
        scheme: Of the connection.
        trusted: Whose headers are believed.
        port: Of ``localhost``, where nobody says what we are called.
    """
    host = headers.get("host", "")
    client = peer
    if _is_in(trusted, peer):
        scheme = _last(headers.get("x-forwarded-proto")) or scheme
        host = _last(headers.get("x-forwarded-host")) or host
        client = _caller(headers.get("x-forwarded-for", ""), trusted) or peer
    return Origin(
        is_secure=scheme.lower() in _SECURE,
        host=host if _A_HOST.fullmatch(host) else f"localhost:{port}",
        root=root.rstrip("/"),
        client_host=client,
    )


def _last(header: str | None) -> str:
    """What the nearest proxy says, of all that have added something."""
    return (header or "").rpartition(",")[2].strip()


def _caller(chain: str, trusted: Sequence[Network]) -> str | None:
    """The last one in the chain of whom no trusted proxy says that it is a proxy."""
    hops = [hop.strip() for hop in chain.split(",") if hop.strip()]
    for hop in reversed(hops):
        if not _is_in(trusted, hop):
            return hop if _is_address(hop) else None
    return None


def _is_in(trusted: Sequence[Network], address: str | None) -> bool:
    if not trusted or address is None or not _is_address(address):
        return False
    return any(ipaddress.ip_address(address) in network for network in trusted)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
