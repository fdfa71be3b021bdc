"""Puts a certificate in use: switch, test, reload, look at what is served, or go back."""

import time
from typing import Final

from scripts.core.errors import OpsError
from scripts.stack import frontdoor
from scripts.stack.compose import Stack
from scripts.tls.store import Installed, Store

_RELOAD_SECONDS: Final = 15  # old workers may accept connections for a moment
_START: Final = ("up", "--detach", "--no-deps", "--no-build", "--wait", "nginx")


def serving(stack: Stack) -> bool:
    """Whether an Nginx of this installation runs and speaks HTTPS."""
    try:
        services = stack.services()
    except OpsError:  # no engine, so nothing that could serve
        return False
    return any(
        s.service == "nginx" and s.state == "running" and stack.settings.https_port in s.ports
        for s in services
    )


def start(stack: Stack) -> None:
    """Start Nginx alone, or anew if its settings have changed; raises OpsError."""
    stack.run(*_START, timeout=120, changes=True)


def install(stack: Stack, new: Installed) -> None:
    """Make `new` the certificate in use; a running Nginx serves it when this returns.

    Raises OpsError, with the former certificate in use again, where Nginx refuses
    the new one or goes on serving another.
    """
    store = Store(stack.settings.certificates)
    previous = store.switch(store.add(new))
    try:
        if serving(stack):
            apply(stack)
    except BaseException:
        if previous:
            store.switch(previous)
            stack.exec("nginx", "nginx", "-s", "reload")
        raise
    store.prune()


def apply(stack: Stack) -> None:
    """Have Nginx serve the certificate in use, under the names of the settings.

    It is reloaded, which no connection notices; only new names start it anew.
    Raises OpsError if it then serves another certificate.
    """
    if _knows_its_names(stack):
        _reload(stack)
    else:
        start(stack)
    _await_served(stack)


def outdated(stack: Stack) -> bool:
    """Whether Nginx serves another certificate than the one in use, or under other names."""
    return not _knows_its_names(stack) or bool(served_problem(stack))


def _knows_its_names(stack: Stack) -> bool:
    known = stack.exec("nginx", "printenv", "ODOO_DOMAIN").stdout.lower().split()
    return known == list(stack.settings.domains)


def _reload(stack: Stack) -> None:
    test = stack.exec("nginx", "nginx", "-t")
    if not test.ok:
        lines = "".join(f"\n  {line}" for line in test.stderr.splitlines())
        raise OpsError(f"Nginx refuses its configuration:{lines}", "Mend it, then run this again.")
    signal = stack.exec("nginx", "nginx", "-s", "reload")
    if not signal.ok:
        raise OpsError(f"Nginx was not reloaded: {signal.last_line}")


def _await_served(stack: Stack) -> None:
    deadline = time.monotonic() + _RELOAD_SECONDS
    while problem := served_problem(stack):
        if time.monotonic() > deadline:
            raise OpsError(problem, "See what Nginx says about it: inv logs --service nginx")
        time.sleep(0.2)


def served_problem(stack: Stack) -> str:
    """Whether Nginx serves the certificate in use; '' if it does."""
    try:
        return frontdoor.certificate_problem(stack.settings)
    except OpsError as error:
        return error.message
