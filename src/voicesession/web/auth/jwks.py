"""The keys that an issuer publishes (RFC 7517), fetched when they are needed."""

from __future__ import annotations

import logging
import urllib.error
import urllib.request
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

import anyio
import jwt
from anyio import to_thread
from pydantic import BaseModel, ConfigDict

from ...core.errors import InvalidConfig, ProviderUnavailable
from ...core.instants import duration_us
from ...ports.clock import Clock
from ...runtime.clock import SystemClock
from ..principal import Unauthenticated
from .tokens import VerifyingKey, algorithms_of

__all__ = ("PublishedKeys",)

logger = logging.getLogger("voicesession.web")

_LARGEST_BYTES: Final = 1024 * 1024


class _Key(BaseModel):
    """A key as it is published: RFC 7517, section 4. What else it has is its own kind's."""

    model_config = ConfigDict(extra="allow")

    kty: str
    kid: str | None = None
    use: str = "sig"
    alg: str | None = None


class _KeySet(BaseModel):
    keys: list[_Key]


class PublishedKeys:
    """The keys at a URL. They are fetched again when they are old, and when one is missing.

    A token with a made-up key id makes us look, but not more often than ``pause`` says. While
    the issuer is away, the keys that it has published last hold.

    Args:
        url: ``https://…/.well-known/jwks.json``.
        fresh_for: How long keys are taken as they are.
        pause: At least so long between two attempts.
        takes_at_most: How long an answer may take.

    Raises:
        InvalidConfig: The URL is none of the web.
    """

    def __init__(
        self,
        url: str,
        *,
        fresh_for: timedelta = timedelta(hours=1),
        pause: timedelta = timedelta(seconds=10),
        takes_at_most: timedelta = timedelta(seconds=5),
        clock: Clock | None = None,
    ) -> None:
        if not url.startswith(("https://", "http://")):
            raise InvalidConfig("jwt_jwks_url", url, "https://…")
        self._url = url
        self._fresh_us = duration_us(fresh_for)
        self._pause_us = duration_us(pause)
        self._timeout_s = takes_at_most.total_seconds()
        self._clock = clock or SystemClock()
        self._keys: Mapping[str | None, VerifyingKey] = {}
        self._tried_us: int | None = None
        self._turn = anyio.Lock()

    async def key_of(self, key_id: str | None, /) -> VerifyingKey:
        if key_id not in self._keys or self._is_due(self._fresh_us):
            async with self._turn:
                if self._is_due(self._pause_us):
                    await self._fetch()
        if not self._keys:
            raise ProviderUnavailable("jwks", "the issuer's keys are not to be had")
        key = self._keys.get(key_id)
        if key is None:
            raise Unauthenticated("the token is not good")
        return key

    def _is_due(self, after_us: int) -> bool:
        if self._tried_us is None:
            return True
        return self._clock.monotonic_us() - self._tried_us >= after_us

    async def _fetch(self) -> None:
        self._tried_us = self._clock.monotonic_us()
        try:
            keys = _keys_in(await to_thread.run_sync(self._download))
        except (OSError, ValueError) as error:
            logger.warning("the keys of the issuer cannot be had: %s", type(error).__name__)
        else:
            self._keys = keys

    def _download(self) -> bytes:
        request = urllib.request.Request(self._url, headers={"accept": "application/json"})  # noqa: S310  # http and https alone, see above
        try:
            with urllib.request.urlopen(request, timeout=self._timeout_s) as answer:  # noqa: S310
                document: bytes = answer.read(_LARGEST_BYTES)
                return document
        except urllib.error.HTTPError as refusal:
            refusal.close()
            raise


def _keys_in(document: bytes) -> dict[str | None, VerifyingKey]:
    """The keys that can be used.

    Raises:
        ValueError: There is none, or *document* is no set of keys.
    """
    found = {one.kid: _key_in(one) for one in _KeySet.model_validate_json(document).keys}
    keys: dict[str | None, VerifyingKey] = {kid: key for kid, key in found.items() if key}
    if not keys:
        raise ValueError("no key that can be used")
    if len(keys) == 1:
        keys[None] = next(iter(keys.values()))  # a token need not name the only one there is
    return keys


def _key_in(told: _Key) -> VerifyingKey | None:
    """None for a key that is not for signatures, or of a kind that is not known here."""
    algorithms = algorithms_of(told.kty)
    if told.alg is not None:
        algorithms = tuple(one for one in algorithms if one == told.alg)
    if told.use != "sig" or not algorithms:
        return None
    try:
        return VerifyingKey(jwt.PyJWK(told.model_dump(exclude_none=True)).key, algorithms)
    except jwt.PyJWTError:
        return None
