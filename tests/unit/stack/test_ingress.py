import hashlib
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.core import http
from scripts.core.errors import OpsError
from scripts.core.http import Identity, Reply
from scripts.core.settings import Environment, Settings
from scripts.stack import ingress
from scripts.tls.certificates import Pair
from tests.unit.support.fakes import settings_in
from tests.unit.support.pki import DOMAIN, Server, https, issued_now, parts


@pytest.fixture
def pair() -> Pair:
    return issued_now((DOMAIN, "localhost"))


@pytest.fixture
def server(pair: Pair, tmp_path: Path) -> Iterator[Server]:
    with https(pair, tmp_path) as running:
        yield running


@pytest.fixture
def settings(server: Server, pair: Pair, tmp_path: Path) -> Settings:
    """Production whose HTTPS port is the server's and whose file is what that shows."""
    found = settings_in(
        tmp_path, environment=Environment.PROD, domains=(DOMAIN,), https_port=server.port
    )
    _put(found, pair.certificate)
    return found


def _put(settings: Settings, chain: bytes) -> None:
    current = settings.certificates / "current"
    current.mkdir(parents=True, exist_ok=True)
    (current / "fullchain.pem").write_bytes(chain)


def _fingerprint(pair: Pair) -> str:
    der = ssl.PEM_cert_to_DER_cert(parts(pair.certificate)[0].decode())
    return hashlib.sha256(der).hexdigest()


def _closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


# --- a pinned certificate ---


def test_the_expected_certificate_is_accepted_whoever_signed_it(server: Server, pair: Pair) -> None:
    url = f"https://127.0.0.1:{server.port}/web"
    reply = http.get(url, identity=Identity(DOMAIN, _fingerprint(pair)))
    assert reply == Reply(302, "", location="https://elsewhere.example/")
    assert server.paths == ["/web"]


def test_a_certificate_of_the_same_name_with_another_key_is_refused(
    server: Server, pair: Pair
) -> None:
    other = issued_now((DOMAIN, "localhost"))
    with pytest.raises(OpsError, match="not with the expected certificate"):
        http.get(
            f"https://127.0.0.1:{server.port}/", identity=Identity(DOMAIN, _fingerprint(other))
        )
    assert server.paths == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_who_is_asked_for_does_not_depend_on_the_address(
    server: Server, pair: Pair, host: str
) -> None:
    identity = Identity("elsewhere.example", _fingerprint(pair))
    assert http.get(f"https://{host}:{server.port}/", identity=identity).status == 302
    assert (server.sni, server.hosts) == (["elsewhere.example"], ["elsewhere.example"])


def test_without_an_identity_an_unknown_signer_is_refused(server: Server) -> None:
    with pytest.raises(OpsError, match="not with the expected certificate"):
        http.get(f"https://localhost:{server.port}/")
    assert server.paths == []


def test_a_proxy_of_the_environment_is_not_asked(
    server: Server, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{_closed_port()}")
    url = f"https://127.0.0.1:{server.port}/"
    assert http.get(url, identity=Identity(DOMAIN, _fingerprint(pair))).status == 302


def test_a_port_that_accepts_and_says_nothing_is_not_waited_for(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(OpsError, match="no answer"):
            http.get(f"http://127.0.0.1:{port}/", timeout=0.05)
        settings = settings_in(tmp_path, environment=Environment.PROD, https_port=port)
        with pytest.raises(OpsError, match="timed out"):
            ingress.served_certificate(settings, timeout=0.05)


def test_a_port_that_ends_the_handshake_shows_no_certificate(pair: Pair) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        def hang_up() -> None:
            connection, _ = other.accept()
            with connection:
                connection.recv(1)  # of the greeting; what is left makes it a reset

        thread = threading.Thread(target=hang_up)
        thread.start()
        with pytest.raises(OpsError, match=r"does not speak TLS|nothing answers"):
            http.get(f"https://127.0.0.1:{port}/", identity=Identity(DOMAIN, _fingerprint(pair)))
        thread.join()


def test_a_port_that_speaks_plain_http_shows_no_certificate(pair: Pair) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        def answer() -> None:
            connection, _ = other.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(OpsError, match="does not speak TLS"):
            http.get(f"https://127.0.0.1:{port}/", identity=Identity(DOMAIN, _fingerprint(pair)))
        thread.join()


# --- the front door ---


def test_the_port_of_this_machine_is_asked_for_the_domain(
    server: Server, settings: Settings
) -> None:
    assert ingress.get(settings, "/empty").status == 204
    assert (server.sni, server.hosts, server.paths) == ([DOMAIN], [DOMAIN], ["/empty"])
    assert ingress.certificate_problem(settings) == ""
    assert server.sni == [DOMAIN, DOMAIN]


def test_another_certificate_than_the_file_is_a_problem(settings: Settings, pair: Pair) -> None:
    _put(settings, issued_now((DOMAIN, "localhost")).certificate)
    assert "serves another certificate" in ingress.certificate_problem(settings)
    with pytest.raises(OpsError, match="not with the expected certificate"):
        ingress.get(settings, "/")


def test_only_the_first_certificate_of_the_file_counts(settings: Settings, pair: Pair) -> None:
    leaf, issuer = parts(pair.certificate)
    _put(settings, b"Notes of somebody\n" + leaf)
    assert ingress.certificate_problem(settings) == ""
    _put(settings, issuer + leaf)
    assert ingress.certificate_problem(settings) != ""


@pytest.mark.parametrize(
    "content", [b"", b"nonsense", b"\xff\xfe", b"-----BEGIN CERTIFICATE-----\n"]
)
def test_a_broken_file_is_explained(settings: Settings, content: bytes) -> None:
    _put(settings, content)
    for look in (ingress.expected_certificate, ingress.certificate_problem):
        with pytest.raises(OpsError, match=r"fullchain\.pem cannot be read") as caught:
            look(settings)
        assert "inv setup-tls selfsigned" in caught.value.hint


def test_a_missing_file_is_explained(settings: Settings) -> None:
    (settings.certificates / "current" / "fullchain.pem").unlink()
    with pytest.raises(OpsError, match="cannot be read") as caught:
        ingress.get(settings, "/")
    assert "inv setup-tls selfsigned" in caught.value.hint


def test_where_nothing_listens_it_is_said(tmp_path: Path, pair: Pair) -> None:
    port = _closed_port()
    settings = settings_in(tmp_path, environment=Environment.PROD, https_port=port)
    _put(settings, pair.certificate)
    with pytest.raises(OpsError, match=rf"no HTTPS at 127\.0\.0\.1:{port}"):
        ingress.certificate_problem(settings)
    with pytest.raises(OpsError, match="nothing answers at"):
        ingress.get(settings, "/")


@pytest.mark.parametrize(
    ("bind", "host"),
    [("0.0.0.0", "127.0.0.1"), ("::", "::1"), ("192.0.2.7", "192.0.2.7")],
)
def test_a_port_open_to_everybody_is_reached_by_the_loopback(
    tmp_path: Path, bind: str, host: str
) -> None:
    settings = settings_in(tmp_path, bind=bind, https_port=8443)
    assert ingress.address(settings) == (host, 8443)
