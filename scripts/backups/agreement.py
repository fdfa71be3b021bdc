"""What somebody has to agree to before a restore or a clone."""

from collections.abc import Mapping
from typing import Final

from scripts.core.errors import OpsError
from scripts.core.report import Reporter
from scripts.core.settings import Environment
from scripts.stack.compose import Stack

_LIVES: Final = (
    "without --neutralize its scheduled actions, payment providers and webhooks work here, in"
    " development, as they do where it comes from. Mail is caught: it reaches nobody."
)


def danger(stack: Stack, name: str) -> str:
    """What a copy that was not neutralised does in development; '' in production.

    Of a database that is not served nothing runs.
    """
    settings = stack.as_running().settings
    served = name == settings.database
    return _LIVES if served and settings.environment is Environment.DEV else ""


def agree(
    reporter: Reporter, what: str, name: str, known: Mapping[str, int], warning: str = ""
) -> None:
    """Raises OpsError unless the person agrees to replace `name`, if it is there.

    Also asks if it is not, where there is a `warning`.
    """
    if warning:
        reporter.note(f"warning: {warning}")
    if name not in known and not warning:
        return
    question = f"This replaces the database {name!r} and its files by {what}. Continue?"
    reason = f"there is a database {name!r}, which was not to be replaced"
    if name not in known:
        question, reason = f"Go on with {what}?", "it was not to come as it is"
    if not reporter.confirm(question, unattended=False):
        raise OpsError(
            f"nothing was restored: {reason}",
            "Say yes, give --yes where nobody can answer, or take another name.",
        )
