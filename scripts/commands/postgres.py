"""Another major version of PostgreSQL."""

from invoke.collection import Collection
from invoke.context import Context

from scripts.commands.help_texts import JSON, YES
from scripts.commands.session import open_to_change
from scripts.core.errors import UsageError
from scripts.core.tasklib import command


@command(
    {
        "to": "The major version to move to: 17, or 18 where its image can be had.",
        "image": "The image of the server, where POSTGRES_IMAGE is one of your own.",
        "undo": "Go back to what was there before, without what was written since.",
        "accept": "Drop what was there before the upgrade.",
        "json": JSON,
        "yes": YES,
    },
    name="upgrade",
)
def postgres_upgrade(
    c: Context,
    to: int = 0,
    image: str = "",
    undo: bool = False,
    accept: bool = False,
    json: bool = False,
    yes: bool = False,
) -> None:
    """Move all databases to another major version of PostgreSQL; kept as they were; asks."""
    from scripts.postgres import upgrade as upgrading

    if (to > 0) + undo + accept != 1 or (image and not to):
        hint = "inv postgres.upgrade --to 17; afterwards --accept or --undo"
        raise UsageError("one of --to, --undo and --accept is needed; --image with --to", hint)
    session = open_to_change(c, yes=yes)
    stack, console = session.stack, session.console
    if to:
        done = upgrading.upgrade(stack, console, to, image)
    else:
        done = (upgrading.undo if undo else upgrading.accept)(stack, console)
    console.show(done, done.lines, as_json=json)


COLLECTION = Collection("postgres", postgres_upgrade)
