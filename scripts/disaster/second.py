"""The second project of a drill: its folder, its settings, its commands, and its end."""

import os
import shutil
import socket
import sys
from collections.abc import Container, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from scripts.core.completed import Completed
from scripts.core.errors import OpsError
from scripts.core.files import make_private_folder
from scripts.core.process import CommandFailedError
from scripts.core.settings import Settings
from scripts.stack import image_names
from scripts.stack.compose import Stack

_PORTS: Final = (
    "NGINX_HTTP_PORT", "NGINX_HTTPS_PORT", "ODOO_PORT", "ODOO_DEBUG_PORT", "POSTGREST_PORT",
    "MAIL_PORT", "CLONE_PORT", "PROMETHEUS_PORT", "ALERTMANAGER_PORT",
)  # fmt: skip
_BINDS: Final = ("NGINX_BIND", "ODOO_BIND", "POSTGREST_BIND", "MAIL_BIND", "CLONE_BIND")
_LOOPBACK: Final = "127.0.0.1"
# A network's folder or a large database: a restore has no limit of its own.
_SECONDS: Final = 24 * 3600.0
_WITH_WARNING: Final = 4
_LABEL: Final = "com.docker.compose.project"
_FOLDER_LABEL: Final = f"{_LABEL}.working_dir"
# What an installation makes in the folder of the project.
_OWN: Final = (
    ".env", ".git", ".state", ".venv", "backups", "nginx/certs", "nginx/maintenance", "secrets",
    "tls-ca",
)  # fmt: skip
_CREDENTIALS: Final = ("backup_key.txt", "backup")  # in secrets/


def _below(root: Path, left_out: Container[str]) -> list[str]:
    """The files of the project, without what an installation makes in it."""
    found = []
    for parent, folders, names in os.walk(root):
        here = Path(parent).relative_to(root)
        folders[:] = [f for f in folders if (here / f).as_posix() not in left_out]
        found += [(here / name).as_posix() for name in names]
    return [name for name in found if name not in left_out]


@dataclass(frozen=True)
class Second:
    """A project beside `stack`, in a folder of its own."""

    stack: Stack

    @property
    def project(self) -> str:
        """Its name."""
        return f"{self.stack.settings.project}-drill"

    @property
    def root(self) -> Path:
        """Its folder: always the same, so that the next drill finds what a killed one left."""
        return self.stack.settings.state_folder / "disaster-drill"

    def make(self) -> None:
        """Copy the project's files, the key and nothing else of this installation."""
        ours = self.stack.settings
        make_private_folder(self.root)
        for name in self._files():
            source, target = ours.root / name, self.root / name
            if source.is_file() or source.is_symlink():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target, follow_symlinks=False)
        make_private_folder(self.root / "secrets")
        for name in _CREDENTIALS:
            source = ours.secrets_folder / name
            if source.is_dir():
                shutil.copytree(source, self.root / "secrets" / name, dirs_exist_ok=True)
            elif source.is_file():
                shutil.copy2(source, self.root / "secrets" / name)
        text = "".join(f"{name}={value}\n" for name, value in self._values().items())
        (self.root / ".env").write_text(text)

    def _files(self) -> list[str]:
        """What git has, and the code of modules, which has repositories of its own."""
        root = self.stack.settings.root
        argv = ["git", "-C", str(root), "ls-files", "-z", "--cached"]
        known = self.stack.runner.run(argv, timeout=60, check=False).stdout.split("\0")
        if "compose.yaml" not in known:  # an archive that was unpacked
            known = _below(root, {*_OWN, self.stack.settings.backup_folder.name})
        modules = [
            path.relative_to(root).as_posix()
            for folder in (root / "odoo" / "addons", root / "odoo" / "wheels")
            for path in folder.rglob("*")
            if ".git" not in path.parts
        ]
        return sorted({*known, *modules} - {""})

    def _values(self) -> Mapping[str, str]:
        ours = self.stack.settings
        return {
            "COMPOSE_PROJECT_NAME": self.project,
            "PLATFORM_ENV": str(ours.environment),
            "ODOO_DATABASE": ours.database,
            "ODOO_DOMAIN": "localhost",
            "BACKUP_CONTINUOUS": "false",
            # Servers of its own, in any case.
            "POSTGRES_EXTERNAL_HOST": "",
            "REDIS_EXTERNAL_HOST": "",
            "REDIS_EXTERNAL_SENTINELS": "",
            "REDIS_EXTERNAL_MASTER": "",
            "BACKUP_REPOSITORY": ours.backup_repository,
            "BACKUP_FOLDER": str(ours.backup_folder),
            "IMAGE_SOURCE": str(ours.image_source),
            **image_names.effective(ours),
            **({"ODOO_ENTERPRISE": self._enterprise} if self._enterprise else {}),
            **dict.fromkeys(_BINDS, _LOOPBACK),
            **dict(zip(_PORTS, map(str, free_ports(len(_PORTS))), strict=True)),
        }

    @property
    def _enterprise(self) -> str:
        ours = self.stack.settings
        given = ours.odoo_enterprise
        return str(ours.root / Path(given).expanduser()) if given else ""

    def inv(self, *arguments: str) -> Completed:
        """Run a command of the second project; raises OpsError with the reason it gave."""
        # Variables of the caller's environment win over .env: ours have to be there, too.
        given = {"COMPOSE_PROFILES": "", "PWD": str(self.root), **self._written()}
        argv = [sys.executable, str(self.root / "scripts" / "launch.py"), *arguments]
        done = self.stack.runner.run(argv, env=given, timeout=_SECONDS, check=False, changes=True)
        if done.code in (0, _WITH_WARNING):
            return done
        lines = done.stderr.splitlines()
        reasons = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
        hints = [line.removeprefix("hint: ") for line in lines if line.startswith("hint: ")]
        if not reasons:
            raise CommandFailedError(done)
        said = f"inv {arguments[0]} of the second project: {reasons[-1]}"
        raise OpsError(said, "".join(hints[-1:]))

    def _written(self) -> dict[str, str]:
        pairs = (line.split("=", 1) for line in (self.root / ".env").read_text().splitlines())
        return dict(pairs)

    @property
    def settings(self) -> Settings:
        """Those of the second project."""
        return Settings.load(self.root)

    def require_own(self) -> None:
        """Raises OpsError where containers or volumes of that name are not those of a drill."""
        form = f'{{{{.Label "{_FOLDER_LABEL}"}}}}'
        argv = ["docker", "ps", "--all", "--filter", f"label={_LABEL}={self.project}"]
        found = self._run([*argv, "--format", form])
        if foreign := {line for line in found if line and line != str(self.root)}:
            raise OpsError(
                f"there is a project {self.project} of {foreign.pop()} already",
                "The drill needs that name: rename it, or remove it.",
            )
        # The folder is removed last: a drill that was killed has left it.
        volumes = [
            "docker",
            "volume",
            "ls",
            "--quiet",
            "--filter",
            f"label={_LABEL}={self.project}",
        ]
        if not self.root.exists() and (kept := self._run(volumes)):
            raise OpsError(
                f"there are volumes of a project {self.project}: {', '.join(kept)}",
                "The drill would remove them. If nobody needs them: docker volume rm",
            )

    def _run(self, argv: Sequence[str]) -> list[str]:
        return self.stack.runner.run(argv, timeout=60).stdout.splitlines()

    def remove(self) -> None:
        """Its containers, networks, volumes and folder, if there are any."""
        run = self.stack.runner.run
        label = f"label={_LABEL}={self.project}"
        for listing, removal in (
            (["ps", "--all", "--quiet"], ["rm", "--force", "--volumes"]),
            (["network", "ls", "--quiet"], ["network", "rm"]),
            (["volume", "ls", "--quiet"], ["volume", "rm", "--force"]),
        ):
            argv = ["docker", *listing, "--filter", label]
            if found := run(argv, timeout=60).stdout.split():
                run(["docker", *removal, *found], timeout=300, check=False, changes=True)
        shutil.rmtree(self.root, ignore_errors=True)


def free_ports(count: int) -> Iterable[int]:
    """Ports of the loopback interface that nobody listens on."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind((_LOOPBACK, 0))
        return [one.getsockname()[1] for one in sockets]
