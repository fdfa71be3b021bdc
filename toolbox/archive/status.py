"""What the archiver has told last, and the writing of it."""

from pathlib import Path

from toolbox.archive.places import STATUS
from toolbox.contract.archive import ArchiveStatus
from toolbox.contract.codec import from_json, to_json


def earlier() -> ArchiveStatus:
    """That of the last run, or of the one that goes on; an empty one where there is none."""
    try:
        return from_json(ArchiveStatus, STATUS.read_text())
    except (OSError, ValueError):
        return ArchiveStatus(time="")


def tell(found: ArchiveStatus) -> None:
    """Have it read by `inv`."""
    write(STATUS, to_json(found) + "\n")


def write(place: Path, text: str) -> None:
    """As a whole: a reader has at any time it or the text before."""
    partial = place.with_name(place.name + ".partial")
    partial.write_text(text)
    partial.chmod(0o644)
    partial.replace(place)
