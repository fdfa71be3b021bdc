"""What a visitor gets through Nginx: login page, asset bundles, websocket."""

import os
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from scripts.core.checks import CannotTellError, Finding, InapplicableError, Status, once
from scripts.core.errors import OpsError
from scripts.core.files import make_folder, write_atomic
from scripts.core.http import Reply
from scripts.core.settings import HTTPS, Settings
from scripts.health.answers import Answers, as_json
from scripts.health.limits import BUNDLE_SECONDS
from scripts.stack import ingress, maintenance_window, websocket

_OK: Final = Finding(Status.OK)
_LOG: Final = "inv logs --service odoo"
_REDIRECTS: Final = (301, 302, 303, 307, 308)
_MOST_REDIRECTS: Final = 3
_KEPT_OUT: Final = 503
_SKIPPED: Final = "skipped"  # of odoo/health_attachment.py: nothing to ask about
_BUNDLE: Final = re.compile(r'(?:src|href)="(/web/assets/[^"]+)"')
_SWITCHED: Final = 101
_SESSION: Final = "health-session"  # in .state/
_BEGINNING: Final = 1024  # bytes of a bundle that are read


@dataclass(frozen=True)
class Page:
    """The login page, which is fetched once, and what it names."""

    answers: Answers
    reply: Callable[[], Reply]

    @classmethod
    def of(cls, answers: Answers) -> "Page":
        """The one of the platform that `answers` are of; nothing is asked yet."""
        return cls(answers, once(lambda: _login_page(answers)))

    def finding(self) -> Finding:
        """Whether it is served, which needs Odoo, its registry and the database."""
        reply, settings = self.reply(), self.answers.stack.settings
        if _is_selector(reply):
            lost = f"Odoo does not find the database {settings.database}"
            return _failed(f"{lost}: it sends visitors to {reply.location}")
        if reply.status == _KEPT_OUT and (window := maintenance_window.active(settings)):
            detail = f"visitors are kept out for maintenance {window.period}"
            return Finding(Status.WARNING, detail, "inv maintenance off")
        if reply.status in _REDIRECTS:
            return _OK  # to a login page on another site
        if reply.status != 200:
            return _failed(f"status {reply.status}")
        form = re.search(r"oe_login_form|csrf_token", reply.text)
        return _OK if form else _failed("/web/login shows no login form")

    def _text(self) -> str:
        """The page; raises CannotTellError where there is none.

        Raises InapplicableError where visitors are kept out, or log in on another site.
        """
        try:
            found = self.finding()
        except OpsError as error:
            raise CannotTellError("there is no login page") from error
        if found.status is Status.WARNING:
            raise InapplicableError
        if found.status is not Status.OK:
            raise CannotTellError("there is no login page")
        return self.reply().text

    def assets(self) -> Finding:
        """Whether the style sheets and scripts that it names are there, and not empty."""
        settings = self.answers.stack.settings
        bundles = sorted(set(_BUNDLE.findall(self._text())))
        wrong = []
        for path in bundles:
            seconds = max(BUNDLE_SECONDS, self.answers.seconds)
            status, size = ingress.beginning(settings, path, _BEGINNING, timeout=seconds)
            if status != 200 or not size:
                name = path.rpartition("/")[2]
                wrong.append(f"{name}: " + (f"status {status}" if status != 200 else "empty"))
        if wrong:
            lost = "pages have no style sheets or scripts"
            hint = f"{_LOG}; a lost file is made again by: inv module.update web"
            return Finding(Status.FAILED, f"{lost}: {', '.join(wrong)}", hint)
        return Finding(Status.OK, f"{len(bundles)} bundles")

    def attachments(self) -> Finding:
        """Whether Odoo's container could write one and read it through Nginx."""
        self._text()
        said = as_json(self.answers.told("odoo", self.answers.odoo)).get("attachment")
        if said is None:
            raise CannotTellError("Odoo's container does not tell")
        if said == _SKIPPED:
            raise InapplicableError
        if said:
            return Finding(Status.FAILED, str(said), "inv logs --service nginx")
        return _OK

    def websocket(self) -> Finding:
        """Whether a websocket can be opened, by which pages hear of messages."""
        self._text()
        settings, seconds = self.answers.stack.settings, self.answers.seconds
        # The last one's: Odoo begins a session for each websocket that brings none.
        path = settings.state_folder / _SESSION
        known = path.read_text() if path.is_file() and os.access(path, os.R_OK) else ""
        try:
            said = websocket.handshake(settings, known.strip(), timeout=seconds)
        except OpsError as error:
            return self._no_websocket(error.message)
        if said.session and said.session != known:
            with suppress(OSError):  # another user's folder: one session more
                make_folder(path.parent)
                write_atomic(path, said.session.encode())
        wrong = f"/websocket answers with status {said.status}"
        return _OK if said.status == _SWITCHED else self._no_websocket(wrong)

    def _no_websocket(self, reason: str) -> Finding:
        """FAILED, unless Redis does not keep the session that each begins: its own line tells."""
        if not self.answers.told("redis", self.answers.redis).ok:
            raise CannotTellError("Redis keeps no session for it")
        return _failed(reason)


def own_port(answers: Answers) -> None:
    """Raises OpsError unless what answers at the port of the settings is this platform's Nginx."""
    nginx, settings = answers.container("nginx"), answers.stack.settings
    port = settings.https_port if settings.tls else settings.http_port
    target = HTTPS if settings.tls else 80
    if (port, target) not in nginx.bound:
        raise OpsError(f"its container is not reached at port {port} of this machine", "inv up")


def _failed(detail: str) -> Finding:
    return Finding(Status.FAILED, detail, _LOG)


def _is_selector(reply: Reply) -> bool:
    """Whether it leads to the page on which a database is chosen."""
    return reply.status in _REDIRECTS and urlsplit(reply.location).path.startswith("/web/database")


def _login_page(answers: Answers) -> Reply:
    """The login page, after redirects within this site, as those to a language."""
    own_port(answers)
    settings: Settings = answers.stack.settings
    path = "/web/login"
    here = {None, "localhost", "127.0.0.1", settings.bind, *settings.domains}
    for _ in range(1 + _MOST_REDIRECTS):
        reply = ingress.get(settings, path, timeout=answers.seconds)
        target = urlsplit(reply.location)
        if reply.status not in _REDIRECTS or _is_selector(reply) or target.hostname not in here:
            return reply
        query = f"?{target.query}" if target.query else ""
        path = f"/{target.path.lstrip('/')}{query}"
    raise OpsError(f"/web/login leads on and on, to {path}", _LOG)
