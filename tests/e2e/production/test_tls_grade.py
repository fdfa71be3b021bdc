"""The TLS of the production site, graded by testssl.sh as a visitor would find it."""

import json
import socket
import ssl
from typing import Any

import pytest

from tests.e2e.support import tools
from tests.e2e.support.production import NAME, Production

pytestmark = pytest.mark.xdist_group("browser")

# All that the grade is made of, and what these tests look at. Not how some forty browsers of the
# last fifteen years would fare, which takes a third of the time and follows from the rest.
_PARTS = [
    "--protocols",
    "--std",
    "--forward-secrecy",
    "--server-preference",
    "--server-defaults",
    "--headers",
    "--vulnerable",
]
_PLAIN = ["--quiet", "--warnings", "off", "--color", "0"]
_OPTIONS = [*_PLAIN, "--nodns", "min", "--add-ca", "/ca.pem", "--overwrite"]
_SCAN = [*_PARTS, *_OPTIONS, "--jsonfile-pretty", "full.json", f"https://{NAME}:443"]
_UNAVOIDABLE = {
    # A private authority publishes no lists of revoked certificates.
    "cert_revocation": "HIGH",
    # Of testssl.sh itself: its OpenSSL is not one that it was built with.
    "engine_problem": "WARN",
}
_BAD = {"LOW", "MEDIUM", "HIGH", "CRITICAL", "FATAL"}


@pytest.fixture(scope="module")
def scan(production: Production) -> dict[str, dict[str, Any]]:
    """Every finding of a run, by its name."""
    image = tools.build(production, "testssl")
    host = f"--add-host={NAME}:{production.address('nginx')}"
    mount = f"--volume={production.ca}:/ca.pem:ro"
    with tools.on_the_edge(production, "testssl", host, mount, image, *_SCAN) as container:
        production.run("docker", "wait", container, timeout=400)
        copy = production.root / ".state" / "testssl.json"
        where = f"{container}:/home/testssl/full.json"
        done = production.run("docker", "cp", where, str(copy))
        assert done.returncode == 0, production.run("docker", "logs", container).stdout
    result = json.loads(copy.read_text())["scanResult"][0]
    parts = (part for part in result.values() if isinstance(part, list))
    return {finding["id"]: finding for part in parts for finding in part}


def test_the_grade_is_a_plus(scan: dict[str, dict[str, Any]]) -> None:
    assert scan["overall_grade"]["finding"] == "A+"
    assert int(scan["final_score"]["finding"]) >= 96


def test_nothing_is_not_ok(scan: dict[str, dict[str, Any]]) -> None:
    bad = {name: f["severity"] for name, f in scan.items() if f["severity"] in _BAD}
    assert bad.items() <= _UNAVOIDABLE.items(), {name: scan[name] for name in bad}


def test_only_tls_1_2_and_1_3_are_spoken_and_http2_is(scan: dict[str, dict[str, Any]]) -> None:
    for old in ("SSLv2", "SSLv3", "TLS1", "TLS1_1"):
        assert scan[old]["finding"] == "not offered"
    assert scan["TLS1_2"]["finding"] == "offered"
    assert scan["TLS1_3"]["finding"].startswith("offered")
    assert scan["ALPN_HTTP2"]["finding"] == "h2"


def test_every_cipher_is_modern_and_keeps_the_past_secret(scan: dict[str, dict[str, Any]]) -> None:
    # An A+ alone would allow CBC and ciphers without forward secrecy.
    for kind in ("NULL", "aNULL", "EXPORT", "LOW", "3DES_IDEA", "OBSOLETED", "STRONG_NOFS"):
        assert scan[f"cipherlist_{kind}"]["finding"] == "not offered"
    offered = [f["finding"] for name, f in scan.items() if name.startswith("cipher-tls1_")]
    assert len(offered) == 6  # an RSA certificate has the others of Mozilla's list
    for cipher in offered:
        assert "GCM" in cipher or "CHACHA20" in cipher
        assert "ECDH" in cipher and "CBC" not in cipher


def test_recordings_of_today_are_safe_from_quantum_computers(
    production: Production, scan: dict[str, dict[str, Any]]
) -> None:
    version = production.execute("nginx", "sh", "-c", "nginx -V 2>&1").split("OpenSSL ")[1]
    if tuple(map(int, version.split()[0].split(".")[:2])) < (3, 5):
        pytest.skip("this Nginx has an OpenSSL without ML-KEM")
    assert "X25519MLKEM768" in scan["FS_KEMs"]["finding"].split()


def _connect(
    production: Production, context: ssl.SSLContext, session: ssl.SSLSession | None = None
) -> ssl.SSLSocket:
    plain = socket.create_connection(("127.0.0.1", production.https_port), 10)
    return context.wrap_socket(plain, server_hostname=NAME, session=session)


def test_a_visitor_who_comes_back_resumes_the_session_without_tickets(
    production: Production,
) -> None:
    context = ssl.create_default_context(cafile=str(production.ca))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with _connect(production, context) as first:
        # Nginx keeps the session after it has sent its last word of the handshake: an answer
        # says that it has come to that.
        first.sendall(f"GET /nginx-health HTTP/1.1\r\nHost: {NAME}\r\n\r\n".encode())
        assert first.recv(4096).startswith(b"HTTP/1.1 ")
        session = first.session
    assert session and session.id and not session.has_ticket
    # By any worker: the cache is shared.
    for _ in range(8):
        with _connect(production, context, session) as again:
            assert again.session_reused


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_an_old_client_is_refused(production: Production, version: ssl.TLSVersion) -> None:
    context = ssl.create_default_context(cafile=str(production.ca))
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    with pytest.raises((ssl.SSLError, OSError)):
        _connect(production, context)
