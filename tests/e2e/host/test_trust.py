"""The private CA in the trust store of a real Debian and in a real browser's database."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from scripts.stack.engine import Engine
from scripts.tls import certificates, hostnames
from tests.e2e.support.debian_host import DebianHost, debian_host

DATABASE = "sql:/root/.mozilla/firefox/my profile.default"
PREPARE = [
    "from pathlib import Path",
    "from scripts.core.process import SystemRunner",
    "from scripts.tls import trust",
    "class Person:",
    "    def __init__(self, answer): self.answer = answer",
    "    def confirm(self, question, unattended): return self.answer",
    "ca, runner = Path('/ca/ca.pem'), SystemRunner()",
]


@pytest.fixture
def machine(docker: Engine) -> Iterator[DebianHost]:
    now = datetime.now(UTC)
    ca = certificates.make_ca(now)
    leaf = certificates.make_leaf(ca, hostnames.parse_names(["odoo.example.com"]), now)
    with debian_host() as started:
        started.write("/ca/ca.pem", ca.certificate)
        started.write("/ca/leaf.pem", leaf.certificate)
        started.ok("mkdir", "-p", DATABASE.removeprefix("sql:"))
        started.ok("certutil", "-N", "-d", DATABASE, "--empty-password")
        yield started


def _trusted(machine: DebianHost) -> tuple[bool, bool]:
    """By what uses OpenSSL, and by the browser."""
    verified = machine.run("openssl", "verify", "/ca/leaf.pem")
    listed = machine.ok("certutil", "-L", "-d", DATABASE)
    return verified.returncode == 0, b"ipai-platform-" in listed


def test_a_machine_trusts_the_ca_from_trust_until_untrust(machine: DebianHost) -> None:
    before = machine.ok("sh", "-c", "ls /etc/ssl/certs; sha256sum /etc/ssl/certs/*.crt")
    assert _trusted(machine) == (False, False)
    for _ in range(2):
        machine.python(*PREPARE, "trust.trust(ca, runner, Person(True))")
        assert _trusted(machine) == (True, True)
    removed = machine.python(*PREPARE, "print(*trust.untrust(ca, runner), sep='\\n')")
    assert len(removed.splitlines()) == 2
    assert _trusted(machine) == (False, False)
    assert machine.ok("sh", "-c", "ls /etc/ssl/certs; sha256sum /etc/ssl/certs/*.crt") == before


def test_a_refusal_leaves_the_machine_as_it_was(machine: DebianHost) -> None:
    refused = ["try: trust.trust(ca, runner, Person(False))", "except trust.OpsError: print('no')"]
    assert machine.python(*PREPARE, *refused) == "no"
    assert _trusted(machine) == (False, False)
