"""
Tokens: JSON Web Tokens of somebody whom the host trusts, signed by a secret or a key pair.

Which algorithms are allowed follows from the kind of key, never from the token: or a public
key could be taken for a secret that everybody knows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, Final, Protocol

import jwt
from attrs import field, frozen

from ...core.errors import InvalidConfig, InvalidValue
from ...core.identity import DEFAULT_TENANT
from ..principal import Credentials, Principal, Unauthenticated, known_scopes

__all__ = ("JwtAuthenticator", "PublicKey", "SecretKey", "TokenKeys", "VerifyingKey")

_SHORTEST_SECRET: Final[Mapping[str, int]] = {"HS256": 32, "HS384": 48, "HS512": 64}
"""In bytes: RFC 7518, section 3.2."""
_BY_KEY_TYPE: Final[Mapping[str, tuple[str, ...]]] = {
    "RSA": ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    "EC": ("ES256", "ES384", "ES512"),
    "OKP": ("EdDSA",),
}
_SUSPECT_LENGTH: Final = 16_384


@frozen
class VerifyingKey:
    """A key and what it may be used with."""

    key: Any = field(repr=False)
    algorithms: tuple[str, ...]


class TokenKeys(Protocol):
    """Where the key of a token comes from."""

    async def key_of(self, key_id: str | None, /) -> VerifyingKey:
        """Return the key that a token names in its header.

        Raises:
            Unauthenticated: There is no such key.
            ProviderUnavailable: Whoever publishes the keys does not answer.
        """
        ...


class SecretKey:
    """One secret, shared with whoever signs: HS256, and HS384 and HS512 where it is long enough.

    Raises:
        InvalidConfig: It has fewer than 32 bytes, so it could be guessed.
    """

    def __init__(self, secret: str | bytes) -> None:
        key = secret.encode() if isinstance(secret, str) else secret
        algorithms = tuple(one for one, least in _SHORTEST_SECRET.items() if len(key) >= least)
        if not algorithms:
            raise InvalidConfig("jwt_secret", f"{len(key)} bytes", "32 bytes or more")
        self._key = VerifyingKey(key, algorithms)

    async def key_of(self, _key_id: str | None, /) -> VerifyingKey:
        return self._key


class PublicKey:
    """One public key in PEM: RSA, an elliptic curve, or Ed25519.

    Raises:
        InvalidConfig: It is none.
    """

    def __init__(self, pem: str | bytes) -> None:
        for key_type, algorithms in _BY_KEY_TYPE.items():
            algorithm = jwt.get_algorithm_by_name(algorithms[0])
            try:
                key = algorithm.prepare_key(pem)
            except (jwt.InvalidKeyError, TypeError, ValueError):
                continue
            if hasattr(key, "private_bytes"):
                raise InvalidConfig("jwt_public_key", "a private key", "the public one")
            self._key = VerifyingKey(key, algorithms_of(key_type))
            return
        raise InvalidConfig("jwt_public_key", "what was given", "a public key in PEM")

    async def key_of(self, _key_id: str | None, /) -> VerifyingKey:
        return self._key


def algorithms_of(key_type: str) -> tuple[str, ...]:
    """Return what a key of a JWK's type may be used with; nothing for a shared secret."""
    return _BY_KEY_TYPE.get(key_type, ())


class JwtAuthenticator:
    """Knows callers by the token in ``Authorization: Bearer``.

    Args:
        issuer: What ``iss`` must say; None asks nothing.
        audience: What ``aud`` must name. A token that is for somebody else is refused also
            where this is None.
        leeway: By how much the clocks of the issuer and of this machine may differ.
        tenant_claim: Names the tenant. A token without it is for ``default_tenant``; where
            that is None, it is refused.
        scope_claim: Scopes with spaces between them, or a list of them.
    """

    def __init__(
        self,
        keys: TokenKeys,
        *,
        issuer: str | None = None,
        audience: str | None = None,
        leeway: timedelta = timedelta(seconds=30),
        tenant_claim: str = "tenant_id",
        scope_claim: str = "scope",
        default_tenant: str | None = DEFAULT_TENANT,
    ) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._leeway = leeway
        self._tenant_claim = tenant_claim
        self._scope_claim = scope_claim
        self._default_tenant = default_tenant

    async def authenticate(self, credentials: Credentials, /) -> Principal:
        token = credentials.bearer
        if token is None or len(token) > _SUSPECT_LENGTH:
            raise Unauthenticated("a token is needed: Authorization: Bearer …")
        return self._principal(await self._claims(token))

    async def _claims(self, token: str) -> Mapping[str, Any]:
        try:
            key_id = jwt.get_unverified_header(token).get("kid")
            key = await self._keys.key_of(key_id)
            return jwt.decode(
                token,
                key.key,
                algorithms=list(key.algorithms),
                issuer=self._issuer,
                audience=self._audience,
                leeway=self._leeway,
                options={"require": ["exp", "sub"]},
            )
        except jwt.ExpiredSignatureError:
            raise Unauthenticated("the token has expired") from None
        except (jwt.PyJWTError, ValueError, OverflowError):
            raise Unauthenticated("the token is not good") from None

    def _principal(self, claims: Mapping[str, Any]) -> Principal:
        tenant = claims.get(self._tenant_claim, self._default_tenant)
        said = claims.get(self._scope_claim, "")
        scopes: Iterable[Any] = said.split() if isinstance(said, str) else said
        try:
            return Principal(
                tenant_id=tenant,
                user_id=claims["sub"],
                scopes=known_scopes(one for one in scopes if isinstance(one, str)),
            )
        except (InvalidValue, TypeError):
            raise Unauthenticated("the token names no tenant, or no user") from None
