"""The Debian packages of an image, and what a refresh has changed of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from scripts.stack.compose import Stack

_TIMEOUT: Final = 120.0
_FORMAT: Final = "${Package} ${Version}\\n"


@dataclass(frozen=True)
class Difference:
    """What has changed of an image."""

    image: str
    updated: Mapping[str, tuple[str, str]]  # package: version before and after
    added: tuple[str, ...]
    removed: tuple[str, ...]

    @property
    def lines(self) -> list[str]:
        """For people, a line each."""
        total = len(self.updated) + len(self.added) + len(self.removed)
        lines = [
            f"{self.image}: {total} packages have changed" if total else f"{self.image}: as before"
        ]
        lines += [f"  {name} {old} → {new}" for name, (old, new) in sorted(self.updated.items())]
        lines += [f"  {name} is new" for name in self.added]
        return [*lines, *(f"  {name} is gone" for name in self.removed)]


def installed(stack: Stack, image: str) -> dict[str, str]:
    """Every package of `image` and its version; none where it has no dpkg, or is not there."""
    query = ["--entrypoint", "dpkg-query", image, "--show", f"--showformat={_FORMAT}"]
    argv = ["docker", "run", "--rm", "--pull", "never", "--network", "none", *query]
    done = stack.runner.run(argv, timeout=_TIMEOUT, check=False)
    rows = (line.split() for line in done.stdout.splitlines()) if done.ok else ()
    return {row[0]: row[1] for row in rows if len(row) == 2}


def compare(image: str, before: Mapping[str, str], after: Mapping[str, str]) -> Difference:
    """What is different in `after`."""
    return Difference(
        image,
        {n: (before[n], after[n]) for n in before.keys() & after if before[n] != after[n]},
        tuple(sorted(after.keys() - before)),
        tuple(sorted(before.keys() - after)),
    )
