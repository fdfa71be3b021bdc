"""The Odoo that ODOO_PACKAGE names: a Debian package, or a checkout of the source."""

import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from scripts.core.errors import OpsError, UsageError
from scripts.core.process import Runner

_NAME: Final = re.compile(r"odoo_(\d+\.\d+)[.+~_\d].*\.deb")
_VERSION: Final = re.compile(r"^version_info = \((\d+), (\d+),", re.MULTILINE)
_INSTALLED: Final = Path("usr/lib/python3/dist-packages/odoo")  # where the package puts it
_PROGRAM: Final = Path("usr/bin/odoo")
_LEFT_OUT: Final = (".git", "__pycache__", "node_modules")
_UNPACK_SECONDS: Final = 600.0
_HINT: Final = "For example odoo_18.0.20251101_all.deb, or a folder with odoo-bin in it."


@dataclass(frozen=True)
class Package:
    """What ODOO_PACKAGE names."""

    path: Path
    series: str  # such as 18.0

    @property
    def tag(self) -> str:
        """The image that is built from it."""
        return f"localhost/ipai/odoo:{self.series}"

    @property
    def digest(self) -> str:
        """Of its content; of a folder, names, sizes and times, as it has 40,000 files."""
        total = hashlib.sha256(self.series.encode())
        if self.path.is_file():
            with self.path.open("rb") as stream:
                return hashlib.file_digest(stream, "sha256").hexdigest()
        for file in _files(self.path):
            state = file.stat()
            name = file.relative_to(self.path)
            total.update(f"{name} {state.st_size} {state.st_mtime_ns}\n".encode())
        return total.hexdigest()

    def unpack(self, runner: Runner, root: Path) -> None:
        """Put its files below `root` as the Debian package would below /."""
        shutil.rmtree(root, ignore_errors=True)
        if self.path.is_file():
            self._unpack_deb(runner, root)
        else:
            self._copy_source(root)
        (root / _PROGRAM).chmod(0o755)
        # As the package has it, whatever the umask of a checkout was: Odoo runs as its own user.
        opened = ["chmod", "-R", "u+rwX,go+rX", str(root)]
        runner.run(opened, timeout=_UNPACK_SECONDS, changes=True)

    def _unpack_deb(self, runner: Runner, root: Path) -> None:
        if shutil.which("dpkg-deb") is None:
            raise OpsError(
                "there is no dpkg-deb here to unpack ODOO_PACKAGE",
                "Unpack it on a Debian machine, or name a checkout of the source.",
            )
        whole = root.with_name("unpacked")
        shutil.rmtree(whole, ignore_errors=True)
        whole.parent.mkdir(parents=True, exist_ok=True)
        extract = ["dpkg-deb", "--extract", str(self.path), str(whole)]
        runner.run(extract, timeout=_UNPACK_SECONDS, changes=True)
        for part in (_INSTALLED, _PROGRAM):
            if not (whole / part).exists():
                raise UsageError(f"ODOO_PACKAGE={self.path}: it holds no {part}", _HINT)
            (root / part).parent.mkdir(parents=True, exist_ok=True)
            shutil.move(whole / part, root / part)
        shutil.rmtree(whole)

    def _copy_source(self, root: Path) -> None:
        target = root / _INSTALLED
        ignore = shutil.ignore_patterns(*_LEFT_OUT)
        shutil.copytree(self.path / "odoo", target, ignore=ignore)
        if (self.path / "addons").is_dir():  # not so in a release, where all is in odoo/addons
            shutil.copytree(
                self.path / "addons", target / "addons", ignore=ignore, dirs_exist_ok=True
            )
        (root / _PROGRAM).parent.mkdir(parents=True)
        program = (self.path / "odoo-bin").read_bytes()
        # Git on Windows ends lines with CR LF, and no kernel finds an interpreter "python3\r".
        (root / _PROGRAM).write_bytes(program.replace(b"\r\n", b"\n"))


def _files(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(set(folders) - set(_LEFT_OUT))
        yield from (Path(parent, name) for name in sorted(names) if not name.endswith(".pyc"))


def find(value: str, root: Path) -> Package:
    """The package or checkout at the path `value`, which is as seen from `root`.

    Raises UsageError for anything else.
    """
    path = (root / Path(value).expanduser()).resolve()
    if path.is_file() and (name := _NAME.fullmatch(path.name)):
        return Package(path, name[1])
    if path.is_file():
        raise UsageError(f"ODOO_PACKAGE={value} is not called odoo_VERSION_all.deb", _HINT)
    if not path.is_dir():
        raise UsageError(f"ODOO_PACKAGE={value} does not exist", _HINT)
    release = path / "odoo" / "release.py"
    found = _VERSION.search(release.read_text()) if release.is_file() else None
    if not found or not (path / "odoo-bin").is_file():
        raise UsageError(f"ODOO_PACKAGE={value} is no checkout of Odoo", _HINT)
    return Package(path, f"{found[1]}.{found[2]}")


def named(value: str, root: Path) -> Package | None:
    """`find`, and None where nothing is named."""
    return find(value, root) if value else None
