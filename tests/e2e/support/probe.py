"""A module of somebody's own, which the tests install and then change like its author."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import requests

from tests.e2e.support.checkout import Checkout
from tests.support.waiting import eventually

RELOAD_SECONDS: Final = 15  # as long as a person waits before looking what is wrong
_FILES: Final = {
    "__init__.py": "from . import controllers\n",
    "__manifest__.py": """{
    "name": "Probe", "version": "1.0.0", "license": "LGPL-3", "author": "Tests", "depends": ["web"],
    "data": ["views/page.xml"], "assets": {"probe.bundle": ["probe/static/src/probe.js"]},
}
""",
    "controllers.py": """from odoo import http


class Probe(http.Controller):
    @http.route("/probe", auth="public", type="http")
    def probe(self):
        return "first"

    @http.route("/probe/page", auth="public", type="http")
    def page(self):
        return http.request.render("probe.page")
""",
    "views/page.xml": """<odoo>
    <template id="page">
        <p>first</p>
        <t t-call-assets="probe.bundle" t-css="False"/>
    </template>
</odoo>
""",
    "static/src/probe.js": 'window.probe = "first";\n',
}


@dataclass(frozen=True)
class Probe:
    """The module `probe` in odoo/addons of a running platform."""

    platform: Checkout

    @property
    def folder(self) -> Path:
        """Where its files are."""
        return self.platform.root / "odoo" / "addons" / "probe"

    def install(self) -> None:
        """Write it and bring it into the database."""
        for name, content in _FILES.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        install = ["odoo", "-d", "odoo", "-i", "probe", "--stop-after-init"]
        done = self.platform.exec("odoo", *install)
        assert done.returncode == 0, done.stderr[-3000:]
        assert self.says("first")

    def save(self, name: str, old: str, new: str) -> None:
        """What an editor does: the file again, with one thing changed."""
        path: Path = self.folder / name
        content = path.read_text()
        assert old in content
        path.write_text(content.replace(old, new))

    def answer(self, path: str) -> str:
        """What Odoo says through Nginx; nothing while it is starting."""
        try:
            answer = requests.get(self.platform.url + path, timeout=20)
        except requests.RequestException:
            return ""
        return answer.text if answer.status_code == 200 else ""

    def bundle(self) -> str:
        """The script that the page of the module loads."""
        found = re.search(r'src="(/web/assets/[^"]+\.js)"', self.answer("/probe/page"))
        return self.answer(found[1]) if found else ""

    def says(self, text: str) -> bool:
        """Whether its controller answers so, or will in a while."""
        return bool(eventually(lambda: self.answer("/probe") == text, RELOAD_SECONDS))

    def log(self) -> str:
        """All that Odoo's container has said."""
        done = self.platform.compose("logs", "--no-log-prefix", "odoo")
        return done.stdout + done.stderr

    def started(self) -> str:
        """Which start of the container and which process of Odoo in it is at work."""
        state = self.platform.inspect("odoo")
        top = ["docker", "top", self.platform.container("odoo"), "-eo", "pid,args"]
        lines = self.platform.run(*top).stdout.splitlines()
        server = [line.split()[0] for line in lines if "/bin/platform-odoo" in line]
        return f"{state['State']['StartedAt']} {state['RestartCount']} {server}"
