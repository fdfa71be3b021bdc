"""A platform to change modules on, and modules to change: good ones and broken ones."""

import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from tests.e2e.support.checkout import Checkout
from tests.e2e.support.odoo_data import OdooData
from tests.e2e.support.template import Template, running_copy
from tests.support.json_documentation import as_documented
from tests.support.waiting import eventually

# What a server writes by itself, whether or not somebody works.
_RESTLESS = {
    "bus_bus",
    "ir_cron",
    "ir_cron_progress",
    "ir_cron_trigger",
    "res_device_log",
    "res_users_log",
}
_FRESH = "fresh"  # the database as it was in the beginning
_DISK = "600m"  # of PostgreSQL: in memory, which is quick, and can be filled
MODEL = """\
from odoo import fields, models


class Partner(models.Model):
    _inherit = "res.partner"
    zz_{name} = fields.Char(default="{value}")
"""
PARTNER = """\
<odoo><record id="one" model="res.partner"><field name="{field}">{value}</field></record></odoo>
"""


@dataclass(frozen=True)
class ModuleSandbox(OdooData):
    """One platform, the modules that a test writes for it, and the state it may not lose."""

    written: list[Path] = field(default_factory=list)
    known: list[Any] = field(default_factory=list)  # see unharmed()

    @classmethod
    @contextmanager
    def running(cls, template: Template, target: Path) -> Iterator["ModuleSandbox"]:
        """A clone with its database in memory, where its disk can be filled."""
        memory = {
            "odoo_db_data": ["--opt=type=tmpfs", "--opt=device=tmpfs", f"--opt=o=size={_DISK}"]
        }
        # As in production: Odoo goes on with the code that it has loaded.
        with running_copy(
            template, Checkout.clone(target), "ODOO_DEV=", volumes=memory
        ) as platform:
            shop = cls(platform)
            platform.copy_database(_FRESH)
            yield shop

    def write(self, name: str, files: Mapping[str, str] | None = None, **manifest: Any) -> Path:
        """A module in odoo/addons; with nothing given, one that makes a partner."""
        folder = self.platform.root / "odoo" / "addons" / name
        given = {"data.xml": PARTNER.format(field="name", value=name)} if files is None else files
        values = {
            "name": name,
            "version": "1.0.0",
            "author": "Test",
            "license": "LGPL-3",
            "depends": ["base"],
            "data": [f for f in given if f.endswith(".xml")],
            **manifest,
        }
        for file, text in {"__manifest__.py": repr(values), "__init__.py": "", **given}.items():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_text(text)
        if folder not in self.written:
            self.written.append(folder)
        return folder

    def inv(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`inv …` that has to succeed."""
        done = self.platform.inv(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    def by_odoo(self, names: str, *options: str) -> subprocess.CompletedProcess[str]:
        """Install modules as somebody without `inv` would: by Odoo's own command."""
        install = ["odoo", "-d", "odoo", "-i", names, "--stop-after-init", *options]
        return self.platform.exec("odoo", *install)

    def refused(self, *arguments: str) -> str:
        """What `inv …` says on standard error, which has to fail like a tool and not like a bug."""
        done = self.platform.inv(*arguments)
        assert done.returncode == 1, done.stdout + done.stderr
        assert "\nTraceback" not in f"\n{done.stderr}", done.stderr  # Odoo's own are indented
        assert "\nerror: " in f"\n{done.stderr}", done.stderr
        return done.stderr

    def state(self, name: str, database: str = "odoo") -> str:
        """The state of a module, as the database has it."""
        query = f"SELECT state FROM ir_module_module WHERE name = '{name}'"
        return self.platform.sql(query, database)

    def modules(self, *arguments: str) -> dict[str, dict[str, Any]]:
        """What `inv module.list` knows, by name."""
        printed = self.inv("module.list", "--json", *arguments).stdout
        rows = as_documented("module.list", printed)
        return {row["name"]: row for row in rows}

    def partners(self, name: str, database: str = "odoo") -> int:
        """How many partners are called that."""
        query = f"SELECT count(*) FROM res_partner WHERE name = '{name}'"
        return int(self.platform.sql(query, database))

    def databases(self) -> set[str]:
        """All of them."""
        return set(self.platform.sql("SELECT datname FROM pg_database", "postgres").split())

    def everything(self) -> Any:
        """All rows, all files, all databases."""
        tables = {t: row for t, row in self.tables().items() if t not in _RESTLESS}
        return tables, self.all_files(), self.databases()

    def all_files(self) -> dict[str, str]:
        """Every file of every filestore, those that no attachment names too."""
        look = "cd /var/lib/odoo/filestore && find . -type f -not -path '*/checklist/*' -print0"
        script = f"{look} | xargs -0r sha1sum"
        listing = self.platform.exec("odoo", "sh", "-c", script).stdout.splitlines()
        return {line.split()[1]: line.split()[0] for line in listing}

    @contextmanager
    def unharmed(self, *, known: bool = False) -> Iterator[None]:
        """The block changes nothing, and Odoo works after it without being started.

        With `known`, nothing has changed since the last such block or clean().
        """
        before = self.known.pop() if known and self.known else self.everything()
        odoo = self.platform.inspect("odoo")["State"]["StartedAt"]
        yield
        assert eventually(lambda: self.platform.get("/web/login") == 200, 60)
        assert self.everything() == before
        assert self.platform.inspect("odoo")["State"]["StartedAt"] == odoo
        self.known[:] = [before]

    def forget_modules(self) -> None:
        """Take written modules away from the disk; no database has them."""
        for folder in self.written:
            shutil.rmtree(folder)
        self.written.clear()

    def clean(self) -> None:
        """Take written modules, what they did, and snapshots away again."""
        self.known.clear()
        leave = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{_FRESH}'"
        self.platform.sql(leave, "postgres")
        for name in self.databases() - {"postgres", "template0", "template1", _FRESH}:
            assert eventually(partial(self._drop, name), 20)
        self.platform.sql(f"CREATE DATABASE odoo TEMPLATE {_FRESH}", "postgres")
        remove = "rm -rf /var/lib/odoo/filestore/odoo__*"
        assert self.platform.exec("odoo", "sh", "-c", remove, user="odoo").returncode == 0
        self.forget_modules()
        # The server notices that it has another database than it had before.
        assert eventually(lambda: self.platform.get("/web/login") == 200, 60)

    def _drop(self, database: str) -> bool:
        """Fails while PostgreSQL itself is at work there."""
        drop = ["psql", "-U", "odoo", "-d", "postgres", "-c"]
        command = f"DROP DATABASE IF EXISTS {database} WITH (FORCE)"
        return self.platform.exec("odoo_db", *drop, command).returncode == 0
