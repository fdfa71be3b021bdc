"""`inv maintenance`: visitors are kept out, told why, and let in again.

Beside the gate of module changes (scripts/modules/maintenance.py): Nginx looks at both, and
neither ends the other.
"""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from scripts.core.errors import OpsError, UsageError
from scripts.core.files import file_lock, write_atomic
from scripts.core.report import Reporter
from scripts.core.settings import Settings
from scripts.stack import ingress, maintenance_window, nginx_configuration
from scripts.stack.compose import Stack
from scripts.stack.maintenance_window import Window

_MESSAGE: Final = "We are working on this site."
_LONGEST_MESSAGE: Final = 300  # characters; Nginx takes no value of more than 4096 bytes
_JOINERS: Final = "\u200c\u200d"  # of Persian, Indic scripts and emoji; not "printable"
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days"}
_LONGEST: Final = timedelta(days=30)
_TAKEN_SECONDS: Final = 15.0  # old processes of Nginx may accept connections for a moment
_IN_A_ROW: Final = 3  # answers, by which none of them does
_PAUSE: Final = 0.1


@dataclass(frozen=True)
class MaintenanceState:
    """Whether visitors are kept out."""

    window: Window | None
    nginx: str | None  # what Nginx says of it, '' for nothing; None where it does not answer

    @property
    def differs(self) -> bool:
        """Whether Nginx goes by something else than the file."""
        wanted = self.window.report if self.window else ""
        return self.nginx is not None and self.nginx != wanted

    @property
    def lines(self) -> list[str]:
        """For people."""
        lines = ["Maintenance is off"]
        if self.window:
            lines = [
                f"Maintenance is on {self.window.period}",
                f"Visitors are told: {self.window.message}",
            ]
        if self.differs:
            said = f"goes by: {self.nginx}" if self.nginx else "lets visitors in"
            lines += [f"But Nginx {said}", "To have it follow: inv maintenance on, or off"]
        return lines if self.nginx is not None else [*lines, "Nginx does not answer at present"]

    @property
    def json(self) -> dict[str, Any]:
        """For machines."""
        window = self.window
        return {
            "on": window is not None,
            "since": window.since.isoformat() if window else None,
            "until": window.until.isoformat() if window and window.until else None,
            "message": window.message if window else None,
            "nginx_answers": self.nginx is not None,
            "nginx_agrees": not self.differs,
        }


def duration(text: str) -> timedelta | None:
    """How long `text` is, such as 2h; None if it is empty. Raises UsageError otherwise."""
    if not text:
        return None
    found = re.fullmatch(r"([0-9]{1,5})([mhd])", text)
    length = timedelta(**{_UNITS[found[2]]: int(found[1])}) if found else timedelta()
    if not timedelta() < length <= _LONGEST:
        raise UsageError(
            f"--for {text!r} is not a number of minutes, hours or days",
            f"For example: 30m, 2h or 1d; at most {_LONGEST.days}d",
        )
    return length


def message(text: str) -> str:
    """`text` as visitors are to read it; raises UsageError if it is none."""
    text = text.strip()
    if not all(sign.isprintable() or sign in _JOINERS for sign in text):
        raise UsageError("--message takes one line of plain text")
    if len(text) > _LONGEST_MESSAGE:
        raise UsageError(
            f"--message takes up to {_LONGEST_MESSAGE} characters, these are {len(text)}"
        )
    return text


def requested(state: str, text: str, length: str) -> Callable[[Stack, Reporter], MaintenanceState]:
    """What `inv maintenance STATE` does; raises UsageError for what cannot be meant."""
    if state not in ("on", "off", "status"):
        raise UsageError(f"inv maintenance takes on, off or status, not {state!r}")
    if state != "on" and (text or length):
        raise UsageError("--message and --for go with: inv maintenance on")
    told, lasting = message(text), duration(length)
    if state == "on":
        return lambda stack, reporter: begin(stack, reporter, told, lasting)
    return end if state == "off" else lambda stack, _: look(stack)


def look(stack: Stack) -> MaintenanceState:
    """What it is now."""
    return MaintenanceState(maintenance_window.active(stack.settings), _said_by_nginx(stack))


def begin(
    stack: Stack, reporter: Reporter, text: str, lasting: timedelta | None
) -> MaintenanceState:
    """Keep visitors out from now on; another message or end where they are already.

    Raises OpsError, with all as it was before, if Nginx does not do so.
    """
    now = datetime.now(UTC).replace(microsecond=0)
    with _alone(stack.settings):
        window = Window(now, now + lasting if lasting else None, text or _MESSAGE)
        if present := _present(stack.settings):
            window = replace(window, since=present.since, message=text or present.message)
        _apply(stack, reporter, window, "Closing the site for maintenance")
    return MaintenanceState(window, _said_by_nginx(stack))


def end(stack: Stack, reporter: Reporter) -> MaintenanceState:
    """Let visitors in again; a change of modules that keeps them out goes on doing so."""
    with _alone(stack.settings):
        if _present(stack.settings) or _said_by_nginx(stack):
            _apply(stack, reporter, None, "Opening the site")
        elif not stack.runner.dry:
            maintenance_window.file(stack.settings).unlink(missing_ok=True)
    return MaintenanceState(None, _said_by_nginx(stack))


def _alone(settings: Settings) -> Any:
    return file_lock(settings.state_folder / "maintenance.lock", "maintenance")


def _present(settings: Settings) -> Window | None:
    """What it is now; None also where the file cannot be understood, as it is written again."""
    try:
        return maintenance_window.active(settings)
    except OpsError:
        return None


def _said_by_nginx(stack: Stack) -> str | None:
    """What Nginx says of maintenance, '' for nothing; None where it does not answer."""
    try:
        return ingress.maintenance(stack.as_running().settings) if _runs(stack) else None
    except OpsError:
        return None


def _runs(stack: Stack) -> bool:
    return any(s.service == "nginx" and s.state == "running" for s in stack.services())


def _apply(stack: Stack, reporter: Reporter, window: Window | None, title: str) -> None:
    """Have Nginx go by `window`; as it was before where that fails."""
    place = maintenance_window.file(stack.settings)
    if stack.runner.dry:
        reporter.note(f"{place} would be {'written' if window else 'removed'}, and Nginx reloaded")
        return
    before = place.read_bytes() if place.is_file() else None
    try:
        _write(stack.settings, window)
        if not _runs(stack):
            reporter.note("Nginx does not run: this counts from its next start")
            return
        with reporter.step(title):
            nginx_configuration.reload(stack)
            _await(stack, window)
    except BaseException:
        if before is None:
            place.unlink(missing_ok=True)
        else:
            write_atomic(place, before)
        stack.exec("nginx", "nginx", "-s", "reload")
        raise


def _write(settings: Settings, window: Window | None) -> None:
    if window:
        maintenance_window.write(settings, window)
    else:
        maintenance_window.file(settings).unlink(missing_ok=True)


def _await(stack: Stack, window: Window | None) -> None:
    """Wait until no process of Nginx works by what was before."""
    settings = stack.as_running().settings
    wanted = window.report if window else ""
    deadline = time.monotonic() + _TAKEN_SECONDS
    agreed = 0
    while agreed < _IN_A_ROW:
        said = ingress.maintenance(settings)
        agreed = agreed + 1 if said == wanted else 0
        if not agreed and time.monotonic() > deadline:
            raise OpsError(
                f"Nginx goes on with {said or 'visitors let in'}", "inv logs --service nginx"
            )
        time.sleep(_PAUSE)
