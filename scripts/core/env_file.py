"""The file `.env`: who may read it, and whether it holds what they should not."""

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from scripts.core import env_syntax, redact
from scripts.core.errors import UsageError
from scripts.core.files import write_atomic

_PRIVATE: Final = 0o600
_FOR_ALL: Final = 0o004


def write(path: Path, data: bytes) -> None:
    """Replace `path`: with 0600 where it is new, else with the mode that it has.

    Its owner stays, too, and a new one belongs to the owner of its folder: what root has
    written for somebody else (`sudo ./scripts/inv …`) is still theirs to read.
    Raises OpsError where it cannot be written.
    """
    before = path.stat() if path.exists() else None
    write_atomic(path, data, before.st_mode & 0o777 if before else _PRIVATE)
    if os.geteuid() == 0:
        owner = before or path.parent.stat()
        with suppress(PermissionError):  # root of this machine is nobody on some file servers
            os.chown(path, owner.st_uid, owner.st_gid)


def exposed(path: Path) -> tuple[str, ...]:
    """The variables in `path` that seem to hold a secret, if every user may read the file."""
    if not path.is_file() or not path.stat().st_mode & _FOR_ALL:
        return ()
    found = parse(path).values.items()
    return tuple(name for name, value in found if value and redact.is_secret(name, value))


def warning(path: Path) -> str:
    """What to tell the person about `path`; '' where there is nothing to tell."""
    if not (names := exposed(path)):
        return ""
    return (
        f"warning: every user of this machine can read {', '.join(names)} in {path.name};"
        f" run: chmod 600 {path.name}"
    )


def text(path: Path) -> str:
    """What is in `path`, without a byte order mark, as Docker Compose reads it; '' if it is not.

    Raises UsageError for a file that is no UTF-8, such as PowerShell's `>` may write, and for a
    link that leads nowhere: with the defaults instead, it would be another platform.
    """
    if path.is_fifo() or (path.is_symlink() and not path.exists()):
        raise UsageError(f"{path} leads to no file", "Correct the link, or put a file there.")
    try:
        return path.read_bytes().decode("utf-8-sig") if path.is_file() else ""
    except UnicodeDecodeError:
        hint = "Save it as UTF-8: Docker Compose cannot read it either."
        raise UsageError(f"{path} is no UTF-8 text", hint) from None
    except OSError as error:
        hint = "Run this as the user who owns it, or correct its permissions."
        raise UsageError(f"{path} cannot be read: {error.strerror}", hint) from error


def lines(path: Path) -> list[str]:
    """The lines of `path` without their ends, also those of Windows; raises as `text` does."""
    found = text(path).split("\n")
    return [line.removesuffix("\r") for line in (found if found[-1] else found[:-1])]


def parse(path: Path, environment: Mapping[str, str] | None = None) -> env_syntax.Parsed:
    """What is in `path`, nothing where there is no such file; raises as `text` does.

    Values may refer to variables of `environment`; without one they are as they are written.
    """
    try:
        return env_syntax.parse(text(path), environment)
    except env_syntax.EnvSyntaxError as error:
        raise UsageError(
            f"{path}, line {error.line}: {error.message}",
            "Docker Compose cannot read it either; see docs/configuration.md.",
        ) from None


def remember(path: Path, values: Mapping[str, str]) -> list[str]:
    """Write `values` into the `.env` at `path`, keeping every other line; returns what changed."""
    path = path.resolve()  # a link stays a link
    found = lines(path)
    changed = []
    for name, value in values.items():
        wanted = f"{name}={env_syntax.quoted(value)}"
        at = [i for i, line in enumerate(found) if re.match(rf"#?\s*{name}=", line)]
        live = [i for i in at if not found[i].startswith("#")]
        if live and found[live[-1]] == wanted:
            continue
        changed.append(wanted)
        if at:
            found[(live or at)[-1]] = wanted
        else:
            found.append(wanted)
    if changed:
        write(path, "".join(f"{line}\n" for line in found).encode())
    return changed
