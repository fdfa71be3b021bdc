"""All printing: for people on a terminal, for cron, and as JSON."""

import json
import os
import shutil
import sys
import threading
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, is_dataclass
from typing import Any, Final, TextIO

from scripts.core import streams
from scripts.core.step import Step

_COLOURS: Final = {
    "green": "32",
    "yellow": "33",
    "red": "31",
    "cyan": "36",
    "dim": "2",
    "bold": "1",
}
_KINDS: Final = {"error": "red", "warning": "yellow", "hint": "cyan"}
_REDRAW_SECONDS: Final = 1.0


@dataclass(frozen=True)
class Console:
    """Prints to `out` and `err`; colours and redraws only on a terminal."""

    out: TextIO
    err: TextIO
    colour: bool
    live: bool  # somebody watches `err`: a running step is redrawn each second
    assume_yes: bool = False
    colour_err: bool = False
    _steps: list[Step] = field(default_factory=list, repr=False, compare=False)  # that run

    @classmethod
    def standard(cls, *, assume_yes: bool = False) -> "Console":
        """A console on this process's streams; honours NO_COLOR (no-color.org)."""
        dumb = os.environ.get("TERM") == "dumb"
        plain = bool(os.environ.get("NO_COLOR")) or dumb
        return cls(
            out=sys.stdout,
            err=sys.stderr,
            colour=sys.stdout.isatty() and not plain,
            live=sys.stderr.isatty() and not dumb,
            assume_yes=assume_yes,
            colour_err=sys.stderr.isatty() and not plain,
        )

    def paint(self, text: str, colour: str) -> str:
        """`text` in `colour`, or as it is where colours are off."""
        return _painted(text, colour) if self.colour else text

    def say(self, *lines: str) -> None:
        """A result, on standard output; raises OutputError where that takes no more."""
        if not lines:
            return
        try:
            print("\n".join(lines), file=self.out, flush=True)
        except OSError as error:
            streams.silence(self.out)
            raise streams.OutputError(error) from error

    def note(self, text: str) -> None:
        """Progress, on standard error."""
        clear = "\r\033[K" if self.live else ""  # a running step may hold the line
        self._tell(f"{clear}{self._marked(text)}\n")

    def _marked(self, text: str) -> str:
        """`text` for standard error, with `error:` and the like at its beginning in colour."""
        kind, colon, rest = text.partition(":")
        if not (self.colour_err and colon and kind in _KINDS):
            return text
        return f"{_painted(f'{kind}:', _KINDS[kind])}{rest}"

    def _tell(self, text: str) -> None:
        # Work that has begun is done, whether or not somebody can read of it.
        try:
            self.err.write(text)
            self.err.flush()
        except OSError:
            streams.silence(self.err)

    @property
    def interactive(self) -> bool:
        """Whether a person types and reads: both streams are a terminal."""
        return sys.stdin.isatty() and self.out.isatty()

    def clear(self, *, watch: bool = True) -> None:
        """Begin at the top of a terminal, where somebody has asked to `watch`."""
        if watch and self.out.isatty():
            self.say("\033[H\033[2J\033[3J")

    def show(self, value: Any, lines: Iterable[str], *, as_json: bool, quiet: bool = False) -> None:
        """A result: `lines` for people, or with `as_json` the `value` behind them.

        With `quiet` the lines are for a terminal only, as cron mails whatever is said.
        """
        if as_json:
            self.json(value)
        elif not quiet or self.out.isatty():
            self.say(*lines)

    def json(self, value: Any) -> None:
        """`value`, which may hold records of ours, for machines, on standard output."""
        self.say(json.dumps(value, indent=2, sort_keys=True, default=_for_json))

    def error(self, message: str, hint: str = "", *, kind: str = "error") -> None:
        """`error: …` and, where there is one, `hint: …` on standard error."""
        if not message:  # as where nobody reads what is printed
            return
        lines = [f"{kind}: {message}", *([f"hint: {hint}"] if hint else [])]
        self._tell("".join(f"{self._marked(line)}\n" for line in lines))

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Show `title` with the elapsed seconds while the block runs."""
        step, stop = Step(title), threading.Event()
        ticker = threading.Thread(target=self._tick, args=(step, stop), daemon=True)
        self._steps.append(step)
        if self.live:
            ticker.start()
        else:
            self.note(f"… {title}")
        mark = "✗"
        try:
            yield
            mark = "✓"
        finally:
            stop.set()
            if self.live:
                ticker.join()
            self._steps.remove(step)
            self.note(f"{mark} {title} ({step.seconds:.0f} s)")

    def progress(self, doing: str, percent: float | None = None) -> None:
        """What the running step does; shown on a terminal only, where it is redrawn."""
        if self._steps:
            self._steps[-1].tell(doing, percent)

    def _tick(self, step: Step, stop: threading.Event) -> None:
        while True:
            # A longer line would go on in the next one, where it cannot be drawn again.
            columns = shutil.get_terminal_size().columns - 1
            end = _fitting(step.ends, columns // 2)
            text = _cut(f"… {_fitting(step.texts, columns - len(end) - 2)}", columns - len(end))
            self._tell(f"\r\033[K{text}{end}")
            if stop.wait(_REDRAW_SECONDS):
                return

    def confirm(self, question: str, *, unattended: bool) -> bool:
        """Ask; `--yes` answers yes, and without a terminal the answer is `unattended`.

        Where that is no, the question is shown all the same: it is why nothing is done.
        """
        if self.assume_yes:
            return True
        if not sys.stdin.isatty():
            if not unattended:
                self.note(f"{question} (nobody is here to answer)")
            return unattended
        self._tell(f"{question} [y/N] ")
        return sys.stdin.readline().strip().lower() in ("y", "yes")


def _for_json(value: Any) -> Any:
    """What JSON has no form of: a record becomes an object, and anything else its text."""
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return str(value)


def _painted(text: str, colour: str) -> str:
    return f"\033[{_COLOURS[colour]}m{text}\033[0m"


def _fitting(texts: Sequence[str], columns: int) -> str:
    """The first of `texts` that has room in so many columns, else the last."""
    return next((text for text in texts if _cut(text, columns) == text), texts[-1])


def _cut(text: str, columns: int) -> str:
    """`text` where it has room in so many columns, else its beginning."""
    used = 0
    for place, sign in enumerate(text):
        used += 2 if unicodedata.east_asian_width(sign) in "WF" else 1
        if used > columns:
            return text[: max(0, place - 1)] + "…"
    return text
