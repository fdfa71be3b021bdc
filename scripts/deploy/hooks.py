"""Programs of the operator's own that `inv deploy` runs: hooks/pre-deploy and the like."""

import os
from collections.abc import Mapping
from typing import Final

from scripts.core.errors import OpsError
from scripts.core.report import Reporter
from scripts.stack.compose import Stack

BEFORE: Final = "pre-deploy"
AFTER: Final = "post-deploy"
FAILED: Final = "deploy-failed"
_SECONDS: Final = 600.0


def run(stack: Stack, reporter: Reporter, name: str, variables: Mapping[str, str]) -> None:
    """Run hooks/`name` in the project's folder, if there is one; `variables` are added.

    Raises OpsError where it fails, with the end of what it has printed.
    """
    path = stack.settings.root / "hooks" / name
    if not path.is_file():
        return
    if not os.access(path, os.X_OK):
        raise OpsError(f"hooks/{name} is not executable", f"chmod +x hooks/{name}")
    with reporter.step(f"Running hooks/{name}"):
        done = stack.runner.run(
            [str(path)], env=variables, timeout=_SECONDS, check=False, changes=True
        )
    if not done.ok:
        lines = (done.stdout + done.stderr).splitlines()[-10:]
        shown = "".join(f"\n  {line}" for line in lines)
        raise OpsError(f"hooks/{name} ended with exit code {done.code}{shown}")
