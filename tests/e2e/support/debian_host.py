"""A Debian machine to try on what must not be tried on the one that runs the tests."""

import os
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from scripts.stack import debian
from tests.conftest import ROOT


@dataclass(frozen=True)
class DebianHost:
    """A container, by default with cron as its main process, and this project read-only in /src."""

    name: str

    def run(self, *argv: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """Run a command in it as root."""
        command = ["docker", "exec", "--interactive", self.name, *argv]
        return subprocess.run(command, input=stdin, capture_output=True, timeout=120)

    def ok(self, *argv: str, stdin: bytes = b"") -> bytes:
        """What a command prints that has to succeed."""
        done = self.run(*argv, stdin=stdin)
        assert done.returncode == 0, done.stderr.decode(errors="replace")
        return done.stdout

    def python(self, *lines: str) -> str:
        """What Debian's own Python prints, which has nothing but its standard library."""
        program = ["python3", "-B", "-c", "\n".join(lines)]
        return self.ok("env", "PYTHONPATH=/src", *program).decode().strip()

    def write(self, path: str, content: bytes) -> None:
        """Write a file in it."""
        self.ok("sh", "-c", 'mkdir -p "$(dirname "$0")" && cat >"$0"', path, stdin=content)


def _build(kind: str) -> str:
    """The image of the Dockerfile in the folder `kind` beside this file."""
    # Our own base is there wherever images were built here, as without a registry.
    base = subprocess.run(["docker", "image", "inspect", debian.BASE], capture_output=True)
    options = [] if base.returncode else ["--build-arg", f"BASE_IMAGE={debian.BASE}"]
    folder, image = str(Path(__file__).parent / kind), f"localhost/ipai/test-{kind}:1"
    command = ["docker", "build", "--quiet", "--tag", image, *options, folder]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return image


@contextmanager
def debian_host(*command: str, kind: str = "cron") -> Iterator[DebianHost]:
    """A fresh machine, removed at the end; `command` is its main process instead of the image's."""
    image = _build(kind)
    name = f"ipai-machine-{os.getpid()}-{secrets.token_hex(3)}"
    mount = ["--volume", f"{ROOT}:/src:ro"]
    start = ["docker", "run", "--detach", "--rm", "--name", name, *mount, image, *command]
    try:
        done = subprocess.run(start, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        yield DebianHost(name)
    finally:
        subprocess.run(["docker", "rm", "--force", "--volumes", name], capture_output=True)
