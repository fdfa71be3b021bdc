"""The disaster drill."""

from invoke.collection import Collection
from invoke.context import Context

from scripts.commands.help_texts import JSON
from scripts.commands.session import open_to_change
from scripts.core.tasklib import command


@command(
    {"archive": "Which archive to restore from; if empty, that of this platform.", "json": JSON},
    name="drill",
)
def disaster_drill(c: Context, archive: str = "", json: bool = False) -> None:
    """Restore into a second project from the repository and the key alone; measure; remove it."""
    from scripts.core.quiet import QuietReporter
    from scripts.disaster import certificate, drill

    session = open_to_change(c)
    found = drill.drill(session.stack, QuietReporter(session.console), archive)
    session.console.show(found, found.lines, as_json=json)
    certificate.warn(found)


COLLECTION = Collection("disaster", disaster_drill)
