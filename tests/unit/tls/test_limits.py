"""What the private CA is good for, as the clients see it that will trust it."""

import shutil
import socket
import ssl
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from scripts.tls import certificates, hostnames
from scripts.tls.certificates import Pair
from tests.unit.support.pki import https

_NAMES = hostnames.parse_names(["odoo.test", "*.shop.test", "192.0.2.7", "2001:db8::7"])
_GOOD = ("odoo.test", "a.odoo.test", "a.shop.test", "shop.test", "localhost", "odoo.localhost")
_BAD = ("bank.example", "test", "notodoo.test", "192.0.2.8", "10.0.0.1", "2001:db8::8")
_NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def ca() -> Pair:
    """A CA for `_NAMES`."""
    return certificates.make_ca(_NOW, _NAMES)


def test_a_ca_has_critical_limits_for_its_names_and_this_machine(ca: Pair) -> None:
    parsed = x509.load_pem_x509_certificate(ca.certificate)
    limits = parsed.extensions.get_extension_for_class(x509.NameConstraints)
    assert limits.critical and not limits.value.excluded_subtrees
    found = [str(tree.value) for tree in limits.value.permitted_subtrees or ()]
    assert found == [
        "odoo.test",
        "shop.test",
        "localhost",
        "127.0.0.0/8",
        "::1/128",
        "192.0.2.7/32",
        "2001:db8::7/128",
    ]


def test_names_outside_the_limits_are_found(ca: Pair) -> None:
    assert certificates.outside(ca.certificate, [*_NAMES, *_GOOD, "127.3.2.1"]) == ()
    assert certificates.outside(ca.certificate, [*_GOOD, *_BAD]) == _BAD
    assert certificates.outside(ca.certificate, ["*.test", "*.odoo.test"]) == ("*.test",)


def test_a_ca_from_before_has_no_limits() -> None:
    before = certificates.make_ca(_NOW)
    assert certificates.outside(before.certificate, [*_GOOD, *_BAD]) == ()
    assert certificates.outside(b"nonsense", _BAD) == ()


@pytest.mark.parametrize("client", ["openssl", "curl", "python"])
@pytest.mark.parametrize(
    ("name", "accepted"),
    [
        ("odoo.test", True),
        ("a.shop.test", True),
        ("localhost", True),
        ("bank.example", False),
        ("shop.example", False),
    ],
)
def test_clients_that_trust_the_ca_refuse_what_a_thief_of_its_key_signs(
    ca: Pair, tmp_path: Path, client: str, name: str, accepted: bool
) -> None:
    if client != "python" and not shutil.which(client):
        pytest.skip(f"there is no {client}")
    leaf = certificates.make_leaf(ca, [name, "127.0.0.1"], _NOW)
    root = tmp_path / "ca.pem"
    root.write_bytes(ca.certificate)
    with https(leaf, tmp_path) as server:
        assert _CLIENTS[client](root, name, server.port) is accepted


def _openssl(root: Path, name: str, _: int) -> bool:
    server = str(root.with_name("server.pem"))
    argv = ["openssl", "verify", "-CAfile", str(root), "-verify_hostname", name, server]
    return subprocess.run(argv, capture_output=True, check=False, timeout=30).returncode == 0


def _curl(root: Path, name: str, port: int) -> bool:
    argv = ["curl", "-sS", "--noproxy", "*", "--cacert", str(root)]
    argv += ["--resolve", f"{name}:{port}:127.0.0.1", f"https://{name}:{port}/"]
    return subprocess.run(argv, capture_output=True, check=False, timeout=30).returncode == 0


def _python(root: Path, name: str, port: int) -> bool:
    context = ssl.create_default_context(cafile=str(root))
    with socket.create_connection(("127.0.0.1", port), timeout=10) as plain:
        try:
            context.wrap_socket(plain, server_hostname=name).close()
        except ssl.SSLCertVerificationError:
            return False
    return True


_CLIENTS = {"openssl": _openssl, "curl": _curl, "python": _python}


def test_a_leaf_for_all_names_is_accepted_by_the_address_too(ca: Pair, tmp_path: Path) -> None:
    leaf = certificates.make_leaf(ca, _NAMES, _NOW)
    root = tmp_path / "ca.pem"
    root.write_bytes(ca.certificate)
    with https(leaf, tmp_path) as server:
        assert _python(root, "127.0.0.1", server.port)
    later = _NOW + timedelta(days=1)
    assert certificates.leaf_problem(leaf, ca.certificate, _NAMES, later) == ""
