"""From when on something is not well. docs/health.md has the same numbers."""

import os
from typing import Final

MINUTE: Final = 60
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
MIB: Final = 1024**2

# Seconds that one question may take, where the processor has time for it. What is asked inside a
# container ends by itself before, so that a hung service is told from a container that cannot be
# asked.
SECONDS: Final = 4.3
_INSIDE: Final = 0.7  # of them
_STRETCHED: Final = 4  # times as long, at most, on a busy machine
# To make an asset bundle anew takes Odoo longer; it is asked only where the login page is well.
BUNDLE_SECONDS: Final = 12.0

# Outgoing mail: Odoo sends its queue every hour.
MAIL_WAITS: Final = 75 * MINUTE
# Scheduled actions: how late, beyond their own interval.
CRON_LATE: Final = 15 * MINUTE
CRON_LATE_AT_MOST: Final = HOUR
CRON_DEAD: Final = 6 * HOUR
CRON_RUNS: Final = 2 * HOUR
CRON_FAILURES: Final = 3  # in a row
JOB_WAITS: Final = HOUR
JOB_OVERDUE: Final = 15 * MINUTE  # past the end that a job of the local Supabase was given
# Images: how often registries are asked, where one answers and where none does, and how long a
# newer one may be known: official images are made again every week or two.
UPDATES_ASKED: Final = DAY
UPDATES_TRIED: Final = 6 * HOUR
UPDATE_KNOWN: Final = 7 * DAY
# PostgreSQL.
CONNECTIONS_USED: Final = 0.8  # of those that are for everybody
TRANSACTION: Final = HOUR
IDLE_TRANSACTION: Final = 15 * MINUTE
LOCK_WAITS: Final = 30
AGE_WARNING: Final = 500_000_000  # transactions; autovacuum begins at 200 million
AGE_FAILED: Final = 1_500_000_000  # PostgreSQL writes no more at 2.1 billion
DEAD_ROWS: Final = 1_000_000  # and more than living ones
# The machine.
RESTARTED: Final = HOUR
MEMORY_WARNING: Final = 0.05
MEMORY_FAILED: Final = 0.02
CLOCK_WARNING: Final = 5.0
CLOCK_FAILED: Final = 60.0


def seconds() -> float:
    """SECONDS, or longer while more programs want a processor than there are.

    What is slow for want of a processor is no failure of its own.
    """
    busy = os.getloadavg()[0] / (os.cpu_count() or 1)
    return SECONDS * min(max(1.0, busy), _STRETCHED)


def inside(seconds: float) -> int:
    """How many of `seconds` a program inside a container may take for a question."""
    return max(2, int(seconds * _INSIDE))
