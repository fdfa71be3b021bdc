"""What somebody has to agree to before a restore or a clone."""

from collections.abc import Mapping
from typing import Final

from scripts.core.errors import OpsError
from scripts.core.report import Reporter
from scripts.core.settings import Environment
from scripts.stack.compose import Stack
from toolbox.contract.backups import Manifest, OdooInfo

_ORIGIN: Final = "inv restore --configuration tells where they came from"
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


def fit(reporter: Reporter, found: Manifest, here: OdooInfo, origin: str = _ORIGIN) -> str:
    """The version of the Odoo `here`, which has to be able to run the backup `found`.

    Raises OpsError otherwise, and, unless the person agrees, where it finds no code of modules
    that are installed in the backup; `origin` says how to find that.
    """
    if here.odoo != found.odoo:
        raise OpsError(
            f"the backup is of Odoo {found.odoo}, and Odoo {here.odoo} runs here",
            "Run the image of that version, restore, and upgrade then.",
        )
    missing = sorted(set(found.modules) - set(here.modules))
    if missing:
        reporter.note(f"Installed in the backup, and not on disk here: {', '.join(missing)}")
    question = "Restore it without the code of these modules?"
    if missing and not reporter.confirm(question, unattended=False):
        raise OpsError(
            "nothing was restored: modules are missing",
            f"{origin}; --yes goes on without them.",
        )
    return here.odoo
