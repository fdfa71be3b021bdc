"""Writes recommended sizes into `.env`."""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from scripts.core import env_file
from scripts.core.errors import OpsError
from scripts.core.report import Reporter
from scripts.core.settings import Settings
from scripts.doctor.recommend import Recommendation

COPY: Final = ".env.before"  # ignored by Git


def fix(
    settings: Settings, sizes: Sequence[Recommendation], reporter: Reporter, *, dry: bool = False
) -> Iterator[str]:
    """Write what differs into `.env`, after asking; lines for people.

    The question names each value, and those that somebody has chosen. Raises OpsError where the
    answer is no, and where no engine has told what the machine has.
    """
    if not sizes:
        raise OpsError("no sizes can be recommended: no engine answers", "Start it: inv quickstart")
    fixed = [size for size in sizes if size.differs and size.source == "environment"]
    for size in fixed:
        yield f"{size.variable}={size.present} of the environment wins over .env: left as it is"
    wrong = [size for size in sizes if size.differs and size not in fixed]
    if not wrong:
        yield "The sizes are those that are recommended; .env was not changed"
        return
    listing = "\n".join(f"  {_change(size)}" for size in wrong)
    hand = "; what is from .env or odoo.conf may have been set by hand" if _by_hand(wrong) else ""
    question = f"These sizes will be written into .env{hand}:\n{listing}\nWrite them?"
    if not reporter.confirm(question, unattended=False):
        raise OpsError(".env was not changed", "Say yes, or give --yes where nobody can answer.")
    if dry:
        yield ".env was not changed"
        return
    _keep(settings.env_file)
    changed = env_file.remember(
        settings.env_file, {size.variable: size.recommended for size in wrong}
    )
    yield from changed
    yield f"Written into .env; what it was is in {COPY}. To apply it: inv up --prod"


def _change(size: Recommendation) -> str:
    return f"{size.variable}: {size.present} (from {size.source}) -> {size.recommended}"


def _by_hand(sizes: Sequence[Recommendation]) -> bool:
    return any(size.source in (".env", "odoo.conf") for size in sizes)


def _keep(path: Path) -> None:
    copy = path.with_name(COPY)
    if path.is_file():
        copy.unlink(missing_ok=True)
        env_file.write(copy, path.read_bytes())  # a new file has 0600
        shutil.copymode(path, copy)
