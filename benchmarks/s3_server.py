"""A server that takes what is sent in the words of S3, as a process of its own."""

from __future__ import annotations

import re
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address
from pathlib import Path
from threading import Thread
from typing import ClassVar
from urllib.parse import parse_qs, unquote, urlsplit

from attrs import frozen
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


@frozen
class Server:
    """A server that is up.

    Attributes:
        certificate: What proves who it is, in PEM; None where it speaks without TLS.
    """

    url: str
    certificate: Path | None


@contextmanager
def serving(*, tls: bool) -> Generator[Server]:
    """Run one until the block is left."""
    with tempfile.TemporaryDirectory() as folder:
        certificate = _certificate_in(Path(folder)) if tls else None
        program = [sys.executable, __file__, *([str(certificate)] if tls else [])]
        with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:  # noqa: S603 - it is this one
            assert server.stdin is not None
            assert server.stdout is not None
            try:
                yield Server(server.stdout.readline().decode().strip(), certificate)
            finally:
                server.stdin.close()


class Kept(BaseHTTPRequestHandler):
    """As much of S3 as is asked for. Connections stay open, as there; audio is not kept."""

    protocol_version = "HTTP/1.1"
    kept: ClassVar[dict[str, bytes]] = {}

    def do_PUT(self) -> None:
        body = self._body()
        if "?partNumber" not in self.path:
            self.kept[self._key] = body if self._key.endswith(".jsonl") else b""
        self._answer()

    def do_POST(self) -> None:
        gone = re.findall(rb"<Key>(.+?)</Key>", self._body())
        for key in gone:
            self.kept.pop(key.decode(), None)
        deleted = b"".join(b"<Deleted><Key>%b</Key></Deleted>" % key for key in gone)
        self._answer(b"<Answer><UploadId>1</UploadId>%b</Answer>" % deleted)

    def do_DELETE(self) -> None:
        self.kept.pop(self._key, None)
        self._answer(status=204)

    def do_GET(self) -> None:
        if self._key:
            body = self.kept.get(self._key, b"")
            self._answer(body, 200 if body else 404)
            return
        prefix = parse_qs(urlsplit(self.path).query)["prefix"][0]
        found = "".join(
            f"<Contents><Key>{key}</Key><Size>1</Size>"
            "<LastModified>2026-01-01T00:00:00Z</LastModified></Contents>"
            for key in sorted(self.kept)
            if key.startswith(prefix)
        )
        self._answer(f"<List>{found}<IsTruncated>false</IsTruncated></List>".encode())

    @property
    def _key(self) -> str:
        return unquote(urlsplit(self.path).path).partition("/")[2].partition("/")[2]

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _answer(self, body: bytes = b"", status: int = 200) -> None:
        self.send_response(status)
        self.send_header("ETag", f'"{"0" * 32}"')
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def _certificate_in(folder: Path) -> Path:
    """Make a certificate of this machine, and its key beside it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "S3")])
    now = datetime.now(UTC)  # noqa: TID251  # a certificate holds by real time
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=24))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    path = folder / "certificate.pem"
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    _key_of(path).write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


def _key_of(certificate: Path) -> Path:
    return certificate.with_name("key.pem")


def main() -> None:
    """Serve until stdin ends, by TLS if a certificate is named."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Kept) as server:
        scheme = "http"
        for name in sys.argv[1:]:
            context, scheme = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), "https"
            context.load_cert_chain(name, _key_of(Path(name)))
            server.socket = context.wrap_socket(server.socket, server_side=True)
        print(f"{scheme}://127.0.0.1:{server.server_port}", flush=True)
        Thread(target=server.serve_forever, daemon=True).start()
        sys.stdin.read()
        server.shutdown()


if __name__ == "__main__":
    main()
