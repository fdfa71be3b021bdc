"""A machine that keeps repositories of backups: rclone in a container beside the platform."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.support import images
from tests.e2e.support.checkout import Checkout
from tests.support.waiting import eventually

REST_PORT = 8080


@contextmanager
def repository_server(platform: Checkout, *serve: str, keys: Path | None = None) -> Iterator[str]:
    """A container that serves /data by `rclone serve …`, while the block runs; its name."""
    name = f"{platform.project}-{secrets.token_hex(2)}"
    mounts = ["--tmpfs", "/data", *(["--volume", f"{keys}:/keys:ro"] if keys else [])]
    run = ["docker", "run", "--detach", "--rm", "--name", name, *mounts]
    image = images.in_use()["BACKUP_IMAGE"]
    network = ["--network", f"{platform.project}_edge", "--entrypoint", "rclone", image]
    done = platform.run(*run, *network, "serve", *serve, "/data")
    assert done.returncode == 0, done.stderr
    try:
        assert eventually(lambda: _is_up(_log(platform, name)), 30), _log(platform, name)
        yield name
    finally:
        platform.run("docker", "rm", "--force", "--volumes", name)


def _is_up(log: str) -> bool:
    return "erving" in log or "listening" in log


def _log(platform: Checkout, container: str) -> str:
    logs = platform.run("docker", "logs", container)
    return logs.stdout + logs.stderr
