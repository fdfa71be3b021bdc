"""The certificates that Nginx sees: versions side by side, and a link to the one in use.

The link is replaced in one step, so that a key never stands beside another's
certificate, and what was in use before is still there to go back to.
"""

import hashlib
import json
import re
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Final

from scripts.core.errors import OpsError
from scripts.core.files import write_atomic
from scripts.tls import certificates
from scripts.tls.certificates import Pair

_KEPT: Final = 3  # versions: the one in use and two to go back to
_ABOUT: Final = "about.json"
_CHAIN: Final = "fullchain.pem"
_KEY: Final = "privkey.pem"


class Kind(StrEnum):
    """Who made a certificate, and so who renews it."""

    SELFSIGNED = "selfsigned"
    LETSENCRYPT = "letsencrypt"
    OWN = "own"  # put there by hand


@dataclass(frozen=True)
class Installed:
    """A certificate with its key, and where it came from."""

    pair: Pair
    kind: Kind
    server: str = ""  # the ACME directory

    @property
    def names(self) -> tuple[str, ...]:
        """Domains and addresses it is for."""
        return certificates.names_of(self.pair.certificate)


@dataclass(frozen=True)
class Store:
    """nginx/certs."""

    folder: Path

    @property
    def current(self) -> Path:
        """What Nginx is configured to read: a link, or a folder made by hand."""
        return self.folder / "current"

    def read(self) -> Installed | None:
        """What is in use, or None; raises OpsError where it cannot be read, or half is missing."""
        halves = [self.current / name for name in (_CHAIN, _KEY)]
        missing = [path for path in halves if not path.exists()]
        if len(missing) == len(halves):
            return None
        if missing:
            raise OpsError(
                f"{missing[0]} is missing",
                f"Put it there, or remove {self.current} and make a certificate again.",
            )
        try:
            pair = Pair(halves[0].read_bytes(), halves[1].read_bytes())
        except OSError as error:
            raise OpsError(f"cannot read {error.filename}: {error.strerror}") from error
        try:
            about = json.loads((self.current / _ABOUT).read_text())
            recorded = Installed(pair, Kind(about["kind"]), about["server"])
            ours = about["sha256"] == _digest(pair)
        except (OSError, ValueError, KeyError, TypeError):
            return Installed(pair, Kind.OWN)
        # Another good pair was copied over ours; a damaged one is still ours to replace.
        by_hand = not ours and not certificates.pair_problem(pair)
        return Installed(pair, Kind.OWN) if by_hand else recorded

    def add(self, new: Installed, now: datetime | None = None) -> str:
        """Write `new` as a version beside the others; returns its name."""
        stamp = f"{now or datetime.now(UTC):%Y%m%dT%H%M%S%f}"
        name = f"{new.kind}-{stamp}"
        version = self.folder / "versions" / name
        try:
            version.mkdir(parents=True)
        except OSError as error:
            raise OpsError(f"cannot make {version}: {error.strerror}") from error
        about = {
            "kind": new.kind,
            "server": new.server,
            "names": new.names,
            "sha256": _digest(new.pair),
        }
        try:
            write_atomic(version / _KEY, new.pair.key, 0o600)
            write_atomic(version / _CHAIN, new.pair.certificate, 0o644)
            write_atomic(version / _ABOUT, json.dumps(about, indent=2).encode() + b"\n")
        except OpsError:
            shutil.rmtree(version, ignore_errors=True)
            raise
        return name

    def switch(self, version: str) -> str:
        """Put `version` in use; returns the one that was, '' if none.

        Raises OpsError, with what was in use still in use, where the disk refuses.
        """
        link = self.folder / ".current.new"
        try:
            link.unlink(missing_ok=True)
            link.symlink_to(Path("versions") / version, target_is_directory=True)
            previous, moved = self._retire()
            try:
                link.replace(self.current)
            except OSError:
                if moved:
                    (self.folder / "versions" / previous).rename(self.current)
                raise
        except OSError as error:
            raise OpsError(f"cannot put {version} in use: {error.strerror}") from error
        return previous

    def _retire(self) -> tuple[str, bool]:
        """The version in use; a folder made by hand becomes a version first (True)."""
        if self.current.is_symlink():
            target = self.current.readlink()
            if target.is_absolute() or target.parent.name == "versions":
                return str(target) if target.is_absolute() else target.name, False
            return f"../{target}", False  # a link made by hand
        if not self.current.exists():
            return "", False
        name = f"{Kind.OWN}-{datetime.now(UTC):%Y%m%dT%H%M%S%f}"
        (self.folder / "versions").mkdir(exist_ok=True)
        self.current.rename(self.folder / "versions" / name)
        return name, True

    def prune(self) -> None:
        """Remove old versions; what was made by hand, or copied over ours, stays."""
        ours = re.compile(rf"({Kind.SELFSIGNED}|{Kind.LETSENCRYPT})-\d{{8}}T\d+")
        versions = [p for p in (self.folder / "versions").iterdir() if ours.fullmatch(p.name)]
        versions.sort(key=lambda path: path.name.partition("-")[2])
        in_use = self.current.resolve()
        for version in versions[:-_KEPT]:
            if version.resolve() != in_use and _is_ours(version):
                shutil.rmtree(version)


def _is_ours(version: Path) -> bool:
    try:
        about = json.loads((version / _ABOUT).read_text())
        return bool(about["sha256"] == _digest(Pair((version / _CHAIN).read_bytes(), b"")))
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _digest(pair: Pair) -> str:
    return hashlib.sha256(pair.certificate).hexdigest()
