"""Programs in containers of their own, which tests bring along on the platform's network."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scripts.stack import debian
from tests.e2e.support import images
from tests.e2e.support.checkout import Checkout


def build(checkout: Checkout, name: str) -> str:
    """The image that `name`/Dockerfile beside this file makes, on the platform's own base."""
    base = debian.BASE if debian.is_ours(images.in_use(checkout)["NGINX_IMAGE"]) else ""
    image = f"localhost/ipai/test-{name}:1"
    options = ["--build-arg", f"BASE_IMAGE={base}"] if base else []
    folder = str(Path(__file__).parent / name)
    built = checkout.run("docker", "build", "--quiet", "--tag", image, *options, folder)
    assert built.returncode == 0, built.stderr
    return image


@contextmanager
def on_the_edge(checkout: Checkout, name: str, *arguments: str) -> Iterator[str]:
    """A container on the network where Nginx is, running while the block does; its name."""
    container = f"{checkout.project}-{name}-{secrets.token_hex(3)}"
    network = f"{checkout.project}_edge"
    run = ["docker", "run", "--detach", "--name", container, "--network", network]
    started = checkout.run(*run, *arguments)
    try:
        assert started.returncode == 0, started.stderr
        yield container
    finally:
        checkout.run("docker", "rm", "--force", "--volumes", container)
