"""The keys that an issuer publishes (RFC 7517), fetched when they are needed."""

from __future__ import annotations

import json
import logging
import urllib.error
import urllib.request
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

import anyio
import jwt
from anyio import to_thread

from ...core.errors import InvalidConfig, ProviderUnavailable
from ...core.instants import duration_us
from ...ports.clock import Clock
from ...runtime.clock import SystemClock
from ..principal import Unauthenticated
from .tokens import VerifyingKey, algorithms_of

__all__ = ("PublishedKeys",)

logger = logging.getLogger("voicesession.web")

_LARGEST_BYTES: Final = 1024 * 1024


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
            document = await to_thread.run_sync(self._download)
            keys = _keys_in(document)
        except (OSError, ValueError, jwt.PyJWTError) as error:
            logger.warning("the keys of the issuer cannot be had: %s", type(error).__name__)
        else:
            self._keys = keys

    def _download(self) -> Any:
        request = urllib.request.Request(self._url, headers={"accept": "application/json"})  # noqa: S310  # http and https alone, see above
        try:
            with urllib.request.urlopen(request, timeout=self._timeout_s) as answer:  # noqa: S310
                return json.loads(answer.read(_LARGEST_BYTES))
        except urllib.error.HTTPError as refusal:
            refusal.close()
            raise


def _keys_in(document: Any) -> dict[str | None, VerifyingKey]:
    keys: dict[str | None, VerifyingKey] = {}
    for jwk in jwt.PyJWKSet.from_dict(document).keys:
        if algorithms := algorithms_of(jwk.key_type or ""):
            keys[jwk.key_id] = VerifyingKey(jwk.key, algorithms)
    if len(keys) == 1:
        keys[None] = next(iter(keys.values()))  # a token need not name the only one there is
    return keys
