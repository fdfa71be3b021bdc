"""What odoo/requirements.txt names, fetched on this host for an image's Python.

A container that is being built may reach no package index: it does not know the proxies
and certificate authorities of this host.
"""

import json
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from zipfile import ZipFile

from scripts.core.errors import OpsError
from scripts.core.files import write_atomic
from scripts.core.process import Runner
from scripts.core.report import Reporter
from scripts.stack import image_build

FOLDER: Final = "wheels"
FETCHED_FOR: Final = "fetched-for.txt"  # odoo/bin/platform-requirements compares it
_PROBE: Final = """
import json, odoo.release, platform, sys
glibc = platform.libc_ver()[1].split(".")
series = "{}.{}".format(*odoo.release.version_info)
print(json.dumps([series, "%d.%d" % sys.version_info[:2], platform.machine(), int(glibc[1])]))
"""
_PROBE_SECONDS: Final = 120
_OLDEST_GLIBC: Final = 17  # of 2.17, the first that wheels are named after


@dataclass(frozen=True)
class _Target:
    """The image that the wheels are for."""

    odoo: str
    python: str
    machine: str
    glibc: int  # the minor version

    @property
    def flags(self) -> list[str]:
        """The options of `pip download`."""
        names = [
            f"manylinux_2_{n}_{self.machine}" for n in range(self.glibc, _OLDEST_GLIBC - 1, -1)
        ]
        platforms = [part for name in names for part in ("--platform", name)]
        old = ["--platform", f"manylinux2014_{self.machine}"]
        python = ["--implementation", "cp", "--python-version", self.python]
        return ["--only-binary=:all:", *python, *platforms, *old]


def wanted(context: Path) -> bool:
    """Whether requirements.txt names anything."""
    lines = (context / "requirements.txt").read_text().splitlines()
    return any(line.strip() and not line.lstrip().startswith("#") for line in lines)


def fetch(runner: Runner, reporter: Reporter, context: Path, base: str, log: Path) -> None:
    """Put the wheels for the image `base` into `context`, where its Dockerfile looks for them.

    Leaves none there if they cannot be had: the build then asks the index itself, and
    says what is wrong.
    """
    folder = context / FOLDER
    shutil.rmtree(folder, ignore_errors=True)
    if not wanted(context):
        return
    folder.mkdir()
    requirements = context / "requirements.txt"
    with reporter.step("Fetching what odoo/requirements.txt names"):
        try:
            _download(runner, requirements, folder, _target(runner, base), log)
        except OpsError as error:
            shutil.rmtree(folder, ignore_errors=True)
            reporter.note(f"{error.message.splitlines()[-1].strip()}: left to the build")
            return
    write_atomic(folder / FETCHED_FOR, requirements.read_bytes())


def _target(runner: Runner, base: str) -> _Target:
    container = ["docker", "run", "--rm", "--network", "none", "--entrypoint", "python3", base]
    done = runner.run([*container, "-c", _PROBE], timeout=_PROBE_SECONDS)
    return _Target(*json.loads(done.stdout))


def _download(runner: Runner, requirements: Path, folder: Path, target: _Target, log: Path) -> None:
    with tempfile.TemporaryDirectory() as name:
        stand_in = _stand_in(Path(name), target.odoo)
        pip = [sys.executable, "-m", "pip", "download", "--dest", str(folder), *target.flags]
        image_build.logged(runner, [*pip, "--find-links", name, "-r", str(requirements)], log)
    (folder / stand_in.name).unlink(missing_ok=True)


def _stand_in(folder: Path, version: str) -> Path:
    """A wheel that only says it is Odoo: every odoo-addon-* wants one, and no index has it."""
    path = folder / f"odoo-{version}-py3-none-any.whl"
    place = f"odoo-{version}.dist-info"
    with ZipFile(path, "w") as wheel:
        head = f"Metadata-Version: 2.1\nName: odoo\nVersion: {version}\n"
        wheel.writestr(f"{place}/METADATA", head)
        wheel.writestr(f"{place}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr(f"{place}/RECORD", "")
    return path
