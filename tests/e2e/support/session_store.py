"""The sessions of a platform, past Odoo: in Redis, and with Redis stopped."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.e2e.support.browser_session import BrowserSession
from tests.e2e.support.checkout import Checkout


def redis(platform: Checkout, *command: str) -> str:
    """What Redis answers, past Odoo."""
    done = platform.exec("redis", "sh", "/etc/platform/cli", *command)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout.strip()


def key(sid: str) -> str:
    """The key in Redis of a session."""
    return f"session:{sid[:42]}"


def in_odoo(platform: Checkout, *argv: str) -> str:
    """The output of a program in Odoo's container, as Odoo's user."""
    done = platform.exec("odoo", *argv, user="odoo")
    assert done.returncode == 0, done.stderr
    return done.stdout


def odoo_shell(platform: Checkout, script: str) -> None:
    """Run `script` with Odoo's `env`, as another process than the server."""
    shell = f"printf '%s' \"$0\" | odoo shell -d odoo --no-http --log-level=error && echo {'done'}"
    output = in_odoo(platform, "sh", "-c", shell, script + "\nenv.cr.commit()\n")
    assert "Traceback" not in output and "done" in output, output


def answers(visitor: BrowserSession) -> bool:
    """Whether Odoo serves the session of `visitor`."""
    return visitor.call("/web/session/get_session_info").status_code == 200


@contextmanager
def stopped(platform: Checkout) -> Iterator[None]:
    """While the block runs Redis does not."""
    platform.compose("stop", "--timeout", "5", "redis")
    try:
        yield
    finally:
        platform.compose("start", "redis")
