"""Where a vendor is reached, and who we are to it."""

from __future__ import annotations

import os
from typing import Final
from urllib.parse import urlencode, urlsplit, urlunsplit

from attrs import field, frozen

from ..core.errors import InvalidConfig

__all__ = ("Account", "account")

_SECURE: Final = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}


@frozen(kw_only=True)
class Account:
    """An address and the key to it. The key is in no repr and in no error.

    Attributes:
        base_url: Without a slash at its end.
        key: None where the server at this address wants none.
    """

    base_url: str
    key: str | None = field(repr=False)

    def websocket_url(self, path: str, query: dict[str, str | list[str]]) -> str:
        """Return the address of the WebSocket at *path*."""
        scheme, host, base_path, _, _ = urlsplit(self.base_url)
        return urlunsplit(
            (_SECURE[scheme], host, base_path + path, urlencode(query, doseq=True), "")
        )


def account(
    provider: str, *, api_key: str | None, base_url: str | None, home: str, environment: str
) -> Account:
    """Return the account that the arguments or else the environment name.

    At another address than *home*, the vendor's own, the key may be missing: a server of
    one's own often wants none.

    Args:
        environment: How the variables begin: ``DEEPGRAM`` reads ``DEEPGRAM_API_KEY`` and
            ``DEEPGRAM_BASE_URL``.

    Raises:
        InvalidConfig: The key is missing or cannot be one, or the address is none.
    """
    url = (base_url or os.environ.get(f"{environment}_BASE_URL") or home).rstrip("/")
    parts = urlsplit(url)
    if parts.scheme not in _SECURE or not parts.hostname or parts.username or parts.query:
        # The value is not shown: somebody may have put a password into it.
        raise InvalidConfig(
            f"{provider} base_url", "not an address", "https://host/path, without user or query"
        )
    key = api_key or os.environ.get(f"{environment}_API_KEY") or None
    if key is None and url == home:
        raise InvalidConfig(
            f"{provider} api_key", None, f"a key, as an argument or in {environment}_API_KEY"
        )
    if key is not None and not (key.isascii() and key.isprintable() and " " not in key):
        raise InvalidConfig(
            f"{provider} api_key", f"{len(key)} characters", "printable ASCII without spaces"
        )
    return Account(base_url=url, key=key)
