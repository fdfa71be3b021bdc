"""What was deployed: who, when, from and to, and how it ended."""

import getpass
import json
import os
import socket
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Final

from scripts.core.errors import OpsError
from scripts.core.files import make_folder
from scripts.core.settings import Settings
from scripts.core.table import Table

MOMENT: Final = "%Y%m%dT%H%M%SZ"  # of an id
_FILE: Final = "deployments.jsonl"


class Result(StrEnum):
    """How a deployment ended."""

    DEPLOYED = "deployed"
    RETURNED = "returned"  # it failed, and what was there before serves
    ROLLED_BACK = "rolled back"
    FAILED = "failed"  # it failed, and so did the way back
    UNCHANGED = "unchanged"  # what serves is what is here; not in the list


@dataclass(frozen=True)
class Version:
    """What serves: an image and the code of odoo/addons."""

    release: str  # version and commit of the files in this folder
    image: str  # the tag that keeps it; '' where it is not known
    image_id: str
    code: str  # the folder with a copy of odoo/addons, from the project's; '' where there is none
    digest: str  # SHA-256 over odoo/addons; '' where it is not known

    @property
    def name(self) -> str:
        """For people."""
        image = self.image.rpartition("deployed-")[2] or "unknown"
        code = self.digest[:8] or "unknown"
        return f"{self.release or 'unknown'} (image {image}, code {code})"


@dataclass(frozen=True)
class Deployment:
    """One line of the list."""

    id: str  # when it began, as 20261128T142500Z
    who: str  # user@host
    before: Version
    after: Version
    modules: tuple[str, ...]  # whose data were updated
    result: Result
    reason: str  # why it failed; '' where it did not
    seconds: int

    @property
    def line(self) -> str:
        """For people."""
        reason = f" ({self.reason.splitlines()[0]})" if self.reason else ""
        return f"{self.before.name} -> {self.after.name}{reason}"


def who() -> str:
    """The user who has called, and this machine."""
    try:
        name = os.getlogin()  # who has logged in, also behind sudo
    except OSError:  # no terminal, as in cron
        name = getpass.getuser()
    return f"{name}@{socket.gethostname()}"


def add(settings: Settings, made: Deployment) -> None:
    """Append `made` to the list; raises OpsError where it cannot be written."""
    make_folder(settings.state_folder)
    path = settings.state_folder / _FILE
    line = json.dumps(asdict(made), ensure_ascii=False) + "\n"
    try:
        with path.open("a", encoding="utf-8") as stream:
            stream.write(line)
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        hint = "This concerns the list of deployments only. Free some disk space."
        raise OpsError(f"cannot write {path}: {error.strerror}", hint) from error


def known(settings: Settings) -> list[Deployment]:
    """All of them, the last one first; lines that cannot be read are left out."""
    try:
        text = (settings.state_folder / _FILE).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise OpsError(f"cannot read {error.filename}: {error.strerror}") from error
    found = [_parse(line) for line in text.splitlines()]
    return [each for each in reversed(found) if each]


def table(found: Sequence[Deployment]) -> Table:
    """A row for each."""
    return Table(
        ("begun", "who", "result", "seconds", "from -> to"),
        [(each.id, each.who, each.result.value, str(each.seconds), each.line) for each in found],
    )


def _parse(line: str) -> Deployment | None:
    try:
        data: dict[str, Any] = json.loads(line)
        return Deployment(
            id=str(data["id"]),
            who=str(data["who"]),
            before=Version(**data["before"]),
            after=Version(**data["after"]),
            modules=tuple(data["modules"]),
            result=Result(data["result"]),
            reason=str(data["reason"]),
            seconds=int(data["seconds"]),
        )
    except (ValueError, KeyError, TypeError):
        return None


def serving(deployments: Sequence[Deployment]) -> Version | None:
    """What serves by the list; None where nothing was deployed yet, or how it ended is unknown."""
    last = next(iter(deployments), None)
    if not last or last.result is Result.FAILED:
        return None
    return last.before if last.result is Result.RETURNED else last.after


def versions(made: Deployment) -> list[Version]:
    """Those of `made` that have served, the last one first."""
    served = made.result in (Result.DEPLOYED, Result.ROLLED_BACK)
    return [made.after, made.before] if served else [made.before]


def previous(deployments: Sequence[Deployment], now: Version) -> Version | None:
    """What served before `now` was deployed; None where that is not known."""
    for each in deployments:
        if each.result is Result.DEPLOYED and each.after == now:
            return each.before
    return None
