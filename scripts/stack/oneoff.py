"""Programs of ours in containers of their own, which end with their answer."""

import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from itertools import takewhile
from pathlib import Path
from typing import Final, TypeVar

from scripts.core.completed import Completed
from scripts.core.errors import OpsError
from scripts.core.report import Reporter
from scripts.stack.compose import Stack
from toolbox.contract.codec import decode, from_json
from toolbox.contract.messages import ERROR, HINT, PERCENT, PROGRESS_WANTED

T = TypeVar("T")

_RUN: Final = ("--progress", "quiet", "run", "--rm", "-T", "--no-deps")
_STOP_SECONDS: Final = 60  # as long as Compose gives the containers of backups
_KILLED: Final = (137, 143)
_PERCENT: Final = re.compile(re.escape(PERCENT) + r"(-|\d{1,3}(?:\.\d+)?) ([a-z ]{1,60})")


def argv(
    service: str,
    *command: str,
    name: str = "",
    mounts: Mapping[Path, str] | None = None,
    variables: Mapping[str, str] | None = None,
) -> list[str]:
    """The words after `docker compose` that run `command` in a container of `service`."""
    named = ["--name", name] if name else []
    given = (variables or {}).items()
    settings = [part for name, value in given for part in ("--env", f"{name}={value}")]
    places = (mounts or {}).items()
    volumes = [part for host, place in places for part in ("--volume", f"{host}:{place}")]
    return [*_RUN, *named, *settings, *volumes, service, *command]


def run(
    stack: Stack,
    service: str,
    *command: str,
    timeout: float,
    mounts: Mapping[Path, str] | None = None,
    variables: Mapping[str, str] | None = None,
    env: Mapping[str, str] | None = None,
    stdin: str | None = None,
    reporter: Reporter | None = None,
) -> Completed:
    """Run `command` in a container of `service`, which has ended however this call ends.

    `env` is for Compose itself, `variables` for the command. `reporter` hears how far it is, if
    somebody watches. Raises OpsError after `timeout` seconds.
    """
    told = _progress(reporter) if reporter and reporter.live else None
    if told:
        variables = {**(variables or {}), PROGRESS_WANTED: "1"}
    with container(stack, service) as name:
        words = argv(service, *command, name=name, mounts=mounts, variables=variables)
        done = stack.run(*words, timeout=timeout, env=env, stdin=stdin, check=False, on_line=told)
    if not told:
        return done
    lines = done.stderr.splitlines(keepends=True)
    return replace(done, stderr="".join(row for row in lines if not row.startswith(PERCENT)))


def _progress(reporter: Reporter) -> Callable[[str], None]:
    """Hands on to `reporter` what a line of standard error tells of the progress."""

    def tell(line: str) -> None:
        if found := _PERCENT.fullmatch(line):
            reporter.progress(found[2], None if found[1] == "-" else float(found[1]))

    return tell


@contextmanager
def container(stack: Stack, service: str) -> Iterator[str]:
    """A name for the container that the block runs; if it fails, that is stopped and removed.

    An interrupted `docker compose run` may leave its container at work, of which the next
    command would know nothing.
    """
    name = f"{stack.settings.project}-{service}-run-{secrets.token_hex(6)}"
    try:
        yield name
    except BaseException:
        for words in (["stop", "--time", str(_STOP_SECONDS)], ["rm", "--force"]):
            stack.runner.run(["docker", *words, name], timeout=_STOP_SECONDS + 30, check=False)
        raise


def answer(kind: type[T], text: str) -> T:
    """What a program has printed, as a `kind`; raises OpsError for anything else."""
    return _understood(lambda: from_json(kind, text))


def record(kind: type[T], value: object) -> T:
    """A part of such an answer, as a `kind`; raises OpsError for anything else."""
    return _understood(lambda: decode(kind, value))


def _understood(read: Callable[[], T]) -> T:
    try:
        return read()
    except ValueError as error:
        raise OpsError(
            f"the answer of a container cannot be read: {error}",
            "Is toolbox/ of the same version as scripts/? See: git status",
        ) from error


def failure(done: Completed, what: str, memory: str) -> OpsError:
    """The reason that the container of `what` gave, with the indented lines that follow it.

    `memory` is the setting of its limit, the likely cause where it was killed.
    """
    lines = [line.rstrip() for line in done.stderr.splitlines() if line.strip()]
    hints = [line.removeprefix(HINT) for line in lines if line.startswith(HINT)]
    said = [n for n, line in enumerate(lines) if line.startswith(ERROR)]
    if said:
        more = takewhile(lambda line: line.startswith("  "), lines[said[-1] + 1 :])
        message = "\n".join([lines[said[-1]].removeprefix(ERROR), *more])
        return OpsError(message, hints[-1] if hints else "")
    if done.code in _KILLED:
        reason = f"it was killed (out of memory: {memory} in .env?)"
    elif lines and "not manually attachable" in lines[-1]:
        return OpsError("Docker Swarm runs this platform here", "See: inv --list swarm")
    elif lines and "has active endpoints" in lines[-1]:
        return OpsError("compose.yaml has other networks than the platform", "Run: inv up")
    else:
        reason = lines[-1].strip() if lines else "it gave no reason"
    return OpsError(f"the container of {what} ended with code {done.code}: {reason}")
