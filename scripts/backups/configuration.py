"""What else a new machine needs: settings, requirements, sources of modules, images.

They are part of each backup that `inv` makes; `inv restore --configuration` shows what is
otherwise here, and writes the files.
"""

import base64
import difflib
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from scripts.backups import service
from scripts.core.errors import OpsError
from scripts.core.files import write_atomic, write_new
from scripts.core.report import Reporter
from scripts.core.settings import Settings
from scripts.stack import images
from scripts.stack.compose import Stack
from toolbox.contract.backups import SavedConfiguration

FILES: Final = (".env", "odoo/requirements.txt", "odoo/odoo.conf")
_ADDONS: Final = "odoo/addons"
_PRIVATE: Final = 0o600  # of a new .env, which may hold tokens
_GIT_TIMEOUT: Final = 60.0
_NOWHERE: Final = "/nonexistent"
# Where the backups are is known here, and was perhaps elsewhere on the other machine.
_STAYS: Final = re.compile(r"\s*(BACKUP_FOLDER|BACKUP_REPOSITORY|BACKUP_HOST)\s*=")


@dataclass(frozen=True)
class Comparison:
    """A configuration that was saved beside the present one."""

    id: str  # of the backup
    files: Mapping[str, str]  # those that are otherwise here, and what was saved
    diff: Sequence[str]
    left: Sequence[str]  # sources and images, which a person has to get

    @property
    def lines(self) -> list[str]:
        """For people."""
        nothing = [] if self.files else [f"The files are as in the backup {self.id}"]
        return [*self.diff, *nothing, *self.left]


def collect(stack: Stack, reporter: Reporter) -> dict[str, Any]:
    """What is here: files by name, commits of repositories by folder, ids of images by variable.

    What cannot be read is named and left out: it is no reason for having no backup.
    """
    return {
        "files": _files(stack.settings.root, reporter),
        "repositories": _repositories(stack, reporter),
        "images": _images_here(stack, reporter),
    }


def _files(root: Path, reporter: Reporter) -> dict[str, str]:
    found = {}
    for name in FILES:
        try:
            # What is no UTF-8 is kept.
            found[name] = (root / name).read_text(errors="surrogateescape")
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            continue
        except OSError as error:
            _leave_out(reporter, name, error)
    return found


def _images_here(stack: Stack, reporter: Reporter) -> dict[str, list[str]]:
    try:
        rows = images.in_use(stack)
    except OpsError as error:
        _leave_out(reporter, "images", error)
        return {}
    return {variable: [image, identity] for variable, image, identity in rows}


def _repositories(stack: Stack, reporter: Reporter) -> dict[str, dict[str, str]]:
    root, found = stack.settings.root, {}
    try:
        places = [root, *sorted((root / _ADDONS).glob("*"))]
    except OSError as error:
        _leave_out(reporter, _ADDONS, error)
        places = [root]
    for place in places:
        name = place.relative_to(root).as_posix()
        try:
            if known := _repository(stack, place):
                found[name] = known
        except (OSError, OpsError) as error:
            _leave_out(reporter, f"the commit of {name}", error)
    return found


def _leave_out(reporter: Reporter, what: str, error: OSError | OpsError) -> None:
    reason = error.message if isinstance(error, OpsError) else error.strerror
    reporter.note(f"The configuration lacks {what}: {reason}")


def _repository(stack: Stack, place: Path) -> dict[str, str] | None:
    """Commit and origin; None for no repository of its own, or one without a commit.

    Raises OSError or OpsError where nothing can be known.
    """
    try:
        owner = (place / ".git").lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    become = as_owner(owner.st_uid, owner.st_gid, os.geteuid())
    if commit := _git(stack, place, become, "rev-parse", "--verify", "--quiet", "HEAD"):
        origin = _git(stack, place, become, "config", "--get", "remote.origin.url")
        return {"commit": commit, "origin": origin}
    return None


def as_owner(user: int, group: int, us: int) -> list[str]:
    """What a command has to begin with, to run as the owner of a repository.

    A repository's configuration can name programs, which must never be run with the rights of
    somebody else. Raises OpsError where we cannot become the owner.
    """
    if user == us:
        return []
    if us != 0:
        raise OpsError("its repository belongs to another user")
    return ["setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups"]


def _git(stack: Stack, place: Path, become: Sequence[str], *command: str) -> str:
    """What git prints; raises OpsError with its reason, if it has one to print nothing.

    Only commands that start no program of the repository's: `status` and `diff` do.
    """
    variables = {"GIT_CEILING_DIRECTORIES": str(place.parent)}  # no other repository's answer
    if become:  # who cannot read root's settings, without which git does not work
        variables |= {"HOME": _NOWHERE, "XDG_CONFIG_HOME": _NOWHERE}
    argv = [*become, "git", "-c", "core.fsmonitor=false", "-C", str(place), *command]
    done = stack.runner.run(argv, timeout=_GIT_TIMEOUT, env=variables, check=False)
    if not done.ok and done.stderr.strip():
        raise OpsError(done.last_line)
    return done.stdout.strip() if done.ok else ""


def compare(stack: Stack, reporter: Reporter, wanted: str) -> Comparison:
    """The configuration in the backup `wanted`, compared with what is here.

    Raises OpsError for a backup that has none: one that was made by plain Compose.
    """
    service.prepare(stack, reporter)
    answer = service.ask(
        stack, reporter, service.MAKE, "configuration", wanted, kind=SavedConfiguration
    )
    saved = json.loads(base64.b64decode(answer.configuration))
    if not saved:
        raise OpsError(
            f"the backup {answer.id} holds no configuration",
            "Those of `inv backup` do, from the version on that has this command.",
        )
    here = collect(stack, reporter)
    return _compared(answer.id, saved, here)


def _compared(name: str, saved: Mapping[str, Any], here: Mapping[str, Any]) -> Comparison:
    present = here["files"]
    wanted = {file: text for file, text in saved["files"].items() if file in FILES}
    if ".env" in wanted:
        wanted[".env"] = _moved(wanted[".env"], present.get(".env", ""))
    other = {f: t for f, t in wanted.items() if t.splitlines() != present.get(f, "").splitlines()}
    diff = [
        line.encode(errors="replace").decode()
        for file, text in other.items()
        for line in difflib.unified_diff(
            present.get(file, "").splitlines(),
            text.splitlines(),
            f"{file} here",
            f"{file} in {name}",
            lineterm="",
        )
    ]
    return Comparison(name, other, diff, [*_sources(saved, here), *_images(saved, here)])


def _moved(saved: str, present: str) -> str:
    """The `.env` of another machine, for this one: backups are where they are here."""
    kept = [line for line in saved.splitlines() if not _STAYS.match(line)]
    kept += [line for line in present.splitlines() if _STAYS.match(line)]
    return "".join(f"{line}\n" for line in kept)


def _sources(saved: Mapping[str, Any], here: Mapping[str, Any]) -> list[str]:
    lines = []
    for folder, was in saved["repositories"].items():
        commit, origin = was["commit"], was["origin"] or "(no origin)"
        if here["repositories"].get(folder, {}).get("commit") == commit:
            continue
        there = folder in here["repositories"]
        get = "git" if there else f"git clone {origin} {folder} && git"
        lines.append(f"Sources of {folder}: {get} -C {folder} checkout {commit}")
    return lines


def _images(saved: Mapping[str, Any], here: Mapping[str, Any]) -> list[str]:
    return [
        f"{variable} was {image} ({identity})"
        for variable, (image, identity) in sorted(saved["images"].items())
        if identity and here["images"].get(variable) != [image, identity]
    ]


def write(settings: Settings, reporter: Reporter, found: Comparison) -> list[str]:
    """Write the files that were otherwise here, each beside what it was; lines for people.

    Raises OpsError where the person did not agree.
    """
    if not found.files:
        return []
    question = f"Write {', '.join(found.files)} as in the backup {found.id}?"
    if not reporter.confirm(question, unattended=False):
        raise OpsError("nothing was written", "Say yes, or give --yes where nobody can answer.")
    lines = []
    for name, text in found.files.items():
        path = (settings.root / name).resolve()  # a link stays a link
        before = _keep(path) if path.is_file() else None
        mode = path.stat().st_mode & 0o777 if before else _PRIVATE if name == ".env" else 0o644
        write_atomic(path, text.encode(errors="surrogateescape"), mode)
        lines.append(f"Written: {name}" + (f"; before: {before.name}" if before else ""))
    return [*lines, "Next: inv images, then inv restore"]


def _keep(path: Path) -> Path:
    number = 1
    while True:
        copy = path.with_name(f"{path.name}.before" + (f"-{number}" if number > 1 else ""))
        if write_new(copy, path.read_bytes(), path.stat().st_mode & 0o777):
            return copy
        number += 1
