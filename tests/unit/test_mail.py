"""Settings of mail, the check before a start, and what `inv mail.test` makes of Odoo's answer."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from scripts import mail
from scripts.core.checks import Status
from scripts.core.errors import OpsError, UsageError
from scripts.core.mail_settings import MailSettings
from scripts.core.settings import Environment
from scripts.core.values import Values
from scripts.stack.compose import Stack
from tests.unit.support.fakes import FakeRunner, says, settings_in

_SENT = {
    "origin": "settings", "server": "smtp.example.com:587", "name": "", "sender": "a@example.com",
    "answer": "250 queued", "kind": "", "reason": "",
}  # fmt: skip


def _read(**given: str) -> tuple[MailSettings, list[str]]:
    values = Values(given)
    return MailSettings.read(values), values.problems


def test_without_settings_there_is_no_relay_and_the_page_is_on_this_machine() -> None:
    found, problems = _read()
    assert problems == [] and found.host == ""
    assert found.page == "http://localhost:8025"


@pytest.mark.parametrize(("bind", "page"), [("0.0.0.0", "localhost"), ("::1", "[::1]"),
                                            ("10.0.0.2", "10.0.0.2")])  # fmt: skip
def test_the_page_is_named_as_a_browser_finds_it(bind: str, page: str) -> None:
    assert _read(MAIL_BIND=bind, MAIL_PORT="1")[0].page == f"http://{page}:1"


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"SMTP_HOST": "smtp://relay"}, "SMTP_HOST"),
        ({"SMTP_PORT": "many"}, "SMTP_PORT"),
        ({"SMTP_ENCRYPTION": "tls"}, "none, starttls, ssl"),
        ({"SMTP_FROM": "me"}, "SMTP_FROM"),
        ({"MAIL_PORT": "0"}, "MAIL_PORT"),
        ({"SMTP_USER": "two words"}, "SMTP_USER"),
    ],
)
def test_a_wrong_setting_is_named(wrong: Mapping[str, str], named: str) -> None:
    (problem,) = _read(**wrong)[1]
    assert named in problem


@pytest.mark.parametrize("host", ["Smtp.Example.com", "10.0.0.1", "fd00::1", "relay"])
def test_a_relay_may_have_a_name_or_an_address(host: str) -> None:
    assert _read(SMTP_HOST=host) == (MailSettings("127.0.0.1", 8025, host, "", ""), [])


def _checked(root: Path, password: str | None, **changes: Any) -> tuple[Status, str]:
    (root / "secrets").mkdir()
    if password is not None:
        (root / "secrets" / mail.PASSWORD_FILE).write_text(password)
    given = {"environment": Environment.PROD, "smtp_host": "relay", "smtp_user": "me", **changes}
    finding = mail.preflight(settings_in(root, **given)).probe()
    return finding.status, finding.detail


@pytest.mark.parametrize(
    ("password", "said"),
    [
        (None, "cannot be read (FileNotFoundError)"),
        ("\n", "holds no password"),
        ("# smtp_password.txt: password of …", "holds no password"),
    ],
)
def test_a_relay_with_a_user_wants_its_password(
    tmp_path: Path, password: str | None, said: str
) -> None:
    status, detail = _checked(tmp_path, password)
    assert status is Status.FAILED and detail.endswith(said)


@pytest.mark.parametrize("password", ["short", "#1 of all", "two words"])
def test_a_password_that_somebody_else_has_chosen_may_be_any(tmp_path: Path, password: str) -> None:
    assert _checked(tmp_path, password) == (Status.OK, "")


@pytest.mark.parametrize(
    "changes",
    [{"smtp_user": ""}, {"smtp_host": "", "smtp_user": ""}, {"environment": Environment.DEV}],
)
def test_else_no_password_is_wanted(tmp_path: Path, changes: Mapping[str, Any]) -> None:
    assert _checked(tmp_path, None, **changes) == (Status.OK, "")


def _send(root: Path, to: str = "b@example.com", **answer: str) -> mail.Sent:
    told = "some line of Odoo's\nmail-test: " + json.dumps({**_SENT, **answer}) + "\n"
    return mail.send(Stack(settings_in(root), FakeRunner({"docker exec": says(told)})), to)


def test_what_the_server_said_is_shown(tmp_path: Path) -> None:
    shown = mail.lines(_send(tmp_path), settings_in(tmp_path))
    assert shown == ["Server: smtp.example.com:587 (SMTP_* in .env)", "From:   a@example.com",
                     "Answer: 250 queued"]  # fmt: skip


@pytest.mark.parametrize(
    ("origin", "kind", "hint"),
    [
        ("settings", "login", "secrets/smtp_password.txt"),
        ("database", "login", "Outgoing Mail Servers"),
        ("settings", "certificate", "SMTP_CA_FILE"),
        ("settings", "sender", "SMTP_FROM"),
        ("configuration", "unreachable", "SMTP_HOST in .env"),
        ("catcher", "name", "inv logs mail_catcher"),
        ("settings", "odoo", "inv logs odoo"),
    ],
)
def test_a_refusal_is_an_error_with_its_reason_and_a_way_out(
    tmp_path: Path, origin: str, kind: str, hint: str
) -> None:
    with pytest.raises(OpsError, match="took no mail: 535 no") as caught:
        _send(tmp_path, origin=origin, kind=kind, reason="535 no")
    assert hint in caught.value.hint


@pytest.mark.parametrize("to", ["", "me", "a@b c@d"])
def test_what_is_no_address_is_refused_before_anything_is_asked(tmp_path: Path, to: str) -> None:
    with pytest.raises(UsageError, match="no mail address"):
        mail.send(Stack(settings_in(tmp_path), FakeRunner()), to)


def test_the_address_reaches_odoo_as_a_string_whatever_is_in_it(tmp_path: Path) -> None:
    to = '"+__import__("os").system("id")+"@x'
    runner = FakeRunner({"docker exec": says("mail-test: " + json.dumps(_SENT))})
    mail.send(Stack(settings_in(tmp_path), runner), to)
    (script,) = runner.inputs
    called: list[str] = []
    source = script.partition("\n")[2].replace("check.main(env, ", "called.append(")
    exec(source, {"called": called})
    assert called == [to]


def test_an_odoo_that_does_not_run_is_said(tmp_path: Path) -> None:
    runner = FakeRunner({"docker exec": says(code=1, stderr="odoo is not running\n")})
    with pytest.raises(OpsError, match="cannot be asked to send mail: odoo is not running"):
        mail.send(Stack(settings_in(tmp_path), runner), "a@b")


def test_nothing_is_sent_on_trial(tmp_path: Path) -> None:
    runner = FakeRunner()
    runner.dry = True
    with pytest.raises(UsageError):
        mail.send(Stack(settings_in(tmp_path), runner), "a@b")
    assert not runner.calls
