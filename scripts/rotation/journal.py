"""What a rotation has to remember, so that the next command can undo or finish it.

It is the folder secrets/rotation/: the values from before in old/, the new ones in new/, and
`plan.json`, written last. Without a plan nothing was changed yet. One that has begun is undone;
one that is proven is finished.
"""

import json
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from scripts.core.files import make_private_folder, write_atomic
from scripts.core.interrupted_rotation import BEGUN, ROTATION, ROTATION_PLAN

# The others. In both files and servers agree, and only the repository's other key may be left.
PROVEN: Final = "proven"  # every new value was tried and works
UNDONE: Final = "undone"  # every old value is in use again
_OLD: Final = "old"
_NEW: Final = "new"


@dataclass(frozen=True)
class Admin:
    """Odoo's own administrator, as the database has it."""

    id: int
    login: str
    active: bool
    password: str  # a hash


@dataclass(frozen=True)
class Plan:
    """What is changed, and how it was before; holds hashes, but no password."""

    names: tuple[str, ...]
    running: tuple[str, ...]  # services that ran before
    state: str = BEGUN
    repository: bool = False  # there is one, whose key is exchanged
    # What PostgreSQL knew of each role, by service: None where it had no password. Without an
    # entry nothing was changed there yet.
    roles: Mapping[str, str | None] = field(default_factory=dict)
    admin: Admin | None = None
    restorer: str | None = None  # likewise of the role that restores foreign files


@dataclass(frozen=True)
class Journal:
    """The journal in the folder of the secrets."""

    secrets: Path

    @property
    def folder(self) -> Path:
        """Where it is."""
        return self.secrets / ROTATION

    @property
    def begun(self) -> bool:
        """Whether a rotation was begun and neither finished nor undone."""
        return (self.secrets / ROTATION_PLAN).is_file()

    def begin(self, plan: Plan, new: Mapping[str, str], old: Mapping[str, bytes]) -> None:
        """Keep both values of every secret, then the plan: from here on it can be undone."""
        self.discard()
        for kind in (_OLD, _NEW):
            make_private_folder(self.folder / kind)
        for name, content in old.items():
            write_atomic(self._file(_OLD, name), content, 0o600)
        for name, value in new.items():
            write_atomic(self._file(_NEW, name), value.encode() + b"\n", 0o600)
        self.save(plan)

    def save(self, plan: Plan) -> None:
        """Remember `plan`."""
        text = json.dumps(asdict(plan), indent=2)
        write_atomic(self.secrets / ROTATION_PLAN, text.encode() + b"\n", 0o600)

    def load(self) -> Plan:
        """What was remembered last."""
        stored: dict[str, Any] = json.loads((self.secrets / ROTATION_PLAN).read_text())
        for key in ("names", "running"):
            stored[key] = tuple(stored[key])
        return Plan(**{**stored, "admin": Admin(**stored["admin"]) if stored["admin"] else None})

    def new(self, name: str) -> str:
        """The new value of a secret."""
        return self._file(_NEW, name).read_text().strip()

    def knows_old(self, name: str) -> bool:
        """Whether the value from before of a secret is known."""
        return self._file(_OLD, name).is_file()

    def old(self, name: str) -> bytes:
        """The file of a secret as it was before; empty if there was none."""
        return self._file(_OLD, name).read_bytes() if self.knows_old(name) else b""

    def install(self, names: Iterable[str]) -> None:
        """Put the new values into the secret files."""
        for name in names:
            write_atomic(self._secret(name), self._file(_NEW, name).read_bytes(), 0o600)

    def put_back(self, names: Iterable[str]) -> None:
        """Put the old values into the secret files; one that was not there goes again."""
        for name in names:
            kept = self._file(_OLD, name)
            if kept.is_file():
                write_atomic(self._secret(name), kept.read_bytes(), 0o600)
            else:
                self._secret(name).unlink(missing_ok=True)

    def discard(self) -> None:
        """Forget it, the plan first: without it the rest means nothing."""
        (self.secrets / ROTATION_PLAN).unlink(missing_ok=True)
        with suppress(FileNotFoundError):
            shutil.rmtree(self.folder)

    def _file(self, kind: str, name: str) -> Path:
        return self.folder / kind / f"{name}.txt"

    def _secret(self, name: str) -> Path:
        return (self.secrets / f"{name}.txt").resolve()  # a link stays a link
