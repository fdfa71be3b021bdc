"""When visitors are kept out for maintenance, as Nginx has it from a file of ours.

nginx/snippets/maintenance.conf reads that file at each start and reload, and compares the time
itself: nothing of ours has to run for the end.
"""

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Final

from scripts.core.errors import OpsError
from scripts.core.files import make_folder, write_atomic
from scripts.core.settings import Settings

_HEAD: Final = """\
# What `inv maintenance on` has begun, and `inv maintenance off` ends; see
# snippets/maintenance.conf. Edit by hand freely; afterwards reload Nginx.
"""
_ENDLESS: Final = 9_999_999_999  # the last number that Nginx can compare
_RETRY_SECONDS: Final = 600  # where no end is known
_PAIR: Final = re.compile(r'^(\w+) "([^"]*)";$', re.MULTILINE)
# All that stays as it is, in Nginx's configuration and in HTML.
_PLAIN: Final = re.compile(r"[A-Za-z0-9 ,.:+-]")


@dataclass(frozen=True)
class Window:
    """A time in which visitors are kept out. To the second, in UTC."""

    since: datetime
    until: datetime | None  # None until somebody ends it
    message: str

    def is_over(self, now: datetime) -> bool:
        """Whether its end has come."""
        return self.until is not None and self.until <= now

    @property
    def period(self) -> str:
        """Since when and until when, for people."""
        end = f"until {local(self.until)}" if self.until else "until `inv maintenance off`"
        return f"since {local(self.since)}, {end}"

    @property
    def report(self) -> str:
        """What Nginx says of itself during this window, see ingress.health."""
        end = _iso(self.until) if self.until else "further notice"
        return f"maintenance since {_iso(self.since)} until {end}"


def local(moment: datetime) -> str:
    """`moment` in the time of this machine, for people."""
    return f"{moment.astimezone():%Y-%m-%d %H:%M %Z}"


def _iso(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def file(settings: Settings) -> Path:
    """What Nginx reads; there is none if there was no maintenance yet, or it was ended."""
    return settings.root / "nginx" / "maintenance" / "current.conf"


def active(settings: Settings) -> Window | None:
    """The window that it is now; None if it is none.

    Raises OpsError if the file cannot be understood.
    """
    path = file(settings)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(path, error) from error
    window = _parsed(path, dict(_PAIR.findall(text)))
    return None if window.is_over(datetime.now(UTC)) else window


def _parsed(path: Path, pairs: Mapping[str, str]) -> Window:
    try:
        until = int(pairs["until"])
        return Window(
            since=datetime.fromtimestamp(int(pairs["since"]), UTC),
            until=None if until == _ENDLESS else datetime.fromtimestamp(until, UTC),
            message=html.unescape(pairs["message"]),
        )
    except (KeyError, ValueError, OverflowError, OSError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> OpsError:
    reason = f"{path} cannot be understood ({type(error).__name__}: {error})"
    return OpsError(reason, "It is written again by: inv maintenance on, or off")


def write(settings: Settings, window: Window) -> None:
    """Have Nginx find `window` at its next start or reload."""
    path = file(settings)
    make_folder(path.parent)
    write_atomic(path, _content(window).encode())


def _content(window: Window) -> str:
    end = f"Expected to end: {local(window.until)}" if window.until else ""
    pairs = {
        "since": str(int(window.since.timestamp())),
        "until": str(int(window.until.timestamp()) if window.until else _ENDLESS),
        "message": escaped(window.message),
        "end": escaped(end),
        "retry": format_datetime(window.until, usegmt=True)
        if window.until
        else str(_RETRY_SECONDS),
        "report": window.report,
    }
    return _HEAD + "".join(f'{name} "{value}";\n' for name, value in pairs.items())


def escaped(text: str) -> str:
    """`text` in which neither HTML nor Nginx finds anything but text."""
    return "".join(sign if _PLAIN.fullmatch(sign) else f"&#{ord(sign)};" for sign in text)
