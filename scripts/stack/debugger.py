"""debugpy, for Odoo's container to run under (`inv up --debug`)."""

import shutil
import sys
from typing import Final

from scripts.core.files import digest, write_atomic
from scripts.core.report import Reporter
from scripts.stack.compose import Stack

_PIP_TIMEOUT: Final = 600


def ensure(stack: Stack, reporter: Reporter) -> None:
    """Put debugpy where compose.debug.yaml mounts it from, once for each version of it.

    Does nothing where nobody asked for the debugger. Raises CommandFailedError if it
    cannot be downloaded.
    """
    settings = stack.settings
    if not settings.debug:
        return
    lockfile = settings.root / "requirements" / "debug.lock"
    target = settings.state_folder / "debugpy"
    stamp, wanted = target / "source", digest([lockfile], settings.root)
    if not stamp.is_file() or stamp.read_text() != wanted:
        # Without compiled parts: the container's Python is not this one.
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes"]
        any_python = ["--implementation", "py", "--abi", "none", "--platform", "any"]
        options = [*any_python, "--only-binary=:all:", "--target", str(target)]
        with reporter.step("Fetching debugpy"):
            if not stack.runner.dry:
                shutil.rmtree(target, ignore_errors=True)
            argv = [*pip, *options, "-r", str(lockfile)]
            stack.runner.run(argv, timeout=_PIP_TIMEOUT, changes=True)
        if not stack.runner.dry:
            write_atomic(stamp, wanted.encode())
    reporter.note(f"Debugger: debugpy listens on 127.0.0.1:{settings.debug_port}")
