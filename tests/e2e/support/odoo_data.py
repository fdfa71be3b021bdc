"""The books of a company: attachments in Odoo, ways to compare them, and to be in the way."""

import base64
import hashlib
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from tests.e2e.support.checkout import Checkout
from tests.support.json_documentation import as_documented
from tests.support.waiting import eventually

_TABLES = (  # {} is a condition that chooses some
    "SELECT format('SELECT %L, count(*), md5(coalesce(string_agg(t::text, E''\\n'' ORDER BY"
    " t::text COLLATE \"C\"), '''')) FROM %I.%I t', relname, nspname, relname) FROM pg_class c"
    " JOIN pg_namespace n ON n.oid = relnamespace WHERE relkind = 'r' AND nspname = 'public'"
    " AND {} ORDER BY relname"
)
# What no server writes by itself while nobody works.
STILL = ("res_partner", "ir_attachment", "ir_module_module", "res_users", "ledger")


@dataclass(frozen=True)
class OdooData:
    """What is in the database and the filestore of one platform."""

    platform: Checkout
    listed: dict[frozenset[str], list[str]] = field(default_factory=dict)  # see backups()

    def call(self, model: str, method: str, *arguments: Any) -> Any:
        """`execute_kw` as the administrator, past Nginx."""
        given = ["odoo", 2, self.platform.admin_password, model, method, list(arguments)]
        params = {"service": "object", "method": "execute_kw", "args": given}
        body = {"jsonrpc": "2.0", "method": "call", "params": params}
        url = f"http://localhost:{self.platform.odoo_port}/jsonrpc"
        answer = requests.post(url, json=body, timeout=60).json()
        assert "error" not in answer, answer["error"]
        return answer["result"]

    def attach(self, count: int, size: int = 3000) -> list[int]:
        """New attachments with a content of their own each."""
        values = [
            {"name": f"{n}.bin", "datas": base64.b64encode(os.urandom(size)).decode()}
            for n in range(count)
        ]
        made: list[int] = self.call("ir.attachment", "create", values)
        return made

    def remove(self, ids: list[int]) -> None:
        """Delete attachments, as a user would."""
        self.call("ir.attachment", "unlink", ids)

    def collect_garbage(self) -> None:
        """Have Odoo take away the files of deleted attachments, as its nightly job does."""
        jobs = self.call("ir.cron", "search", [["model_id.model", "=", "ir.autovacuum"]])
        assert jobs
        try:
            self.call("ir.cron", "method_direct_trigger", jobs)
        except AssertionError as error:  # Odoo has begun it by itself
            if "currently being executed" not in str(error):
                raise

    def stored(self, database: str = "odoo") -> set[str]:
        """Every file of the filestore, whether or not an attachment names it."""
        look = f"cd /var/lib/odoo/filestore/{database} && find . -path './??/*' -type f"
        listing = self.platform.exec("odoo", "sh", "-c", look).stdout.splitlines()
        return {line.removeprefix("./") for line in listing}

    def tables(self, database: str = "odoo", chosen: str = "true") -> dict[str, str]:
        """Rows and checksum of every table, or of those that meet the condition `chosen`."""
        queries = self.platform.sql(_TABLES.replace("{}", chosen), database).splitlines()
        rows = self.platform.sql(" UNION ALL ".join(queries), database).splitlines()
        return {row.split("|")[0]: row for row in rows}

    def still(self) -> dict[str, str]:
        """The tables that nobody changes meanwhile."""
        return self.tables(chosen=f"relname IN {STILL}")

    def files(self, database: str = "odoo") -> dict[str, str]:
        """Every file that an attachment names, and its checksum ('' where there is none)."""
        names = self.platform.sql(
            "SELECT DISTINCT store_fname FROM ir_attachment WHERE store_fname IS NOT NULL",
            database,
        ).splitlines()
        folder = f"/var/lib/odoo/filestore/{database}"
        look = f"cd {folder} && find . -type f | xargs sha1sum"
        listing = self.platform.exec("odoo", "sh", "-c", look).stdout.splitlines()
        found = {line.split()[1].removeprefix("./"): line.split()[0] for line in listing}
        return {name: found.get(name, "") for name in names}

    def path(self, name: str) -> Path:
        """A file of the filestore, as this host sees it."""
        volume = f"{self.platform.project}_odoo_data"
        where = self.platform.run("docker", "volume", "inspect", "-f", "{{.Mountpoint}}", volume)
        return Path(where.stdout.strip()) / "filestore" / "odoo" / name

    def backups(self) -> list[str]:
        """The names of the backups that are listed; asked once for each content of snapshots/."""
        folder = self.platform.root / "backups" / "snapshots"
        snapshots = frozenset(path.name for path in folder.glob("*"))
        if snapshots not in self.listed:
            done = self.platform.inv("backup.list", "--json")
            assert done.returncode == 0, done.stderr
            rows = as_documented("backup.list", done.stdout)
            self.listed[snapshots] = [row["id"] for row in rows]
        return list(self.listed[snapshots])

    def back_up(self, **env: str) -> dict[str, Any]:
        """A backup that has to succeed; its manifest."""
        done = self.platform.inv("backup", "--json", **env)
        assert done.returncode == 0, done.stderr
        manifest: dict[str, Any] = as_documented("backup", done.stdout)
        return manifest

    @contextmanager
    def unharmed(self) -> Iterator[None]:
        """The block neither adds a backup nor changes what is live."""
        before = self.backups(), self.still(), self.files()
        yield
        eventually(lambda: self.platform.get("/web/login") == 200, 90)
        self.listed.clear()  # the repository can still be listed
        assert (self.backups(), self.still(), self.files()) == before
        assert self.platform.get("/web/login") == 200

    @contextmanager
    def table_locked(self, table: str, mode: str) -> Iterator[None]:
        """Somebody else's transaction that locks `table`, for which others wait."""
        hold = f"BEGIN; LOCK TABLE {table} IN {mode} MODE; SELECT pg_sleep(300)"
        psql = ["psql", "-U", "odoo", "-d", "odoo", "-c", hold]
        holder = self.platform.start("docker", "compose", "exec", "-T", "odoo_db", *psql)
        sleeping = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
        try:
            assert eventually(lambda: self.platform.sql(sleeping), 20)
            yield
        finally:
            if eventually(lambda: self._answers(), 60):
                end = f"SELECT pg_terminate_backend(pid) FROM ({sleeping}) AS found"
                self.platform.sql(end)
            holder.communicate(timeout=60)

    def _answers(self) -> bool:
        return self.platform.exec("odoo_db", "pg_isready", "-q", "-h", "127.0.0.1").returncode == 0

    def process(self, name: str) -> str:
        """The process `name` in the container that makes backups, as this host counts; or ''."""
        label = f"label=com.docker.compose.project={self.platform.project}"
        oneoff = "label=com.docker.compose.oneoff=True"
        ids = self.platform.run("docker", "ps", "-q", "--filter", label, "--filter", oneoff)
        for container in ids.stdout.split():
            top = self.platform.run("docker", "top", container, "-eo", "pid,comm")
            for line in top.stdout.splitlines()[1:]:
                if line.split(maxsplit=1)[1].strip() == name:
                    return line.split()[0]
        return ""


def sha1(content: bytes) -> str:
    """As Odoo names its files."""
    return hashlib.sha1(content).hexdigest()


def last_error(done: subprocess.CompletedProcess[str]) -> str:
    """The line that tells why a command failed."""
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    lines = [line for line in done.stderr.splitlines() if not line.startswith("hint: ")]
    assert lines[-1].startswith("error: "), done.stderr
    return lines[-1]
