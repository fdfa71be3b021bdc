"""What begins the lines that a program writes to standard error, and its exit code."""

from typing import Final

# Lines of standard error. The last `error: ` (with indented lines after it) is the reason for
# exit code FAILED; `hint: ` says what to do, `note: ` is shown in any case, `… ` is progress.
ERROR: Final = "error: "
HINT: Final = "hint: "
NOTE: Final = "note: "
PROGRESS: Final = "… "
FAILED: Final = 1
