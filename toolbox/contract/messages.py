"""What begins the lines that a program writes to standard error."""

from typing import Final

# Lines of standard error. The last `error: ` (with indented lines after it) is the reason for
# exit code 1; `hint: ` says what to do, `note: ` is shown in any case, `… ` is progress.
ERROR: Final = "error: "
HINT: Final = "hint: "
NOTE: Final = "note: "
PROGRESS: Final = "… "
