"""Whether there is a login page, which is what a start waits for."""

from typing import Final

from scripts.core.completed import Completed
from scripts.core.errors import OpsError
from scripts.stack import ingress, maintenance_window
from scripts.stack.compose import Stack

_KEPT_OUT: Final = 503
_OF_ODOO: Final = "http://127.0.0.1:8069/web/login"  # in its container


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
    """Ask Odoo itself for its login page, whatever Nginx says to visitors meanwhile."""
    asked = ["curl", "-fsS", "-m", "60", "-o", "/dev/null", _OF_ODOO]
    return stack.exec("odoo", *asked, timeout=90)
