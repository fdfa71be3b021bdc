"""While modules change, Nginx answers for Odoo: back in a moment."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from scripts.core.errors import OpsError
from scripts.stack.compose import Stack

_PROGRAM: Final = ("sh", "/etc/nginx/gate")


@contextmanager
def closed(stack: Stack) -> Iterator[None]:
    """Nobody reaches Odoo by way of Nginx while the block lasts.

    Visitors get status 503 with Retry-After. The gate is held by a process in Nginx's
    container that ends with our end of its standard input, so that it opens by itself
    however this process ends. Where Nginx does not run there is nobody to be kept out.
    """
    nginx = [s for s in stack.services() if s.service == "nginx" and s.state == "running"]
    if not nginx:
        yield
        return
    with stack.runner.talk(stack.exec_argv(nginx[0].name, *_PROGRAM)) as talk:
        if talk.hear() != "closed":
            raise OpsError(
                f"Nginx does not close its gate: {talk.end().last_line}",
                "Another change may be on its way; see also: inv logs --service nginx",
            )
        yield
