"""`inv at`: a copy of a moment, to look things up in."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC

from scripts.backups import databases, restore
from scripts.backups.moments import Moment
from scripts.backups.restored import Restored
from scripts.backups.wanted import Wanted
from scripts.core.report import Reporter
from scripts.stack import served
from scripts.stack.compose import Stack


@contextmanager
def opened(
    stack: Stack, reporter: Reporter, moment: Moment, database: str = "", archive: str = ""
) -> Iterator[Restored]:
    """A neutralised copy of that moment, which is served; dropped when the person is done.

    Where nobody can be asked it stays, as after `inv clone --serve`.
    """
    name = _name(moment)
    served.prepare(stack, reporter, name)
    wanted = Wanted(at=moment, of=database, to=name, neutralize=True, archive=archive)
    done = restore.restore(stack, reporter, wanted)
    place = served.serve(stack, reporter, name)
    serving = served.replace_database(stack, name)
    keep = True
    try:
        yield replace(done, url=place.url, mail_page=place.mail_page)
        keep = not reporter.confirm(f"Drop {name} now?", unattended=False)
    except KeyboardInterrupt:
        keep = False
        raise
    finally:
        if not keep:
            databases.drop(serving, reporter, name, agreed=True)


def _name(moment: Moment) -> str:
    """Of the copy: one for each moment."""
    if moment.time:
        return f"at_{moment.time.astimezone(UTC):%Y%m%d_%H%M%S}"
    return f"at_{'before_' if moment.exclusive else ''}xid_{moment.text}"
