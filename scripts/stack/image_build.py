"""Builds of images, logged, with the step at which each is."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from scripts.core.errors import OpsError
from scripts.core.process import Runner
from scripts.core.report import Reporter
from scripts.stack import image_facts

BUILD: Final = ("docker", "build", "--force-rm")
_BUILD_SECONDS: Final = 3600
_STEP: Final = re.compile(r"(?:Step |#\d+ \[(?:\S+ +)?)(\d+)/(\d+)(?: :|\])")


def logged(
    runner: Runner,
    argv: Sequence[str],
    log: Path,
    env: Mapping[str, str] | None = None,
    *,
    on_line: Callable[[str], None] | None = None,
) -> None:
    """Run a long command into `log`; raises OpsError with its last lines if it fails."""
    with log.open("ab") as stream:
        done = runner.run(
            argv,
            stdout=stream,
            timeout=_BUILD_SECONDS,
            env=env,
            check=False,
            changes=True,
            on_line=on_line,
        )
    if not done.ok:
        tail = "".join(f"\n  {line}" for line in log.read_text(errors="replace").splitlines()[-15:])
        raise OpsError(f"`{argv[0]}` failed with exit code {done.code}:{tail}", f"All of it: {log}")


def steps(reporter: Reporter, name: str) -> Callable[[str], None] | None:
    """Tells `reporter` at which step of its Dockerfile the build of `name` is, if it is watched.

    No percentage: one step may take longer than all others.
    """
    if not reporter.live:
        return None

    def tell(line: str) -> None:
        if found := _STEP.match(line):
            reporter.progress(f"{name}, step {found[1]} of {found[2]}")

    return tell


def build_image(
    runner: Runner,
    context: Path,
    tag: str,
    source: str,
    args: Mapping[str, str],
    log: Path,
    reporter: Reporter,
) -> None:
    """Build `context` as `tag`, marked with `source`; raises OpsError if that fails."""
    settings = [part for name, value in args.items() for part in ("--build-arg", f"{name}={value}")]
    mark = ["--label", f"{image_facts.LABEL}={source}"]
    argv = [*BUILD, "--tag", tag, *mark, *settings, str(context)]
    logged(runner, argv, log, on_line=steps(reporter, context.name))
