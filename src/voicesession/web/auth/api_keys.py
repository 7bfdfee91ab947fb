"""
API keys: long random texts, of which only a hash is kept.

A key has 256 bits of randomness, so one round of SHA-256 hides it well; every kept hash is
compared, each in constant time, so that how long it takes tells nothing.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from attrs import field, frozen

from ...core.errors import InvalidConfig, InvalidValue
from ...core.identity import DEFAULT_TENANT
from ..principal import Credentials, Principal, Unauthenticated

__all__ = ("KEY_BYTES", "ApiKey", "ApiKeys", "new_key")

KEY_BYTES: Final = 32
"""What a new key takes of randomness."""

_PREFIX: Final = "vs_"
_A_HASH: Final = re.compile(r"[0-9a-f]{64}")


def new_key(randomness: bytes) -> str:
    """Return a new key, to be shown once.

    Args:
        randomness: ``KEY_BYTES`` bytes of the system's.

    Raises:
        InvalidValue: They are more or fewer.
    """
    if len(randomness) != KEY_BYTES:
        raise InvalidValue("randomness", f"{len(randomness)} bytes", f"{KEY_BYTES} bytes")
    return _PREFIX + base64.urlsafe_b64encode(randomness).decode().rstrip("=")


def _is_hash(_key: object, attribute: Any, value: Any) -> None:
    if not isinstance(value, str) or not _A_HASH.fullmatch(value):
        raise InvalidConfig(attribute.name, "what was given", "64 hex digits of a SHA-256")


@frozen(kw_only=True)
class ApiKey:
    """One key, without itself.

    Attributes:
        name: For people.
        hash: SHA-256 of the key, in hex.
        principal: Who shows it.
    """

    name: str
    hash: str = field(validator=_is_hash, repr=False)
    principal: Principal

    @classmethod
    def of(cls, key: str, *, name: str, principal: Principal) -> ApiKey:
        """Return what is kept of *key*."""
        return cls(name=name, hash=hashlib.sha256(key.encode()).hexdigest(), principal=principal)


class ApiKeys:
    """Knows callers by the key in ``X-API-Key``, or in ``Authorization: Bearer``."""

    def __init__(self, keys: Iterable[ApiKey]) -> None:
        self._keys: Sequence[ApiKey] = tuple(keys)

    @classmethod
    def load(cls, path: Path) -> ApiKeys:
        """Return the keys of a TOML file: a ``[[keys]]`` for each.

        With ``name``, ``hash``, ``scopes``, and where it has them ``tenant_id`` (or
        ``namespace_id``) and ``user_id``.

        Raises:
            InvalidConfig: The file cannot be read, or a key is not whole.
        """
        try:
            content = tomllib.loads(path.read_text(encoding="utf-8"))
            return cls([_key_of(entry) for entry in content["keys"]])
        except (OSError, KeyError, TypeError, ValueError) as error:
            problem = type(error).__name__ if isinstance(error, TypeError) else str(error)
            raise InvalidConfig("api_keys", str(path), f"a TOML file of keys ({problem})") from None

    async def authenticate(self, credentials: Credentials, /) -> Principal:
        shown = credentials.api_key or credentials.bearer
        if shown is None:
            raise Unauthenticated("an API key is needed")
        digest = hashlib.sha256(shown.encode("utf-8", "surrogateescape")).hexdigest()
        found: Principal | None = None
        for key in self._keys:
            if hmac.compare_digest(key.hash, digest):
                found = key.principal
        if found is None:
            raise Unauthenticated("this API key is not known")
        return found


def _key_of(entry: dict[str, Any]) -> ApiKey:
    tenant_id = entry.get("tenant_id") or entry.get("namespace_id") or DEFAULT_TENANT
    return ApiKey(
        name=entry["name"],
        hash=str(entry["hash"]).removeprefix("sha256:"),
        principal=Principal(
            tenant_id=tenant_id, user_id=entry.get("user_id"), scopes=entry["scopes"]
        ),
    )
