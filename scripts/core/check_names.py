"""What the checks of `inv health` are called: in its report, and on the command line."""

import re
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Final

from scripts.core.errors import UsageError

NAMES: Final = (
    "Installation",
    "Nginx",
    "Odoo (proxy)",
    "Odoo (container)",
    "PostgreSQL",
    "Redis",
    "Assets",
    "Attachments",
    "Websocket",
    "PDF reports",
    "Outgoing mail",
    "Mail catcher",
    "Scheduled actions",
    "Job queue",
    "Supabase jobs",
    "Modules",
    "Connections",
    "Transactions",
    "Locks",
    "Vacuum",
    "Backups",
    "Archiving",
    "Repository",
    "Restore test",
    "Schedule",
    "Volumes",
    "Memory",
    "Clock",
    "Containers",
    "Replicas",
    "Images",
    "Settings",
    "Notifications",
)


def word(name: str) -> str:
    """As one types it: `odoo-proxy`."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


WORDS: Final = tuple(map(word, NAMES))


def chosen(text: str) -> frozenset[str]:
    """The names that `text`, words with commas between, means; all if it is empty.

    Raises UsageError for a word that is none.
    """
    known = dict(zip(WORDS, NAMES, strict=True))
    wanted = [word(part) for part in text.split(",") if part.strip()]
    for each in wanted:
        if each not in known:
            raise UsageError(f"there is no check {each!r}", _hint(each, WORDS))
    return frozenset(known[each] for each in wanted) or frozenset(NAMES)


def _hint(each: str, known: Sequence[str]) -> str:
    close = get_close_matches(each, known, n=1, cutoff=0.6)
    return f"Did you mean: {close[0]}" if close else f"Checks: {', '.join(known)}"
