"""What `inv health` asks the running platform."""

from collections.abc import Callable
from typing import Final

from scripts.core.checks import Check, Finding, Status
from scripts.core.errors import OpsError
from scripts.stack import frontdoor
from scripts.stack.compose import Stack

_OK: Final = Finding(Status.OK)


def checks(stack: Stack, certificate_problem: Callable[[], str] = str) -> list[Check]:
    """The five lines of the health report, from the outside inwards.

    `certificate_problem` says why browsers would refuse the certificate, '' if they would not.
    """
    return [
        Check("Nginx", lambda: _nginx(stack, certificate_problem)),
        Check("Odoo (proxy)", lambda: _odoo_by_proxy(stack)),
        Check("Odoo (container)", lambda: _odoo_in_container(stack)),
        Check("PostgreSQL", lambda: _postgresql(stack)),
        Check("Redis", lambda: _redis(stack)),
    ]


def running(stack: Stack) -> Stack:
    """The flavour that runs, or `stack` itself where that cannot be known."""
    try:
        return stack.as_running()
    except OpsError:  # every probe will say so
        return stack


def _failed(detail: str, service: str) -> Finding:
    return Finding(Status.FAILED, detail, f"inv logs --service {service}")


def _nginx(stack: Stack, certificate_problem: Callable[[], str]) -> Finding:
    reply = frontdoor.get(stack.settings, "/nginx-health")
    if reply.status != 200:
        return _failed(f"status {reply.status}", "nginx")
    problem = certificate_problem() if stack.settings.tls else ""
    return Finding(Status.FAILED, problem, "inv renew-tls") if problem else _OK


def _odoo_by_proxy(stack: Stack) -> Finding:
    # The login page needs Odoo, its registry and the database; /web/health does not.
    reply = frontdoor.get(stack.settings, "/web/login", timeout=15)
    return _OK if reply.status in (200, 303) else _failed(f"status {reply.status}", "odoo")


def _odoo_in_container(stack: Stack) -> Finding:
    url = "http://127.0.0.1:8069/web/health"
    done = stack.exec("odoo", "curl", "-fsS", "-m", "10", "-o", "/dev/null", url)
    return _OK if done.ok else _failed(done.last_line, "odoo")


def _postgresql(stack: Stack) -> Finding:
    # As Odoo's own role, in Odoo's own database: more than "a port is open".
    query = ["psql", "-U", "odoo", "-d", stack.settings.database, "-tAc", "SELECT 1"]
    done = stack.exec("odoo_db", "env", "PGCONNECT_TIMEOUT=5", *query)
    return _OK if done.stdout.strip() == "1" else _failed(done.last_line, "odoo_db")


def _redis(stack: Stack) -> Finding:
    done = stack.exec("redis", "sh", "/etc/platform/cli", "ping", timeout=15)
    if done.stdout.strip() != "PONG":
        return _failed(done.last_line, "redis")
    # Odoo stores a session as soon as there is something in it: here the debug mode.
    # It is looked for in Redis, and taken out again.
    reply = frontdoor.get(stack.settings, "/web/login?debug=1", timeout=15)
    sid = reply.cookies.get("session_id", "")
    helper = ["python3", "/mnt/extra-addons/session_redis/admin.py", "take"]
    done = stack.exec("odoo", *helper, f"--sid={sid}", timeout=15)
    if done.stdout.strip() == '{"found": 1}':
        return _OK
    return _failed(f"no session of Odoo is found in it: {done.last_line}", "odoo")
