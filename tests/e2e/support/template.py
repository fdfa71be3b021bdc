"""Platforms that are up in seconds: each starts from a copy of one that was set up once."""

import fcntl
import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from tests.e2e.support import containers, images
from tests.e2e.support.browser_session import BrowserSession
from tests.e2e.support.checkout import Checkout

_VOLUMES: Final = ("odoo_data", "odoo_db_data")
_MARKER: Final = "template.json"
# Without these a crash of the machine loses data, but the kill of a process loses nothing (as
# it would without synchronous_commit). They are in the data directory itself
# (postgresql.auto.conf), so that no file of the platform has to be changed. A vacuum of what a
# test has just restored or installed serves nobody.
_OFF: Final = ("fsync", "full_page_writes", "autovacuum")
# Half a dozen platforms that wait for their tests cost a fifth of two cores otherwise. `inv` asks
# by itself; for `compose up --wait` in a test there is OFTEN_ASKED.
_RARELY_ASKED: Final = ("HEALTH_INTERVAL=5m",)
OFTEN_ASKED: Final = "HEALTH_INTERVAL=5s"  # the default, for tests that wait for Docker's answer
_Clone = TypeVar("_Clone", bound=Checkout)


@contextmanager
def unstarted(folder: Path) -> Iterator[Checkout]:
    """A clone that was never started, with settings and secrets in place; removed afterwards."""
    checkout = Checkout.clone(folder)
    images.write_settings(checkout)
    assert checkout.inv("secrets").returncode == 0
    try:
        yield checkout
    finally:
        checkout.destroy()


@dataclass(frozen=True)
class Template:
    """The volumes and secrets of a platform after its first start, and after a first login."""

    root: Path
    project: str

    @classmethod
    def of_this_run(cls, folder: Path) -> "Template":
        """The one in `folder`, made by the first process of the run that asks for it."""
        marker = folder / _MARKER
        with _file_lock(folder / "template.lock"):
            if not marker.is_file():
                made = _make(folder / "template")
                marker.write_text(json.dumps({"root": str(made.root), "project": made.project}))
        stored = json.loads(marker.read_text())
        return cls(Path(stored["root"]), stored["project"])

    @contextmanager
    def copied(self, checkout: Checkout, options: Mapping[str, Sequence[str]]) -> Iterator[None]:
        """Give `checkout` the secrets and a copy of the volumes.

        `options` are those of `docker volume create`, by volume. A volume in memory loses its
        content with its last container; while the block runs there is one that uses it.
        """
        shutil.copytree(self.root / "secrets", checkout.root / "secrets")
        mounts = []
        for volume in _VOLUMES:
            name = f"{checkout.project}_{volume}"
            labels = {"project": checkout.project, "volume": volume}
            marks = [f"--label=com.docker.compose.{key}={value}" for key, value in labels.items()]
            _docker("volume", "create", *marks, *options.get(volume, ()), name)
            mounts += [f"--volume={self.project}_{volume}:/from/{volume}:ro"]
            mounts += [f"--volume={name}:/to/{volume}"]
        keeper = f"{checkout.project}-keeper"
        image = images.in_use()["REDIS_IMAGE"]
        run = ["run", "--detach", "--init", "--name", keeper, "--network", "none", *mounts]
        try:
            _docker(*run, "--entrypoint", "sleep", image, "600")
            _docker("exec", "--user", "0", keeper, "cp", "-a", "/from/.", "/to")
            yield
        finally:
            _docker("rm", "--force", "--volumes", keeper)


@contextmanager
def running_copy(
    template: Template,
    checkout: _Clone,
    *settings: str,
    up: Sequence[str] = ("up",),
    volumes: Mapping[str, Sequence[str]] | None = None,
) -> Iterator[_Clone]:
    """`checkout`, a clone that was not started yet, as a running platform; destroyed at the end.

    `settings` are further lines of its `.env`, `up` is the command of `inv` that starts it.
    """
    images.write_settings(checkout, *_RARELY_ASKED, *settings)
    try:
        with template.copied(checkout, volumes or {}):
            started = checkout.inv(*up)
        log = containers.last_lines(checkout.project) if started.returncode else ""
        assert started.returncode == 0, started.stderr + log
        yield checkout
    finally:
        checkout.destroy()


def _make(root: Path) -> Checkout:
    checkout = Checkout.clone(root)
    images.write_settings(checkout)
    try:
        for command in ("secrets", "up"):
            done = checkout.inv(command)
            log = containers.last_lines(checkout.project) if done.returncode else ""
            assert done.returncode == 0, done.stderr + log
        _load_web_client(BrowserSession.admin(checkout))
        for setting in _OFF:
            query = f"ALTER SYSTEM SET {setting} = off"
            psql = ["psql", "-U", "postgres", "-d", "postgres", "-c", query]
            done = checkout.exec("odoo_db", *psql)
            assert done.returncode == 0, done.stderr
        down = checkout.compose("down", "--timeout", "30")
        assert down.returncode == 0, down.stderr
    except BaseException:
        checkout.destroy()
        shutil.rmtree(root)  # or the next process that tries finds half a clone
        raise
    return checkout


def _load_web_client(visitor: BrowserSession) -> None:
    """Have Odoo make the bundles that a first visit waits for; they are attachments then."""
    for page in ("/odoo", "/web/login?debug=0"):
        text = visitor.get(page).text
        for bundle in re.findall(r'(?:src|href)="(/web/assets/[^"]+)"', text):
            assert visitor.get(bundle).status_code == 200, bundle


@contextmanager
def _file_lock(path: Path) -> Iterator[None]:
    with path.open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def _docker(*arguments: str) -> None:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"docker {' '.join(arguments[:2])}: {done.stderr}"
