"""Tokens: which are good, whom they name, and how keys are had from where they are published."""

import json
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from voicesession import InvalidConfig, ProviderUnavailable
from voicesession.runtime.clock import SteppedClock, SystemClock
from voicesession.web.auth.jwks import PublishedKeys
from voicesession.web.auth.tokens import JwtAuthenticator, PublicKey, SecretKey, TokenKeys
from voicesession.web.principal import Credentials, Principal, Unauthenticated

SECRET = "a secret of sixty-four characters, and of some more at its end: so"  # noqa: S105
NOW = SystemClock().now()
RSA = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
EC = ec.generate_private_key(ec.SECP256R1())


def pem(key: Any) -> str:
    public: bytes = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return public.decode()


def token(
    key: Any = SECRET, algorithm: str = "HS256", kid: str | None = None, **claims: Any
) -> str:
    said = {"sub": "ada", "exp": NOW + timedelta(hours=1), "tenant_id": "acme", "scope": "read"}
    whole = {name: value for name, value in (said | claims).items() if value is not None}
    return jwt.encode(whole, key, algorithm, headers=None if kid is None else {"kid": kid})


async def who(keys: TokenKeys, shown: str, **settings: Any) -> Principal:
    authenticator = JwtAuthenticator(keys, **settings)
    return await authenticator.authenticate(
        Credentials(headers={"authorization": f"Bearer {shown}"})
    )


@pytest.mark.parametrize(
    ("keys", "shown"),
    [
        (SecretKey(SECRET), token()),
        (SecretKey(SECRET), token(algorithm="HS512")),
        (PublicKey(pem(RSA)), token(RSA, "RS256")),
        (PublicKey(pem(RSA)), token(RSA, "PS256")),
        (PublicKey(pem(EC)), token(EC, "ES256")),
    ],
    ids=["HS256", "HS512", "RS256", "PS256", "ES256"],
)
async def test_a_good_token_names_its_bearer(keys: TokenKeys, shown: str) -> None:
    assert await who(keys, shown) == Principal(tenant_id="acme", user_id="ada", scopes={"read"})


@pytest.mark.parametrize(
    "shown",
    [
        token(exp=NOW - timedelta(minutes=5)),
        token(exp=None),
        token(sub=None),
        token(nbf=NOW + timedelta(hours=5)),  # these are made long before they are tried
        token("another secret of thirty-two characters"),
        token("", "none"),
        token(RSA, "RS256"),
        token(aud="somebody else"),
        token(tenant_id="../etc"),
        token(tenant_id=5),
        token(sub=""),
        token()[:-4] + "AAAA",
        "not.a.token",
        "",
        "x" * 20_000,
    ],
)
async def test_no_other_token_is_good(shown: str) -> None:
    with pytest.raises(Unauthenticated):
        await who(SecretKey(SECRET), shown)


async def test_a_public_key_is_never_taken_for_a_secret() -> None:
    header = {"alg": "HS256", "typ": "JWT"}
    forged = _signed_by_hand(header, {"sub": "eve", "exp": 9_999_999_999}, pem(RSA).encode())
    with pytest.raises(Unauthenticated):
        await who(PublicKey(pem(RSA)), forged)


def _signed_by_hand(header: Mapping[str, str], claims: Mapping[str, Any], key: bytes) -> str:
    import hashlib
    import hmac

    from jwt.utils import base64url_encode

    said = b".".join(base64url_encode(json.dumps(part).encode()) for part in (header, claims))
    return (said + b"." + base64url_encode(hmac.new(key, said, hashlib.sha256).digest())).decode()


async def test_clocks_may_differ_by_a_little() -> None:
    late = token(exp=NOW - timedelta(seconds=5))
    known = await who(SecretKey(SECRET), late, leeway=timedelta(hours=1))
    assert known.user_id == "ada"
    with pytest.raises(Unauthenticated, match="expired"):
        await who(SecretKey(SECRET), late, leeway=timedelta(0))


async def test_issuer_and_audience_are_checked_where_a_host_names_them() -> None:
    settings = {"issuer": "https://id.example", "audience": "voice"}
    good = token(iss="https://id.example", aud=["voice", "other"])
    assert (await who(SecretKey(SECRET), good, **settings)).user_id == "ada"
    for wrong in (token(), token(iss="x", aud="voice"), token(iss="https://id.example", aud="x")):
        with pytest.raises(Unauthenticated):
            await who(SecretKey(SECRET), wrong, **settings)


async def test_scopes_come_as_text_or_as_a_list_and_strange_ones_are_passed_over() -> None:
    for said in ("openid read write:all", ["openid", "read", "write:all", 5]):
        assert (await who(SecretKey(SECRET), token(scope=said))).scopes == {"read", "write:all"}


async def test_the_tenant_is_named_by_the_claim_that_a_host_says() -> None:
    named = token(tenant_id=None, org="evil")
    assert (await who(SecretKey(SECRET), named, tenant_claim="org")).tenant_id == "evil"
    assert (await who(SecretKey(SECRET), named)).tenant_id == "default"
    with pytest.raises(Unauthenticated):
        await who(SecretKey(SECRET), named, default_tenant=None)


def test_what_is_no_key_is_refused_at_once() -> None:
    with pytest.raises(InvalidConfig, match="jwt_secret"):
        SecretKey("short")
    private = RSA.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    for wrong in ("nonsense", private):
        with pytest.raises(InvalidConfig, match="jwt_public_key"):
            PublicKey(wrong)
    with pytest.raises(InvalidConfig, match="jwt_jwks_url"):
        PublishedKeys("file:///etc/passwd")


# --- published keys -------------------------------------------------------------------------


class Issuer:
    """Publishes keys over HTTP, and counts who asks."""

    def __init__(self) -> None:
        self.keys: dict[str, Any] = {"one": RSA}
        self.said: dict[str, str] = {}
        self.junk: bytes | None = None
        self.asked = 0
        self.is_away = False
        self.url = ""

    @staticmethod
    def in_json(key: rsa.RSAPrivateKey) -> dict[str, Any]:
        found: dict[str, Any] = jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
        return {name: found[name] for name in ("kty", "n", "e")}

    @property
    def document(self) -> bytes:
        if self.junk is not None:
            return self.junk
        told = [self.in_json(key) | {"kid": name} | self.said for name, key in self.keys.items()]
        shared = {
            "kty": "oct",
            "kid": "shared",
            "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA",
        }
        return json.dumps({"keys": [*told, shared]}).encode()

    @contextmanager
    def published(self) -> Iterator[None]:
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked += 1
                self.send_response(503 if issuer.is_away else 200)
                self.end_headers()
                self.wfile.write(issuer.document)

            def log_message(self, *_: Any) -> None:
                pass

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            thread = Thread(target=server.serve_forever)
            thread.start()
            self.url = f"http://127.0.0.1:{server.server_port}/jwks.json"
            try:
                yield
            finally:
                server.shutdown()
                thread.join()


@pytest.fixture
def issuer() -> Generator[Issuer]:
    issuer = Issuer()
    with issuer.published():
        yield issuer


async def test_keys_are_fetched_once_and_again_when_a_new_one_is_used(issuer: Issuer) -> None:
    clock = SteppedClock(NOW)
    keys = PublishedKeys(issuer.url, clock=clock)
    for _ in range(3):
        assert (await who(keys, token(RSA, "RS256", "one"))).user_id == "ada"
    assert issuer.asked == 1
    new = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
    issuer.keys["two"] = new
    clock.advance(11_000_000)
    assert (await who(keys, token(new, "RS256", "two"))).user_id == "ada"
    assert issuer.asked == 2


async def test_made_up_key_ids_do_not_make_us_ask_again_and_again(issuer: Issuer) -> None:
    keys = PublishedKeys(issuer.url, clock=SteppedClock(NOW))
    for number in range(5):
        with pytest.raises(Unauthenticated):
            await who(keys, token(RSA, "RS256", f"made up {number}"))
    assert issuer.asked == 1


async def test_a_shared_secret_among_published_keys_is_no_key(issuer: Issuer) -> None:
    keys = PublishedKeys(issuer.url)
    with pytest.raises(Unauthenticated):
        await who(keys, token("secret-secret-secret-secret-secret", "HS256", "shared"))


async def test_a_key_is_good_for_what_its_issuer_says_and_for_nothing_else(issuer: Issuer) -> None:
    issuer.said = {"alg": "RS512", "use": "sig"}
    keys = PublishedKeys(issuer.url)
    assert (await who(keys, token(RSA, "RS512", "one"))).user_id == "ada"
    with pytest.raises(Unauthenticated):
        await who(keys, token(RSA, "RS256", "one"))
    issuer.said = {"use": "enc"}
    with pytest.raises(ProviderUnavailable):
        await who(PublishedKeys(issuer.url), token(RSA, "RS256", "one"))


async def test_while_the_issuer_is_away_its_last_keys_hold(issuer: Issuer) -> None:
    clock = SteppedClock(NOW)
    keys = PublishedKeys(issuer.url, clock=clock)
    issuer.is_away = True
    with pytest.raises(ProviderUnavailable):
        await who(keys, token(RSA, "RS256", "one"))
    issuer.is_away = False
    clock.advance(11_000_000)
    assert (await who(keys, token(RSA, "RS256", "one"))).user_id == "ada"
    issuer.is_away = True
    clock.advance(4_000_000_000)
    assert (await who(keys, token(RSA, "RS256", "one"))).user_id == "ada"
    assert issuer.asked == 3


@pytest.mark.parametrize(
    "junk",
    [
        *(b"", b"[]", b"null", b"{}", b'{"keys": 5}', b'{"keys": [5, {}]}', b"\xff", b"[" * 9_999),
        b'{"keys": [{"kty": "RSA", "n": 1}, {"kty": "EC", "crv": "P-1"}, {"kty": []}]}',
    ],
)
async def test_whatever_an_issuer_publishes_instead_its_last_keys_hold(
    issuer: Issuer, junk: bytes
) -> None:
    clock = SteppedClock(NOW)
    keys = PublishedKeys(issuer.url, clock=clock)
    assert (await who(keys, token(RSA, "RS256", "one"))).user_id == "ada"
    issuer.junk = junk
    clock.advance(4_000_000_000)
    assert (await who(keys, token(RSA, "RS256", "one"))).user_id == "ada"
    assert issuer.asked == 2


async def test_where_there_is_one_key_a_token_need_not_name_it(issuer: Issuer) -> None:
    assert (await who(PublishedKeys(issuer.url), token(RSA, "RS256"))).user_id == "ada"
