"""All that a platform holds, to be compared after something was killed."""

import hashlib
import itertools
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from tests.e2e.support import logins
from tests.e2e.support.browser_session import BrowserSession
from tests.e2e.support.checkout import Checkout
from tests.e2e.support.odoo_data import OdooData
from tests.support.waiting import eventually

# What a server writes by itself, whether or not somebody works.
_RESTLESS: Final = {
    "bus_bus",
    "bus_presence",
    "ir_cron",
    "ir_cron_progress",
    "ir_cron_trigger",
    "res_device_log",
    "res_users_log",
}
_MANY: Final = 5
_WORKER, _PASSWORD = "worker", "Worker-12345"


@dataclass(frozen=True)
class Contents:
    """Rows by table, checksums of files, databases, backups, secrets."""

    tables: dict[str, str]
    files: dict[str, str]
    databases: frozenset[str]
    backups: tuple[str, ...]
    secrets: dict[str, str]  # checksums

    def same(self, other: "Contents") -> bool:
        """Whether rows and files are the same."""
        return (self.tables, self.files) == (other.tables, other.files)

    def differing(self, other: "Contents") -> str:
        """In which tables and files, for a message."""
        tables = [
            t for t in self.tables | other.tables if self.tables.get(t) != other.tables.get(t)
        ]
        files = [f for f in self.files | other.files if self.files.get(f) != other.files.get(f)]
        return f"other tables: {tables[:_MANY]}, other files: {files[:_MANY]} ({len(files)})"


@dataclass
class PlatformState:
    """One platform, somebody who is logged in, and what both may not lose."""

    platform: Checkout
    odoo_data: OdooData
    worker: BrowserSession
    numbers: Iterator[int] = field(default_factory=itertools.count)

    @classmethod
    def of(cls, platform: Checkout) -> "PlatformState":
        """A platform that was just started, with rows, files, a user and a backup."""
        odoo_data = OdooData(platform)
        platform.sql("CREATE TABLE ledger (id int, note text)")
        new = {"name": _WORKER, "login": _WORKER, "password": _PASSWORD}
        BrowserSession.admin(platform).method("res.users", "create", new)
        worker = BrowserSession(platform)
        assert worker.log_in(_WORKER, _PASSWORD).status_code == 200
        found = cls(platform, odoo_data, worker)
        found.work()
        odoo_data.back_up()
        return found

    def work(self) -> None:
        """Rows and files that are acknowledged, and so may not be lost from now on."""
        self.platform.sql(f"INSERT INTO ledger VALUES ({next(self.numbers)}, 'acknowledged')")
        self.odoo_data.attach(2)

    def state(self) -> Contents:
        """What there is now."""
        folder = self.platform.root / "secrets"
        names = self.platform.sql("SELECT datname FROM pg_database", "postgres").split()
        return Contents(
            *self.content(),
            frozenset(names) - {"postgres", "template0", "template1"},
            tuple(self.odoo_data.backups()),
            {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.glob("*.txt")},
        )

    def content(self, database: str = "odoo") -> tuple[dict[str, str], dict[str, str]]:
        """Rows by table and checksums of files."""
        rows = self.odoo_data.tables(database)
        files = self.odoo_data.files(database)
        assert all(files.values()), f"no file: {[f for f, s in files.items() if not s][:_MANY]}"
        return {t: row for t, row in rows.items() if t not in _RESTLESS}, files

    def assert_usable(self) -> None:
        """Whatever was killed: a page is served, and the secrets on the disk open every door."""
        assert eventually(lambda: self.platform.get("/web/login") == 200, 20), "no page"
        secret = (self.platform.root / "secrets" / "db_password.txt").read_text().strip()
        done = logins.odoo_role(self.platform, secret)
        assert done.returncode == 0, done.stderr
        assert self.platform.authenticate("admin", self.platform.admin_password) == 2
        assert self.worker.uid(), "the session is over"

    def assert_healthy(self) -> None:
        """The same, and `inv health` finds nothing."""
        self.assert_usable()
        healthy = eventually(lambda: self.platform.inv("health").returncode == 0, 40)
        assert healthy, self.platform.inv("health").stdout

    def recover(self, *first: str) -> str:
        """Run the command `first`, or the one that it names; which it was."""
        done = eventually(lambda: self._unless_busy(*first), 100)
        assert done, f"inv {' '.join(first)}: something is still running"
        if done.returncode == 0:
            return f"inv {' '.join(first)}"
        named = re.findall(r"`?inv (secrets\b|restore --undo|module\.rollback|up\b)", done.stderr)
        assert named, f"inv {' '.join(first)} names no way on: {done.stderr}"
        yes = ["--yes"] if named[0].startswith(("restore", "module")) else []
        after = eventually(lambda: self._unless_busy(*named[0].split(), *yes), 100)
        assert after, f"inv {named[0]}: something is still running"
        assert after.returncode == 0, f"inv {named[0]} failed: {after.stderr}"
        return f"inv {named[0]}"

    def _unless_busy(self, *words: str) -> subprocess.CompletedProcess[str] | None:
        done = self.platform.inv(*words)
        busy = re.search(r"still (running|at work)", done.stderr)
        return None if done.returncode and busy else done
