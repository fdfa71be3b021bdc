"""Whether a password opens the door of Odoo: by a real login."""

import json
from dataclasses import dataclass

from scripts.rotation import sql, verifiers
from scripts.rotation.journal import Admin
from scripts.stack.compose import Stack

_RPC = "http://127.0.0.1:8069/jsonrpc"
_LOGIN_TIMEOUT = 60


@dataclass(frozen=True)
class Login:
    """The administrator's login, and whether a password opens it."""

    login: str
    opens: bool


def look(stack: Stack, password: str) -> Login | None:
    """Try `password` for Odoo's administrator; None where there is none in the database."""
    if not (found := sql.admin(stack)):
        return None
    return Login(found.login, bool(password) and found.active and opens(stack, found, password))


def opens(stack: Stack, admin: Admin, password: str) -> bool:
    """Whether `admin` gets in by `password`.

    Where Odoo refuses, what it stores of the password decides: with a second factor, or
    after too many failed logins, it lets nobody in by the password alone.
    """
    return _logs_in(stack, admin.login, password) or verifiers.odoo_takes(password, admin.password)


def _logs_in(stack: Stack, login: str, password: str) -> bool:
    arguments = [stack.settings.database, login, password, {}]
    params = {"service": "common", "method": "authenticate", "args": arguments}
    body = json.dumps({"jsonrpc": "2.0", "method": "call", "params": params})
    curl = ["curl", "-sS", "-m", str(_LOGIN_TIMEOUT), "-H", "Content-Type: application/json"]
    request = [*curl, "--data-binary", "@-", _RPC]
    done = stack.exec("odoo", *request, stdin=body, timeout=_LOGIN_TIMEOUT + 30)
    try:
        return done.ok and bool(json.loads(done.stdout).get("result"))
    except ValueError:
        return False
