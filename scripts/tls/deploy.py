"""Puts a certificate in use: switch, test, reload, look at what is served, or go back."""

import time
from enum import StrEnum
from typing import Final

from scripts.core.errors import OpsError
from scripts.core.settings import HTTPS
from scripts.stack import ingress, nginx_configuration
from scripts.stack.compose import Stack
from scripts.tls.store import Installed, Store

_RELOAD_SECONDS: Final = 15  # old workers may accept connections for a moment
_START: Final = ("up", "--detach", "--no-deps", "--no-build", "--wait", "nginx")


class DeployState(StrEnum):
    """What a new certificate means to the Nginx of this installation."""

    ABSENT = "absent"  # nothing runs that would serve it
    SERVING = "serving"
    FAILING = "failing"  # started again and again, perhaps for want of a certificate


def state(stack: Stack) -> DeployState:
    """How Nginx is; raises OpsError where it cannot be known, or runs in no useful way."""
    nginx = next((s for s in stack.services() if s.service == "nginx"), None)
    if nginx is None or nginx.state in ("created", "exited", "dead"):
        return DeployState.ABSENT
    if nginx.state == "restarting":
        return DeployState.FAILING
    if nginx.state != "running":
        raise OpsError(f"Nginx is {nginx.state}", "Let it go on, or start it again: inv up --prod")
    if HTTPS not in nginx.targets:
        return DeployState.ABSENT  # the development environment
    if stack.settings.https_port not in nginx.ports:
        raise OpsError(
            f"Nginx listens on another port than NGINX_HTTPS_PORT={stack.settings.https_port}",
            "Start it again with the present settings: inv up --prod",
        )
    return DeployState.SERVING


def start(stack: Stack) -> None:
    """Start Nginx alone, or again if its settings have changed; raises OpsError."""
    stack.run(*_START, timeout=120, changes=True)


def reachable(stack: Stack) -> bool:
    """Whether there is an engine that could tell of Nginx."""
    try:
        stack.services()
    except OpsError:
        return False
    return True


def install(stack: Stack, new: Installed, *, serve: bool = True) -> None:
    """Make `new` the certificate in use; a running Nginx serves it when this returns.

    Without `serve`, for want of an engine, Nginx is left alone. Raises OpsError, with
    the former certificate in use again, where Nginx refuses the new one or goes on
    serving another.
    """
    store = Store(stack.settings.certificates)
    previous = store.switch(store.add(new))
    try:
        if serve:
            apply(stack)
    except BaseException:
        if previous:
            store.switch(previous)
            stack.exec("nginx", "nginx", "-s", "reload")
        raise
    store.prune()


def apply(stack: Stack) -> None:
    """Have Nginx, if it runs, serve the certificate in use under the names of the settings.

    It is reloaded, which no connection notices; only new names start it again.
    Raises OpsError if it then serves another certificate, or how it is cannot be known.
    """
    found = state(stack)
    if found is DeployState.ABSENT:
        return
    if found is DeployState.FAILING:
        stack.run("restart", "nginx", timeout=120, changes=True)
    elif _knows_its_names(stack):
        nginx_configuration.reload(stack)
    else:
        start(stack)
    _await_served(stack)


def outdated(stack: Stack) -> bool:
    """Whether a running Nginx serves another certificate than the one in use, or other names."""
    found = state(stack)
    if found is DeployState.SERVING:
        return not _knows_its_names(stack) or bool(served_problem(stack))
    return found is DeployState.FAILING


def _knows_its_names(stack: Stack) -> bool:
    known = stack.exec("nginx", "printenv", "ODOO_DOMAIN").stdout.lower().split()
    return known == list(stack.settings.domains)


def _await_served(stack: Stack) -> None:
    deadline = time.monotonic() + _RELOAD_SECONDS
    while problem := served_problem(stack):
        if time.monotonic() > deadline:
            raise OpsError(problem, "See what Nginx says about it: inv logs --service nginx")
        time.sleep(0.2)


def served_problem(stack: Stack) -> str:
    """Whether Nginx serves the certificate in use; '' if it does."""
    try:
        return ingress.certificate_problem(stack.settings)
    except OpsError as error:
        return error.message
