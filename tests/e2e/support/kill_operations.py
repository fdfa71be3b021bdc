"""The operations under which something is killed: how each begins, and how each may end."""

import json
import random
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from tests.e2e.support.kill import oneoffs
from tests.e2e.support.module_sandbox import MODEL, PARTNER
from tests.e2e.support.platform_state import Contents, PlatformState
from tests.support.waiting import eventually

BEFORE, AFTER = "before", "after"
_OWN = {"odoo", "odoo__before"}


@dataclass
class Operation:
    """One that keeps what is live: `inv up`."""

    held: PlatformState
    folder: Path
    random: random.Random
    command: tuple[str, ...] = ("up",)

    def once(self) -> None:
        """What has to be there before the first."""

    def prepare(self) -> None:
        """What has to be there before each: a platform that is partly down, or has to change."""
        way = self.random.choice(["down", "down", "setting", "stopped"])
        if way == "down":
            assert self.held.platform.inv("down").returncode == 0
        elif way == "stopped":
            services = self.random.sample(["odoo", "odoo_db", "redis", "nginx"], 2)
            assert self.held.platform.compose("stop", *services).returncode == 0
        else:
            env = self.held.platform.root / ".env"
            lines = [x for x in env.read_text().splitlines() if not x.startswith("ODOO_MEMORY")]
            memory = f"ODOO_MEMORY={self.random.randint(2000, 3000)}m"
            env.write_text("\n".join([*lines, memory]) + "\n")

    def state(self) -> Contents:
        """What is live now; asked before `prepare`, as a platform that is down says nothing."""
        return self.held.state()

    def side(self, before: Contents, after: Contents) -> str:
        """On which side of the operation it came out; never a mix."""
        assert after.same(before), after.differing(before)
        assert after.secrets == before.secrets
        assert after.backups == before.backups
        assert after.databases == before.databases, after.databases
        return BEFORE

    def recover(self) -> str:
        """Run the one command that brings back whatever was killed; which it was."""
        return self.held.recover("up")

    def begin_again(self, side: str) -> tuple[str, ...]:
        """The command that has to come to a good end after it came out at `side`."""
        return self.command

    def assert_no_leftovers(self, state: Contents) -> None:
        """After a good end nothing is left of what was killed."""
        assert state.databases <= _OWN, state.databases

    def is_done(self) -> None:
        """It was done, and the next is to begin where this has ended."""


@dataclass
class Backup(Operation):
    """`inv backup`: one more in the list, or not."""

    command: tuple[str, ...] = ("backup",)

    def prepare(self) -> None:
        return

    def side(self, before: Contents, after: Contents) -> str:
        assert after.same(before), after.differing(before)
        assert after.secrets == before.secrets
        assert after.databases == before.databases, after.databases
        count = len(before.backups)
        assert after.backups[:count] == before.backups
        assert len(after.backups) <= count + 1
        return AFTER if len(after.backups) > count else BEFORE


@dataclass
class Rotation(Operation):
    """`inv secrets.rotate`: all secrets are new, or none is."""

    command: tuple[str, ...] = ("secrets.rotate",)

    def prepare(self) -> None:
        return

    def recover(self) -> str:
        # Both are documented: the latter names the former where it cannot start.
        return self.held.recover(self.random.choice(["secrets", "up"]))

    def state(self) -> Contents:
        self.held.odoo_data.listed.clear()  # the key has to open the repository each time
        return super().state()

    def side(self, before: Contents, after: Contents) -> str:
        new = {n for n in before.secrets if after.secrets.get(n) != before.secrets[n]}
        assert new in (set(), set(before.secrets)), f"new are only {sorted(new)}"
        assert set(after.secrets) == set(before.secrets)
        passwords = {"res_users"} if new else set()
        kept = [{t: r for t, r in s.tables.items() if t not in passwords} for s in (before, after)]
        assert kept[0] == kept[1], after.differing(before)
        assert after.files == before.files
        assert after.backups == before.backups
        return AFTER if new else BEFORE

    def assert_no_leftovers(self, state: Contents) -> None:
        super().assert_no_leftovers(state)
        assert not (self.held.platform.root / "secrets" / "rotation").exists()


@dataclass
class Restore(Operation):
    """`inv restore`: what the backup has is live and what was live is kept; or nothing is done."""

    command: tuple[str, ...] = ("restore", "--yes")
    target: Contents | None = None

    def once(self) -> None:
        self.target = self.held.state()
        assert self.held.platform.inv("backup").returncode == 0

    def prepare(self) -> None:
        return

    def side(self, before: Contents, after: Contents) -> str:
        assert after.secrets == before.secrets
        assert set(after.backups) >= set(before.backups)
        assert self.target
        if after.same(before):
            return BEFORE
        assert after.same(self.target), (
            f"live: {after.differing(before)}; backup: {after.differing(self.target)}"
        )
        accept = "ALTER DATABASE odoo__before ALLOW_CONNECTIONS true"
        self.held.platform.sql(accept, "postgres")
        tables, files = self.held.content("odoo__before")
        kept = Contents(tables, files, before.databases, before.backups, before.secrets)
        assert kept.same(before), f"kept: {kept.differing(before)}"
        return AFTER


@dataclass
class RestoreFile(Restore):
    """The same of plain SQL, as `pg_dump` makes it: from here or from anywhere."""

    def once(self) -> None:
        self.target = self.held.state()
        file = self.folder / "plain.sql"
        done = self.held.platform.inv("backup", "--plain", str(file))
        assert done.returncode == 0, done.stderr
        self.command = ("restore", str(file), "--yes")


@dataclass
class Modules(Operation):
    """`inv module.install`, `update`, `uninstall` in turn: all of it or nothing."""

    ends: list[str] = field(default_factory=list)  # what the module is after each of the three
    turn: int = 0

    def _write(self, version: str) -> None:
        addon = self.held.platform.root / "odoo" / "addons" / "zz_kill"
        values = {
            "name": "zz_kill",
            "version": version,
            "author": "Test",
            "license": "LGPL-3",
            "depends": ["base"],
            "data": ["data.xml"],
        }
        addon.mkdir(exist_ok=True)
        (addon / "__manifest__.py").write_text(repr(values))
        (addon / "__init__.py").write_text(MODEL.format(name="kill", value=version))
        (addon / "data.xml").write_text(PARTNER.format(field="name", value=f"zz {version}"))

    def once(self) -> None:
        for _ in range(3):
            self.prepare()
            done = self.held.platform.inv(*self.command)
            assert done.returncode == 0, done.stderr
            self.ends.append(self._module())
            self.turn += 1

    def prepare(self) -> None:
        self._write("1.0" if self.turn % 3 == 0 else "2.0")
        verb = ("install", "update", "uninstall")[self.turn % 3]
        yes = ["--yes"] if verb == "uninstall" else []
        self.command = (f"module.{verb}", "zz_kill", *yes)

    def _module(self) -> str:
        """Whatever the database has of the module, but numbers and times."""
        sql = self.held.platform.sql
        column = "table_name = 'res_partner' AND column_name = 'zz_kill'"
        counts = "SELECT model, count(*) FROM ir_model_data WHERE module = 'zz_kill'"
        parts = [
            sql("SELECT state, latest_version FROM ir_module_module WHERE name = 'zz_kill'"),
            sql(f"SELECT count(*) FROM information_schema.columns WHERE {column}"),
            sql("SELECT name FROM res_partner WHERE name LIKE 'zz %'"),
            sql(f"{counts} GROUP BY model ORDER BY model").replace("\n", ","),
            sql("SELECT name FROM ir_model_fields WHERE name LIKE 'zz_kill%'"),
        ]
        return " ".join(parts)

    def side(self, before: Contents, after: Contents) -> str:
        assert after.secrets == before.secrets
        assert after.backups == before.backups
        end, module = self.ends[self.turn % 3], self._module()
        if after.same(before):
            return BEFORE
        assert module == end, f"{module}, not {end}; {after.differing(before)}"
        for table in ("ledger", "res_users"):
            assert after.tables[table] == before.tables[table]
        assert after.files.items() >= before.files.items()
        return AFTER

    def begin_again(self, side: str) -> tuple[str, ...]:
        # What was uninstalled cannot be uninstalled again.
        return self.command if side == BEFORE else ("module.update", "base")

    def assert_no_leftovers(self, state: Contents) -> None:
        snapshots = self._snapshots()
        assert {s["state"] for s in snapshots} <= {"closed"}, snapshots
        assert state.databases <= {"odoo"} | {s["name"] for s in snapshots}, state.databases

    def is_done(self) -> None:
        self.turn += 1

    def recover(self) -> str:
        # A container that was left alone undoes by itself what it has begun.
        running = partial(oneoffs, self.held.platform, "--filter=status=running")
        assert eventually(lambda: not running(), 100), "a container is at work for ever"
        if self.held.platform.exec("odoo_db", "pg_isready", "-q", "-h", "127.0.0.1").returncode:
            return self.held.recover("up")
        # The next change would refuse, and name that command.
        half = any(s["state"] == "open" for s in self._snapshots())
        return self.held.recover(*(["module.rollback", "--yes"] if half else ["up"]))

    def _snapshots(self) -> list[dict[str, Any]]:
        done = self.held.platform.inv("module.snapshots", "--json")
        assert done.returncode == 0, done.stderr
        found: list[dict[str, Any]] = json.loads(done.stdout)
        return found
