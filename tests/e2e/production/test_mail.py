"""Production sends mail by the relay of SMTP_*, and checks who that is."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from scripts.core.settings import Settings
from scripts.stack import image_names
from scripts.tls import certificates
from tests.e2e.support import smtp_relay, tools
from tests.e2e.support.production import Production
from tests.support.waiting import eventually

_HOST, _USER, _PASSWORD = "relay.test", "mailer@odoo.test", "not#a-generated one"


@dataclass(frozen=True)
class _Relay:
    """A relay on the platform's network, and a platform that is told of it."""

    production: Production
    container: str
    settings: dict[str, str]

    def taken(self) -> list[dict[str, Any]]:
        done = self.production.run("docker", "logs", self.container)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def up(self, **changed: str) -> None:
        done = self.production.inv("up", **{**self.settings, **changed})
        assert done.returncode == 0, done.stderr

    def test(self, to: str) -> tuple[int, str]:
        done = self.production.inv("mail.test", "--to", to, **self.settings)
        return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def relay(production: Production, tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Relay]:
    folder = tmp_path_factory.mktemp("relay")
    now = datetime.now(UTC)
    ca = certificates.make_ca(now)
    leaf = certificates.make_leaf(ca, [_HOST], now)
    (folder / "chain.pem").write_bytes(leaf.certificate)
    (folder / "key.pem").write_bytes(leaf.key)
    authority = tmp_path_factory.mktemp("authority") / "ca.pem"
    authority.write_bytes(ca.certificate)
    image = image_names.effective(Settings.load(production.root))["ODOO_BASE_IMAGE"]
    program = f"--volume={Path(smtp_relay.__file__)}:/smtp_relay.py:ro"
    options = [f"--network-alias={_HOST}", program, f"--volume={folder}:/relay:ro", "--user=0"]
    words = ["--entrypoint=python3", image, "/smtp_relay.py", _USER, _PASSWORD]
    (production.root / "secrets" / "smtp_password.txt").write_text(_PASSWORD + "\n")
    settings = {
        "SMTP_HOST": _HOST, "SMTP_USER": _USER, "SMTP_FROM": "odoo@odoo.test",
        "SMTP_CA_FILE": str(authority),
    }  # fmt: skip
    with tools.on_the_edge(production, "relay", *options, *words) as container:
        found = _Relay(production, container, settings)
        found.up()
        yield found
    (production.root / "secrets" / "smtp_password.txt").unlink()
    assert production.inv("up").returncode == 0


def _shell(production: Production, script: str, folder: Path) -> str:
    file = folder / "script.py"
    file.write_text(script)
    program = f"docker exec -i {production.project}-odoo-1 odoo shell -d odoo --no-http < {file}"
    done = production.run("sh", "-c", program)
    return done.stdout + done.stderr


def test_the_relay_is_given_the_message_and_its_answer_is_shown(relay: _Relay) -> None:
    code, said = relay.test("customer@world.test")
    assert code == 0, said
    assert "Server: relay.test:587 (SMTP_* in .env)" in said
    assert "Answer: 250 2.0.0 queued as 4711" in said
    (message,) = eventually(relay.taken, 5)
    assert "customer@world.test" in message["to"][0] and "odoo@odoo.test" in message["from"]


def test_a_sender_of_another_domain_is_replaced_by_ours(relay: _Relay, tmp_path: Path) -> None:
    before = len(relay.taken())
    name = "_build_email__" if _is_new(relay.production) else "build_email"
    said = _shell(
        relay.production,
        "servers = env['ir.mail_server']\n"
        f"made = servers.{name}('\"Bob\" <bob@gmail.test>', ['a@world.test'], 'Hello', 'x')\n"
        "print(servers.send_email(made))\n",
        tmp_path,
    )
    (message,) = relay.taken()[before:]
    assert 'From: "Bob" <odoo@odoo.test>' in message["text"], said


def _is_new(production: Production) -> bool:
    series = production.execute("odoo", "cat", "/usr/local/share/platform/series")
    return int(series.split(".")[0]) >= 19


def test_what_the_relay_refuses_is_told_with_its_reason(relay: _Relay) -> None:
    code, said = relay.test("refused@world.test")
    assert code == 1
    assert "error: relay.test:587 (SMTP_* in .env) took no mail: 550 5.7.1 not here" in said
    assert "\nhint: " in said and "does not relay" in said


def test_a_mail_server_that_is_set_in_odoo_wins_over_the_relay(relay: _Relay) -> None:
    row = "'Own', 'nobody.invalid', 25, 'none', true, 'login', 1"
    columns = "name, smtp_host, smtp_port, smtp_encryption, active, smtp_authentication, sequence"
    relay.production.sql(f"INSERT INTO ir_mail_server ({columns}) VALUES ({row})")
    try:
        code, said = relay.test("customer@world.test")
    finally:
        relay.production.sql("DELETE FROM ir_mail_server")
    assert code == 1
    assert "nobody.invalid:25 (the mail server 'Own' in Odoo) took no mail" in said
    assert "Outgoing Mail Servers" in said


def test_a_wrong_password_is_told_without_showing_it(relay: _Relay) -> None:
    file = relay.production.root / "secrets" / "smtp_password.txt"
    file.write_text("wrong-and-secret\n")
    try:
        assert relay.production.inv("restart", "odoo", **relay.settings).returncode == 0
        code, said = relay.test("customer@world.test")
    finally:
        file.write_text(_PASSWORD + "\n")
    assert code == 1
    assert "535 5.7.8 wrong password" in said and "secrets/smtp_password.txt" in said
    assert "wrong-and-secret" not in said + relay.production.logs("odoo")


def test_a_relay_whose_certificate_nobody_vouches_for_gets_no_password(relay: _Relay) -> None:
    before = len(relay.taken())
    relay.up(SMTP_CA_FILE="")
    try:
        code, said = relay.test("customer@world.test")
    finally:
        relay.up()
    assert code == 1 and "certificate verify failed" in said and "SMTP_CA_FILE" in said
    assert len(relay.taken()) == before


def test_production_does_not_start_without_the_password_of_its_relay(relay: _Relay) -> None:
    file = relay.production.root / "secrets" / "smtp_password.txt"
    file.unlink()
    try:
        done = relay.production.inv("up", **relay.settings)
    finally:
        file.write_text(_PASSWORD + "\n")
    assert done.returncode == 1
    assert "Mail: SMTP_USER is set, and secrets/smtp_password.txt cannot be read" in done.stderr


def test_there_is_no_catcher_in_production(relay: _Relay) -> None:
    assert relay.production.container("mail_catcher") == ""
