"""An Nginx that answers an ACME authority, also before the platform was ever started."""

from collections.abc import Iterator
from contextlib import contextmanager

from scripts.core.errors import OpsError
from scripts.core.report import Reporter
from scripts.stack import image_names, images
from scripts.stack.compose import Stack
from scripts.tls import deploy


@contextmanager
def nginx(stack: Stack, reporter: Reporter) -> Iterator[None]:
    """While the block runs, Nginx answers on port 80; where none ran, one is started for it.

    Brings certbot's image too. Raises OpsError where the development environment runs.
    """
    before = {service.service: service for service in stack.services()}
    if deploy.state(stack) is not deploy.DeployState.ABSENT:
        images.ensure_one(stack, reporter, image_names.CERTBOT)
        yield
        return
    if "nginx" in before and before["nginx"].state == "running":
        raise OpsError("Nginx runs, but without HTTPS", "Switch to production: inv up --prod")
    images.ensure(stack, reporter, image_names.CERTBOT)
    try:
        deploy.start(stack)
        yield
    finally:
        # As it was before, but never without an Nginx in front of a running Odoo.
        if not any(s.service == "odoo" and s.state == "running" for s in stack.services()):
            end = ["stop"] if "nginx" in before else ["rm", "--stop", "--force"]
            stack.run(*end, "nginx", timeout=60, changes=True)
