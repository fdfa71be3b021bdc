"""Whether there is a login page and, in production, websockets: what a start waits for."""

import time
from typing import Final

from scripts.core.completed import Completed
from scripts.core.errors import OpsError
from scripts.stack import ingress, maintenance_window
from scripts.stack.compose import Stack

CURL_SAW_ERROR: Final = 22  # with --fail: an HTTP status of 400 or more; see curl(1)
_KEPT_OUT: Final = 503
_WITH_PAGE: Final = ("odoo", "odoo_cron")
_OF_ODOO: Final = "http://127.0.0.1:8069/web/login"  # in its container
# The process for websockets is there some seconds after the others: any answer counts. Without
# workers there is none.
_ASK_WEBSOCKETS: Final = (
    'grep -Eq "^workers *= *[1-9]" "$ODOO_RC" || exit 0;'
    " curl -s -o /dev/null -m 5 http://127.0.0.1:8072/websocket"
)
_WEBSOCKET_SECONDS: Final = 60
_POLL_SECONDS: Final = 0.3


def problem(stack: Stack) -> str:
    """Why visitors would get none; '' if they get one, or would but for maintenance."""
    url = f"{stack.settings.url}/web/login"
    try:
        reply = ingress.get(stack.settings, "/web/login", timeout=10)
        kept_out = reply.status == _KEPT_OUT and maintenance_window.active(stack.settings)
        done = ask_odoo(stack) if kept_out else None
    except OpsError as error:
        return error.message
    if done:
        return "" if done.ok else f"Odoo does not work ({done.last_line})"
    return "" if reply.status in (200, 303) else f"{url} answers with status {reply.status}"


def ask_odoo(stack: Stack) -> Completed:
    """Ask Odoo itself for its login page, whatever Nginx says to visitors meanwhile.

    With replicas, each of them; returns the first answer that is none.
    """
    asked = ["curl", "-fsS", "-m", "60", "-o", "/dev/null", _OF_ODOO]
    done = stack.exec("odoo", *asked, timeout=90)
    if not done.ok or len(stack.settings.odoo_services) == 1:
        return done
    found = [s for s in stack.services() if s.service in _WITH_PAGE and not s.oneoff]
    for name in (s.name for s in found if s.state == "running"):
        done = stack.runner.run(stack.exec_argv(name, *asked), timeout=90, check=False)
        if not done.ok:
            break
    return done


def await_websockets(stack: Stack) -> None:
    """In production, wait until Odoo takes websockets, for a minute at most."""
    if not stack.settings.tls or stack.runner.dry:
        return
    service = stack.settings.odoo_services[-1]
    deadline = time.monotonic() + _WEBSOCKET_SECONDS
    while time.monotonic() < deadline and not stack.exec(service, "sh", "-c", _ASK_WEBSOCKETS).ok:
        time.sleep(_POLL_SECONDS)
