"""The Odoo that serves, while the modules of its database change."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from scripts.core.report import Reporter
from scripts.stack import lifecycle
from scripts.stack.compose import Stack

_STARTED: Final = ("running", "restarting")


def bring_up(stack: Stack, reporter: Reporter, *, restart: bool) -> bool:
    """Have Odoo work on what was done; returns whether it was restarted.

    Raises OpsError with its log if it does not. One that was stopped stays so.
    """
    if not _started(stack):
        return False
    if restart:
        with reporter.step("Restarting Odoo, for its Python code has changed"):
            _restart(stack, check=True)
    with reporter.step("Waiting until Odoo works"):
        lifecycle.await_odoo(stack)
    lifecycle.forget_static_files(stack)
    return restart


def _started(stack: Stack) -> bool:
    return any(s.service == "odoo" and s.state in _STARTED for s in stack.services())


def _restart(stack: Stack, *, check: bool) -> None:
    running = stack.as_running()
    words = ["restart", *running.settings.odoo_services]
    running.run(*words, timeout=300, check=check, changes=True)


@contextmanager
def restart_if_undone(stack: Stack) -> Iterator[None]:
    """Restart Odoo if the block fails.

    It may have loaded what is undone then, and would use that code again when the module
    comes back repaired: no restart is planned for one that was not installed before.
    """
    try:
        yield
    except BaseException:
        if _started(stack):
            _restart(stack, check=False)
        raise
