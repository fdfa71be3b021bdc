"""Servers of a living platform, for tests of a rotation: they keep what SQL gives them."""

import base64
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Unpack

import pytest

from scripts.backups import service
from scripts.core.completed import Completed
from scripts.core.errors import OpsError
from scripts.core.process import CommandFailedError, RunOptions
from scripts.core.redact import redactor
from scripts.rotation import rotate, verifiers
from scripts.stack import engine, lifecycle
from scripts.stack.compose import Stack
from tests.unit.support import containers
from tests.unit.support.fakes import FakeReporter, FakeRunner, says, settings_in

_SERVICES = ("odoo", "odoo_db", "redis", "nginx", "monitoring_secrets", "redis_exporter")
_OTHER_ROLES = ("odoo_restore", "monitoring")  # beside the one that each server has


@dataclass
class Servers(FakeRunner):
    """PostgreSQL, Redis, Odoo and a repository, as far as a rotation asks them.

    `refuse` is part of a command line or of SQL that fails from then on; `die` ends this
    process there, as kill -9 does.
    """

    root: Path = Path()
    roles: dict[str, str] = field(default_factory=dict)  # by service, and of _OTHER_ROLES
    admin: str = ""
    keys: set[str] = field(default_factory=set)  # that open the repository
    running: set[str] = field(default_factory=set)
    removed: set[str] = field(default_factory=set)  # services without a container
    exists: bool = False  # whether a repository elsewhere does, for who has no key
    mounted: bytes = b""  # what Odoo's container has as db_password
    volumes: tuple[str, ...] = ("odoo_db_data",)
    refuse: str = "nothing"
    die: str = "nothing"
    said: list[str] = field(default_factory=list)  # everything on standard input

    def run(self, argv: Sequence[str], **options: Unpack[RunOptions]) -> Completed:
        stdin = options.get("stdin")
        self.calls.append(list(argv))
        self.said += [stdin] if stdin else []
        if options.get("changes"):
            self.changing.append(list(argv))
        line = " ".join(argv) + (stdin or "")
        if self.die in line:
            raise SystemExit("killed")
        if self.refuse in line:
            done = says(code=1, stderr="psql:<stdin>:1: ERROR:  it does not want to")
        else:
            done = self._reply(line, list(argv), stdin or "")
            shown = redactor(self.root / "secrets")(done.stdout)  # as the real runner does
            done = Completed(done.argv, done.code, shown, done.stderr)
        if options.get("check", True) and not done.ok:
            raise CommandFailedError(done)
        return done

    def _reply(self, line: str, argv: list[str], stdin: str) -> Completed:
        if line.startswith(("docker ps --quiet", "docker container inspect")):
            rows = "\n".join(json.dumps(self._row(s)) for s in self._existing)
            found = containers.listed(line, says(rows))
            assert isinstance(found, Completed)
            return found
        for part, answer in self._answers().items():
            if part in line:
                return says(answer)
        if line.endswith(f"sh /etc/platform/monitoring{stdin}"):
            self.roles["monitoring"] = verifiers.scram(stdin)
            return says()
        if "psql" in line:
            return self._sql(argv[argv.index("--interactive") + 1], stdin)
        if "/run/rotation:ro" in line:
            return self._key(argv[-1])
        if "/jsonrpc" in line:
            password = json.loads(stdin)["params"]["args"][2]
            return says(json.dumps({"result": 2 * verifiers.odoo_takes(password, self.admin)}))
        if "base64" in line:
            return says(base64.encodebytes(self.mounted).decode(), code=0 if self.mounted else 1)
        no_file = "restart" in argv and not (self.root / "secrets/db_password.txt").exists()
        if no_file or ("ping" in argv and "redis" not in self.running):
            return says(code=1, stderr="it cannot")
        self._start_or_stop(argv)
        return says()

    def _answers(self) -> dict[str, str]:
        master = self.root / "secrets" / "odoo_master_password.txt"
        value = master.read_text().strip() if master.exists() else ""
        return {
            "volume ls": "\n".join(f"ipai-platform_{name}" for name in self.volumes),
            "--entrypoint find": "/volume/PG_VERSION\n",
            "backup list": "[]",
            "backup_offsite list": "[]",
            "toolbox.backup exists": json.dumps({"exists": self.exists}),
            "admin.py revoke": '{"revoked": 1}',
            "/run/odoo/odoo.conf": f"admin_passwd = {verifiers.odoo(value)}\n",
        }

    @property
    def _existing(self) -> list[str]:
        return [name for name in _SERVICES if name not in self.removed]

    def _row(self, service: str) -> dict[str, str]:
        runs = service in self.running
        state = {"State": "running", "Health": "healthy"} if runs else {"State": "exited"}
        return {"Service": service, "Name": service, **state}

    def _sql(self, server: str, text: str) -> Completed:
        if "SELECT rolpassword" in text:
            role = next((name for name in _OTHER_ROLES if name in text), server)
            return says(self.roles.get(role, ""))
        if "json_build_object" in text:
            row = {"id": 2, "login": "admin", "active": True, "password": self.admin}
            return says(json.dumps(row))
        for role, stored in re.findall(r"ALTER ROLE \"(\w+)\" PASSWORD '([^']+)'", text):
            self.roles[role if role in _OTHER_ROLES else server] = stored
        if found := re.search(r"UPDATE res_users SET password = '([^']+)'", text):
            self.admin = found[1]
        return says("1" if "SELECT" in text else "")

    def _key(self, command: str) -> Completed:
        folder = self.root / "secrets" / "rotation"
        old, new = (
            (folder / kind / "backup_key.txt").read_text().strip() for kind in ("old", "new")
        )
        if command == "key-add":
            self.keys.add(new)
        else:
            self.keys.discard(new if command == "key-undo" else old)
        return says("{}")

    def _start_or_stop(self, argv: list[str]) -> None:
        if "stop" in argv:
            self.running.discard(argv[-1])
        if "up" in argv:
            started = {"odoo_db", "odoo"} if argv[-1].startswith("-") else {argv[-1]}
            self.running |= started
            self.removed -= started


@dataclass
class Installation:
    """An installation whose secrets all fit."""

    stack: Stack
    servers: Servers
    reporter: FakeReporter = field(default_factory=FakeReporter)

    @property
    def folder(self) -> Path:
        return self.stack.settings.secrets_folder

    def rotate(self, names: str = "all") -> list[str]:
        return rotate.rotate(self.stack, self.reporter, names).lines

    def recover(self) -> None:
        rotate.recover(self.stack, self.reporter)

    def value(self, name: str) -> str:
        return (self.folder / f"{name}.txt").read_text().strip()

    def files(self) -> dict[str, str]:
        return {path.name: path.read_text() for path in self.folder.glob("*.txt")}

    @property
    def fits(self) -> bool:
        """Whether every secret opens what it is for, and nothing else does."""
        return (
            scram_takes(self.value("db_password"), self.servers.roles["odoo_db"])
            and scram_takes(self.value("db_password"), self.servers.roles["odoo_restore"])
            and scram_takes(self.value("monitoring_password"), self.servers.roles["monitoring"])
            and verifiers.odoo_takes(self.value("odoo_admin_password"), self.servers.admin)
            and self.servers.keys == {self.value("backup_key")}
            and not (self.folder / "rotation").exists()
        )


def scram_takes(password: str, stored: str) -> bool:
    """Whether `stored` was made of `password`."""
    salt = base64.b64decode(stored.split(":")[1].split("$")[0])
    return verifiers.scram(password, salt) == stored


def installation(root: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    """One that runs, with all its secrets."""
    from scripts import credentials

    monkeypatch.setattr(verifiers, "_ODOO_ROUNDS", 10)
    monkeypatch.setattr(engine, "probe", lambda runner: None)
    monkeypatch.setattr(service, "prepare", lambda stack, reporter: None)
    monkeypatch.setattr(lifecycle, "_await_login_page", lambda *_, **__: None)
    monkeypatch.setattr(
        "scripts.stack.image_names.official", lambda *_: {"POSTGRES_IMAGE": "postgres:16"}
    )
    settings = settings_in(root)
    credentials.ensure(settings.secrets_folder)
    (root / "backups").mkdir()
    (root / "backups" / "config").touch()
    servers = Servers(root=root, running=set(_SERVICES))
    made = Installation(Stack(settings, servers), servers)
    for role in ("odoo_db", "odoo_restore"):
        servers.roles[role] = verifiers.scram(made.value("db_password"))
    servers.roles["monitoring"] = verifiers.scram(made.value("monitoring_password"))
    servers.admin = verifiers.odoo(made.value("odoo_admin_password"))
    servers.keys = {made.value("backup_key")}
    return made


def error_of(made: Installation, names: str = "all") -> OpsError:
    """What a rotation that fails says."""
    with pytest.raises(OpsError) as caught:
        made.rotate(names)
    return caught.value
