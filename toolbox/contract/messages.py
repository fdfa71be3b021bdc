"""What a program writes to standard error, and `inv` looks for."""

from typing import Final

# Lines of standard error. The last `error: ` (with indented lines after it) is the reason for
# exit code 1; `hint: ` says what to do, `note: ` is shown in any case, `… ` is progress.
ERROR: Final = "error: "
HINT: Final = "hint: "
NOTE: Final = "note: "
PROGRESS: Final = "… "
# `percent: 43.2 saving the files`, or `-` where nobody knows: only with PLATFORM_PROGRESS=1, as for
# somebody at a terminal.
PERCENT: Final = "percent: "
PROGRESS_WANTED: Final = "PLATFORM_PROGRESS"
# In the reasons of two failures, by which `inv backup.verify` sees that a moment is too old for it.
NO_SUCH_DATABASE: Final = "at that moment there was no database"
OTHER_ODOO: Final = "the backup is of Odoo"
