"""Modules of Odoo: what there is, and changing it without fear."""

from invoke.collection import Collection
from invoke.context import Context

from scripts.commands.help_texts import DATABASE, JSON, YES
from scripts.commands.session import open_session, open_to_change
from scripts.core.tasklib import command

PATIENCE = "Seconds to wait for somebody's lock or unfinished work, before giving up."
UNSAVED = "Make no snapshot: what fails stays half-done; nobody is kept out meanwhile."


@command(
    {
        "modules": "Names with commas between: sale,crm.",
        "database": DATABASE,
        "no_snapshot": UNSAVED,
        "max_lock_wait": PATIENCE,
        "json": JSON,
    },
    name="install",
)
def module_install(
    c: Context,
    modules: str,
    database: str = "",
    no_snapshot: bool = False,
    max_lock_wait: int = 60,
    json: bool = False,
) -> None:
    """Install modules; what fails is undone."""
    from scripts.modules import change
    from toolbox.contract.changes import ChangeRequest

    session = open_to_change(c)
    request = ChangeRequest(
        install=change.split(modules),
        database=database,
        snapshot=not no_snapshot,
        patience=max_lock_wait,
    )
    done = change.change(session.stack, session.console, request, "module.install")
    session.console.show(done.json, done.lines, as_json=json)


@command(
    {
        "modules": "Names with commas between; if empty, those whose code has changed.",
        "database": DATABASE,
        "no_snapshot": UNSAVED,
        "max_lock_wait": PATIENCE,
        "json": JSON,
    },
    name="update",
    positional=("modules",),
)
def module_update(
    c: Context,
    modules: str = "",
    database: str = "",
    no_snapshot: bool = False,
    max_lock_wait: int = 60,
    json: bool = False,
) -> None:
    """Update modules; what fails is undone, and Odoo restarted if Python code has changed."""
    from scripts.modules import change
    from toolbox.contract.changes import ChangeRequest

    session = open_to_change(c)
    request = ChangeRequest(
        update=change.split(modules),
        changed=not modules,
        database=database,
        snapshot=not no_snapshot,
        patience=max_lock_wait,
    )
    done = change.change(session.stack, session.console, request, "module.update")
    session.console.show(done.json, done.lines, as_json=json)


@command(
    {
        "modules": "Names with commas between.",
        "database": DATABASE,
        "no_snapshot": UNSAVED,
        "max_lock_wait": PATIENCE,
        "json": JSON,
        "yes": YES,
    },
    name="uninstall",
)
def module_uninstall(
    c: Context,
    modules: str,
    database: str = "",
    no_snapshot: bool = False,
    max_lock_wait: int = 60,
    json: bool = False,
    yes: bool = False,
) -> None:
    """Remove modules, and what builds on them, with their data; asks."""
    from scripts.modules import change
    from toolbox.contract.changes import ChangeRequest

    session = open_to_change(c, yes=yes)
    request = ChangeRequest(
        uninstall=change.split(modules),
        database=database,
        snapshot=not no_snapshot,
        patience=max_lock_wait,
    )
    done = change.change(session.stack, session.console, request, "module.uninstall")
    session.console.show(done.json, done.lines, as_json=json)


@command(
    {
        "modules": "Names to update, with commas between; if empty, those that have changed.",
        "install": "Names to install, with commas between.",
        "database": DATABASE,
        "max_lock_wait": PATIENCE,
        "json": JSON,
    },
    name="rehearse",
    positional=("modules",),
)
def module_rehearse(
    c: Context,
    modules: str = "",
    install: str = "",
    database: str = "",
    max_lock_wait: int = 60,
    json: bool = False,
) -> None:
    """Do it on a neutralised copy first: how long it takes, what it locks, what fails."""
    from scripts.modules import change
    from toolbox.contract.changes import ChangeRequest

    session = open_to_change(c)
    request = ChangeRequest(
        install=change.split(install),
        update=change.split(modules),
        changed=not modules and not install,
        database=database,
        patience=max_lock_wait,
    )
    done = change.rehearse(session.stack, session.console, request)
    session.console.show(done.json, change.rehearsed(done), as_json=json)


@command(
    {
        "snapshot": "Which; if empty, the last.",
        "database": DATABASE,
        "accept": "Keep what an interrupted change has left instead.",
        "json": JSON,
        "yes": YES,
    },
    name="rollback",
    positional=("snapshot",),
)
def module_rollback(
    c: Context,
    snapshot: str = "",
    database: str = "",
    accept: bool = False,
    json: bool = False,
    yes: bool = False,
) -> None:
    """Go back to the state before a change; what is there now becomes a snapshot; asks."""
    from scripts.modules import change

    session = open_to_change(c, yes=yes)
    done = change.roll_back(session.stack, session.console, snapshot, database, accept=accept)
    session.console.show(done, done.lines, as_json=json)


@command({"database": DATABASE, "json": JSON}, name="snapshots")
def module_snapshots(c: Context, database: str = "", json: bool = False) -> None:
    """List the states that one can go back to."""
    from scripts.modules import listing

    session = open_to_change(c)
    found = listing.snapshots(session.stack, session.console, database)
    session.console.show(found, listing.snapshot_table(found).lines, as_json=json)


@command(
    {"keep": "How many of the last to keep.", "database": DATABASE, "json": JSON}, name="prune"
)
def module_prune(c: Context, keep: int = 1, database: str = "", json: bool = False) -> None:
    """Forget older snapshots and free their room."""
    from scripts.modules import listing

    session = open_to_change(c)
    gone = listing.prune(session.stack, session.console, database, keep)
    session.console.show(gone, [f"{len(gone)} forgotten"], as_json=json)


@command(
    {
        "state": "Only those: installed, uninstalled, 'to upgrade' …",
        "changed": "Only those that have changed since their last update.",
        "missing": "Only those that are installed and not on disk.",
        "source": "Only those from there: odoo, odoo/addons, a package …",
        "all": "Odoo's own that are not installed, too.",
        "database": DATABASE,
        "json": JSON,
    },
    name="list",
)
def module_list(
    c: Context,
    state: str = "",
    changed: bool = False,
    missing: bool = False,
    source: str = "",
    all: bool = False,
    database: str = "",
    json: bool = False,
) -> None:
    """List the modules: state, versions, what has changed, where each comes from."""
    from scripts.modules import listing

    session = open_to_change(c)
    chosen = listing.Filter(state, changed, missing, source, every=all)
    found = listing.wanted(listing.find(session.stack, session.console, database), chosen)
    session.console.show(found, listing.table(found).lines, as_json=json)


@command({"module": "Its name.", "database": DATABASE, "json": JSON}, name="info")
def module_info(c: Context, module: str, database: str = "", json: bool = False) -> None:
    """Show one module: versions, path, what it needs and who needs it."""
    from scripts.modules import listing

    session = open_to_change(c)
    found = listing.one(listing.find(session.stack, session.console, database), module)
    session.console.show(found, listing.details(found), as_json=json)


@command({"module": "Its name.", "json": JSON}, name="test")
def module_test(c: Context, module: str, json: bool = False) -> None:
    """Run the Odoo tests of one module in a database that is thrown away."""
    from scripts.modules import change

    session = open_to_change(c)
    done = change.test(session.stack, session.console, module)
    line = f"{done.module}: {done.summary} ({done.seconds} s)"
    session.console.show(done, [line], as_json=json)


@command({"name": "Lower-case letters, digits, underscores."}, name="new")
def module_new(c: Context, name: str) -> None:
    """Begin a module of your own in odoo/addons, with a model, views, rights and a test."""
    from scripts.modules import scaffold

    session = open_session(c)
    scaffold.require_name(name)
    made = scaffold.create(session.settings, name, scaffold.brought(session.stack, session.console))
    session.console.say(
        f"{made.relative_to(session.settings.root)} is there; try it: inv module.test {name}"
    )


COLLECTION = Collection(
    "module",
    module_install,
    module_update,
    module_uninstall,
    module_rehearse,
    module_rollback,
    module_snapshots,
    module_prune,
    module_list,
    module_info,
    module_test,
    module_new,
)
