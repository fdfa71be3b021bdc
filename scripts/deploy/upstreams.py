"""Which containers of Odoo Nginx sends to, while they are replaced: see nginx/upstreams."""

import ipaddress
from collections.abc import Sequence
from typing import Final

from scripts.core.errors import OpsError
from scripts.stack.compose import Stack
from scripts.stack.nginx_configuration import UPSTREAMS

_SECONDS: Final = 90.0


def send_to(stack: Stack, requests: Sequence[str], websockets: Sequence[str]) -> None:
    """Have Nginx send to these containers only; nobody new is sent to others on return."""
    both = ([_address(stack, name) for name in each] for each in (requests, websockets))
    _run(stack, *map(",".join, both))


def send_to_all(stack: Stack) -> None:
    """Have Nginx send to whatever has the names in its site, as after each start."""
    _run(stack)


def _run(stack: Stack, *arguments: str) -> None:
    done = stack.exec("nginx", *UPSTREAMS, *arguments, timeout=_SECONDS, changes=True)
    if not done.ok:
        raise OpsError(
            f"Nginx does not take other containers: {done.last_line}",
            "inv logs --service nginx; a restart of Nginx makes it ask for the names again",
        )


def _address(stack: Stack, container: str) -> str:
    """Its address in the network that it has in common with Nginx."""
    network = f"{stack.settings.project}_edge"
    form = f'{{{{(index .NetworkSettings.Networks "{network}").IPAddress}}}}'
    argv = ["docker", "container", "inspect", "--format", form, container]
    said = stack.runner.run(argv, timeout=30, check=False).stdout.strip()
    try:
        return str(ipaddress.IPv4Address(said))
    except ValueError:
        raise OpsError(f"{container} has no address in {network}", "inv up") from None
