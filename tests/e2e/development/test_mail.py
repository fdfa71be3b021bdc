"""In development no mail leaves, whatever a database says, and no mailbox is read."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.e2e.support import browsing
from tests.e2e.support.checkout import Checkout
from tests.support.json_documentation import problems
from tests.support.waiting import eventually

_COPY = "with_mail"
_SERVER = {
    "name": "World", "smtp_host": "smtp.world.test", "smtp_port": 465, "smtp_encryption": "ssl",
    "smtp_user": "me", "smtp_pass": "secret", "from_filter": "company.test",
}  # fmt: skip
_SEND = """
server = env["ir.mail_server"].create({server})
env.cr.commit()
mail = env["mail.mail"].create({{
    "subject": "Invoice 1", "email_from": "boss@company.test", "email_to": "customer@world.test",
    "body_html": "<p>Please pay</p>", "mail_server_id": server.id}})
mail.send()
print("state:", mail.state, mail.failure_reason)
"""
_FETCH = """
box = env["fetchmail.server"].create({
    "name": "Company", "server_type": "imap", "server": "imap.world.test", "port": 993,
    "is_ssl": True, "user": "me", "password": "secret", "state": "done"})
env.cr.commit()
cron = env.ref("mail.ir_cron_mail_gateway_action")
print("cron:", box.with_context(cron_id=cron.id)._fetch_mails(), box.state)
for name in ("fetch_mail", "button_confirm_login"):
    try:
        getattr(box, name)()
    except Exception as error:
        print(name, type(error).__name__, error)
"""
_DIRECT = """
import smtplib
with smtplib.SMTP("smtp.world.test", 587) as smtp:
    smtp.starttls()
    smtp.login("me", "secret")
    smtp.sendmail("a@company.test", ["b@world.test"], "Subject: Direct\\r\\n\\r\\nx")
print("sent")
"""


@pytest.fixture(scope="module")
def copied(platform: Checkout) -> Iterator[str]:
    """A database with the module mail."""
    platform.copy_database(_COPY)
    done = platform.exec("odoo", "odoo", "-d", _COPY, "-i", "mail", "--stop-after-init")
    assert done.returncode == 0, done.stderr
    yield _COPY
    platform.sql(f"DROP DATABASE {_COPY} WITH (FORCE)", "postgres")


def _shell(platform: Checkout, script: str, folder: Path, database: str = "odoo") -> str:
    file = folder / "script.py"
    file.write_text(script)
    shell = f"odoo shell -d {database} --no-http"
    done = platform.run("sh", "-c", f"docker exec -i {platform.project}-odoo-1 {shell} < {file}")
    return done.stdout + done.stderr


def _page(platform: Checkout) -> str:
    return f"http://localhost:{platform.mail_port}"


def _caught(platform: Checkout) -> dict[str, Any]:
    """What maildev has, by subject."""
    found = requests.get(f"{_page(platform)}/email", timeout=10).json()
    return {message["subject"]: message for message in found}


def test_mail_for_a_server_of_the_database_is_in_the_catcher_and_on_its_page(
    platform: Checkout, copied: str, tmp_path: Path
) -> None:
    said = _shell(platform, _SEND.format(server=_SERVER), tmp_path, copied)
    assert "state: sent" in said, said
    message = eventually(lambda: _caught(platform).get("Invoice 1"), 5)
    assert message
    assert [to["address"] for to in message["envelope"]["to"]] == ["customer@world.test"]
    assert message["from"][0]["address"] == "boss@company.test"
    with browsing.browsers(platform) as found, found.open() as driver:
        driver.get("http://mail_catcher:8025/")
        assert eventually(lambda: "Invoice 1" in driver.page_source, 10)
        assert "customer@world.test" in driver.page_source


def test_a_module_that_speaks_smtp_itself_reaches_the_catcher_only(
    platform: Checkout, tmp_path: Path
) -> None:
    said = _shell(platform, _DIRECT, tmp_path)
    assert "sent" in said.splitlines(), said
    assert "mail for smtp.world.test:587 goes to the catcher" in said
    assert eventually(lambda: "Direct" in _caught(platform), 5)


def test_mailboxes_are_left_alone(platform: Checkout, copied: str, tmp_path: Path) -> None:
    said = _shell(platform, _FETCH, tmp_path, copied)
    assert "cron: None done" in said, said
    assert "fetch_mail UserError This server is not asked" in said
    assert "button_confirm_login UserError Connection test failed: This server is not" in said
    assert "Incoming mail servers are not asked" in said and "imap.world.test" not in said


def test_a_test_message_shows_the_answer_and_where_it_is(platform: Checkout) -> None:
    done = platform.inv("mail.test", "--to", "somebody@world.test", "--json")
    assert done.returncode == 0, done.stderr
    assert problems("mail.test", done.stdout) == []
    told = json.loads(done.stdout)
    assert told["origin"] == "catcher" and told["answer"].startswith("250 ")
    assert "Test of the mail server" in _caught(platform)


def test_a_start_says_where_the_mail_is_and_odoo_s_log_that_it_is_caught(
    platform: Checkout,
) -> None:
    done = platform.inv("up")
    assert f"Mail: {_page(platform)} shows what Odoo sends; none leaves" in done.stdout
    log = platform.compose("logs", "--no-color", "odoo").stdout
    assert "Development: all mail goes to mail_catcher.:1025" in log


def test_a_page_of_another_site_cannot_read_the_mail(platform: Checkout) -> None:
    asked = {"Origin": "http://evil.test"}
    assert requests.get(f"{_page(platform)}/email", headers=asked, timeout=10).status_code == 403


def test_without_the_catcher_nothing_is_sent_anywhere_else(platform: Checkout) -> None:
    assert platform.compose("stop", "mail_catcher").returncode == 0
    try:
        done = platform.inv("mail.test", "--to", "somebody@world.test")
        health = platform.inv("health")
    finally:
        assert platform.compose("start", "mail_catcher").returncode == 0
    assert done.returncode == 1
    assert "took no mail" in done.stderr and "inv logs mail_catcher" in done.stderr
    assert health.returncode == 0 and "Mail catcher: ! " in health.stdout
