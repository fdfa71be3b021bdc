"""`inv clone --serve`: a copy that people use, beside a platform in production."""

import json
import re
import shlex
from typing import Any, Final

import requests

from tests.e2e.support.production import Production
from tests.support.json_documentation import problems
from tests.support.waiting import eventually

_SERVICES: Final = ("odoo_clone", "nginx_clone", "mail_clone")
_MAIL: Final = """
from email.message import EmailMessage
made = EmailMessage()
made["Subject"], made["From"], made["To"] = "of the copy", "a@example.com", "b@example.com"
made["Message-Id"] = "<of-the-copy@example.com>"
made.set_content(env["ir.config_parameter"].get_param("web.base.url"))
env["ir.mail_server"].send_email(made)
"""


def _running(production: Production) -> set[str]:
    listed = production.compose("--profile", "clone", "ps", "--services").stdout.split()
    return set(listed) & set(_SERVICES)


class _Visitor:
    """A browser that resolves names below localhost, as browsers do."""

    def __init__(self, production: Production) -> None:
        self.port = production.clone_port
        self.session = requests.Session()
        self.session.headers["Host"] = f"staging.localhost:{self.port}"

    def get(self, path: str) -> requests.Response:
        return self.session.get(f"http://127.0.0.1:{self.port}{path}", timeout=60)

    def log_in(self, password: str) -> requests.Response:
        found = re.search(r'name="csrf_token" value="([^"]+)"', self.get("/web/login").text)
        assert found
        form = {"csrf_token": found[1], "login": "admin", "password": password}
        return self.session.post(
            f"http://127.0.0.1:{self.port}/web/login",
            data=form,
            allow_redirects=False,
            timeout=60,
        )


def _send(production: Production) -> None:
    shell = f"printf %s {shlex.quote(_MAIL)} | odoo shell -d staging --no-http"
    done = production.exec("odoo_clone", "sh", "-c", shell)
    assert done.returncode == 0, done.stderr


def _messages(visitor: _Visitor) -> list[Any]:
    mailpit = visitor.get("/_mail/api/v1/messages")
    found = mailpit.json()["messages"] if mailpit.ok else visitor.get("/_mail/email").json()
    assert isinstance(found, list)
    return found


def test_a_served_copy_is_used_beside_the_platform_and_ended(production: Production) -> None:
    done = production.inv("clone", "--serve", "--json")
    assert done.returncode == 0, done.stderr
    assert problems("clone", done.stdout) == []
    told = json.loads(done.stdout)
    assert told["url"] == f"http://staging.localhost:{production.clone_port}"
    assert told["mail_page"] == f"{told['url']}/_mail/"
    assert _running(production) == set(_SERVICES)
    visitor = _Visitor(production)
    assert visitor.log_in(production.admin_password).status_code == 303
    address = "SELECT value FROM ir_config_parameter WHERE key = 'web.base.url'"
    assert production.sql(address, "staging") == told["url"]
    assert production.sql(address) != told["url"]
    # Its mail is on its page, through Nginx, with no link to the platform itself.
    assert visitor.get("/_mail/").status_code == 200
    assert _messages(visitor) == []
    _send(production)
    messages = eventually(lambda: _messages(visitor), 20)
    assert len(messages) == 1 and "of the copy" in json.dumps(messages)
    # Another name is no way to another database.
    assert visitor.get("/web/database/selector").status_code == 404
    listed = {d["name"]: d["url"] for d in json.loads(production.inv("db.list", "--json").stdout)}
    assert listed == {"odoo": "", "staging": told["url"]}
    status = json.loads(production.inv("status", "--json").stdout)
    assert status["copy"] == {"database": "staging", "url": told["url"]}
    refused = production.inv("restore", "--to-database", "staging", "--yes")
    assert refused.returncode == 2 and "'staging' is served" in refused.stderr
    # The name again: logins of the copy go on, and it is served again.
    again = production.inv("clone", "--yes")
    assert again.returncode == 0, again.stderr
    assert eventually(lambda: visitor.get("/web/login").ok, 60)
    keys = ("redis", "sh", "/etc/platform/cli", "--scan", "--pattern", "clone:*")
    assert production.exec(*keys).stdout.strip()
    ended = production.inv("db.drop", "staging", "--yes")
    assert ended.returncode == 0, ended.stderr
    assert _running(production) == set()
    assert production.exec(*keys).stdout.strip() == ""
    assert "COMPOSE_PROFILES=\n" in (production.root / ".env").read_text()
    assert production.inv("health").returncode == 0
