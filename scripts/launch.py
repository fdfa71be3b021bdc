"""What scripts/inv starts: the command line, which ends without a traceback in any case.

Before a command begins there is nothing to put right: Ctrl-C and a closed pipe just end the
process, and a command takes care of them from its first line on (core/interruption.py).
"""

# Before `signal`, whose own imports take their time, and before `site`, for which scripts/inv
# starts Python without it.
import _signal  # type: ignore[import-not-found]

if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:  # not ignored, as by nohup
    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
_signal.signal(_signal.SIGPIPE, _signal.SIG_DFL)

import site  # noqa: E402

site.main()

import os  # noqa: E402
import signal  # noqa: E402
import sys  # noqa: E402
from pathlib import Path  # noqa: E402

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

# Invoke's own default would make Python compile all of our modules again in every call. Not in
# somebody else's folder: with sudo, there would be files in it that its owner cannot remove.
if Path(__file__).stat().st_uid != os.geteuid():
    sys.dont_write_bytecode = True

from scripts.core import quick_import  # noqa: E402

with quick_import.without_unused_modules():
    from scripts.cli.program import Inv
from scripts.core import streams  # noqa: E402
from scripts.core.console import Console  # noqa: E402
from tasks import GROUPS, namespace  # noqa: E402


def main() -> None:
    """Run the command line; raises SystemExit with its exit code."""
    streams.prepare()
    code: object = 0
    try:
        Inv(namespace, GROUPS).run(sys.argv)
    except SystemExit as end:
        code = end.code
    except streams.OutputError as error:
        code = _explain(error)
    try:
        sys.stdout.flush()
    except streams.OutputError as error:
        code = _explain(error)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # while the last threads end
    raise SystemExit(code)


def _explain(error: streams.OutputError) -> int:
    Console.standard().error(error.message)
    return error.exit_code


if __name__ == "__main__":
    main()
