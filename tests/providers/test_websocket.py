"""What a link does that no vendor's adapter shows: encryption, long messages, slow readers."""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import anyio
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from websockets.asyncio.server import ServerConnection, serve

from voicesession.core.errors import ProviderError
from voicesession.providers import websocket
from voicesession.providers.websocket import WebSocketLink


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@asynccontextmanager
async def serving(
    *, sends: int = 0, fragments: bool = False, tls: ssl.SSLContext | None = None
) -> AsyncGenerator[str]:
    """Serve who sends *sends* messages of 100 kB and then echoes."""

    async def converse(client: ServerConnection) -> None:
        for _ in range(sends):
            await client.send("x" * 100_000)
        async for message in client:
            await client.send([message[:3], message[3:]] if fragments else message)

    async with serve(converse, "127.0.0.1", 0, ssl=tls) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        yield f"{'wss' if tls else 'ws'}://127.0.0.1:{port}/"


@asynccontextmanager
async def linked(url: str) -> AsyncGenerator[WebSocketLink]:
    link = await WebSocketLink.open("vendor", url, {}, patience_s=10)
    try:
        yield link
    finally:
        await link.aclose()


@pytest.mark.parametrize("message", ["Grüezi mitenand", b"\x00\xff" * 200])
async def test_a_message_in_fragments_comes_whole(message: str | bytes) -> None:
    async with serving(fragments=True) as url, linked(url) as link:
        link.send(message)
        assert await link.receive() == message


async def test_a_reader_who_is_slow_makes_the_vendor_wait_and_loses_nothing() -> None:
    async with serving(sends=100) as url, linked(url) as link:
        link.send("last")
        assert await link.receive() == "x" * 100_000
        for _ in range(1_000):  # far more turns of the loop than reading everything takes
            await anyio.lowlevel.checkpoint()
        assert link._unread_bytes <= websocket.MOST_UNREAD_BYTES + 500_000
        rest = [await link.receive() for _ in range(100)]
        assert rest == ["x" * 100_000] * 99 + ["last"]


async def test_a_link_that_is_closed_twice_or_written_to_after_is_harmless() -> None:
    async with serving() as url:
        link = await WebSocketLink.open("vendor", url, {}, patience_s=10)
        await link.aclose()
        await link.aclose()
        link.send("nobody hears this")
        with pytest.raises(ProviderError):
            link.take()


async def test_a_vendor_that_reads_nothing_cannot_keep_a_link_open() -> None:
    async def ignore(client: ServerConnection) -> None:
        client.transport.pause_reading()
        await released.wait()
        client.transport.abort()

    released = anyio.Event()
    async with serve(ignore, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        link = await WebSocketLink.open("vendor", f"ws://127.0.0.1:{port}/", {}, patience_s=10)
        while not link.is_full:
            link.send(bytes(1_000_000))
        await link.aclose()
        assert link._is_lost
        released.set()


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The two ends of a connection that trusts one certificate of our own."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "vendor")])
    now = datetime.now(UTC)  # noqa: TID251 - a certificate is valid by the wall clock
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = signed.public_bytes(serialization.Encoding.PEM)
    file = tmp_path / "both.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + pem
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(file)
    return server, ssl.create_default_context(cadata=pem.decode())


async def test_an_encrypted_link_works_and_closes(
    certificate: tuple[ssl.SSLContext, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, trusting = certificate
    monkeypatch.setattr(websocket, "_trusted", lambda: trusting)
    async with serving(tls=server) as url, linked(url) as link:
        link.send(json.dumps("Hello"))
        assert await link.receive() == '"Hello"'


async def test_a_certificate_that_nobody_vouches_for_is_refused_for_good(
    certificate: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    async with serving(tls=certificate[0]) as url:
        with pytest.raises(ProviderError, match="its certificate is not trusted") as raised:
            await WebSocketLink.open("vendor", url, {}, patience_s=10)
        assert not raised.value.retryable
