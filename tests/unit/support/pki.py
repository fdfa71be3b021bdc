"""Certificates as a public authority issues them, and HTTPS servers that show them."""

import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from scripts.tls.certificates import Pair

DOMAIN = "odoo.example.com"
NOW = datetime(2030, 5, 17, 12, 30, 15, tzinfo=UTC)
_DAY = timedelta(days=1)


def issued(
    names: Sequence[str] = (DOMAIN,),
    *,
    start: datetime = NOW,
    life: timedelta = 90 * _DAY,
    issuer_life: timedelta = 900 * _DAY,
) -> Pair:
    """A leaf with its issuer behind it, and the leaf's key."""
    signer, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    issuer = _certificate("issuer", (), signer, signer, start, issuer_life)
    leaf = _certificate("leaf", names, key, signer, start, life)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return Pair(leaf + issuer, private)


def issued_now(names: Sequence[str] = (DOMAIN,), *, age: timedelta = timedelta(hours=1)) -> Pair:
    """What an authority issued `age` ago."""
    return issued(names, start=datetime.now(UTC) - age)


def parts(chain: bytes) -> list[bytes]:
    """The certificates of `chain`, one by one."""
    end = b"-----END CERTIFICATE-----\n"
    return [part + end for part in chain.split(end) if part.strip()]


def _certificate(
    subject: str,
    names: Sequence[str],
    key: ec.EllipticCurvePrivateKey,
    signer: ec.EllipticCurvePrivateKey,
    start: datetime,
    life: timedelta,
) -> bytes:
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "issuer")]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + life)
    )
    if names:
        entries = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
        builder = builder.add_extension(entries, critical=False)
    return builder.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


@dataclass
class Server:
    """An HTTPS server on this machine; remembers what it was asked for."""

    port: int = 0
    sni: list[str] = field(default_factory=list)
    hosts: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)


@contextmanager
def https(pair: Pair, folder: Path) -> Iterator[Server]:
    """A server on a free port of 127.0.0.1 that shows `pair`."""
    seen = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.hosts.append(self.headers["Host"])
            seen.paths.append(self.path)
            self.send_response(204 if self.path == "/empty" else 302)
            self.send_header("Location", "https://elsewhere.example/")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    def named(_: object, name: str | None, __: object) -> None:
        seen.sni.append(name or "")

    chain, key = folder / "server.pem", folder / "server.key"
    chain.write_bytes(pair.certificate)
    key.write_bytes(pair.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    context.sni_callback = named
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        seen.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield seen
        finally:
            server.shutdown()
            thread.join()
