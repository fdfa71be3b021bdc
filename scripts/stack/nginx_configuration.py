"""Having the running Nginx read its configuration again."""

from typing import Final

from scripts.core.errors import OpsError
from scripts.stack.compose import Stack

# Alone it has Nginx send to every container of Odoo again; see its first lines.
UPSTREAMS: Final = ("sh", "/etc/nginx/upstreams")


def reload(stack: Stack) -> None:
    """Have Nginx read its configuration again, which no request notices.

    Raises OpsError with its reason where it refuses that configuration: it goes on with the
    one that it has. It may take a moment until no process works by that any more.
    """
    test = stack.exec("nginx", "nginx", "-t")
    if not test.ok:
        lines = "".join(f"\n  {line}" for line in test.stderr.splitlines())
        raise OpsError(
            f"Nginx refuses its configuration:{lines}", "Correct it, then run this again."
        )
    signal = stack.exec("nginx", "nginx", "-s", "reload")
    if not signal.ok:
        raise OpsError(f"Nginx was not reloaded: {signal.last_line}")
