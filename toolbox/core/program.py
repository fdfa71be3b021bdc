"""How a program in a container ends: its answer on standard output, or the reason for none."""

import signal
import sys
from collections.abc import Callable
from typing import Any

import psycopg2

from toolbox.contract.codec import to_json
from toolbox.core.errors import Failure
from toolbox.core.text import printable


def main(work: Callable[[], Any]) -> None:
    """Print what `work` returns as JSON; end with exit code 1 and the reason where it fails."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("error: interrupted"))
    # Docker's client passes on that a terminal was closed, also where nohup has it ignored. What
    # is to end then is decided on the host, which sends SIGTERM.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        print(to_json(work()), flush=True)
    except Failure as error:
        sys.exit(error.shown)
    except (KeyboardInterrupt, BrokenPipeError):
        sys.exit("error: interrupted")
    except psycopg2.Error as error:
        said = (str(error).strip() or "it went away").splitlines()[0]
        sys.exit(f"error: PostgreSQL: {printable(said)}")
    except OSError as error:
        sys.exit(f"error: {error.filename or 'the system'}: {error.strerror}")
