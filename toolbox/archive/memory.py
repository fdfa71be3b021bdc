"""What the archiver remembers, for each archive: one that is left may be come back to.

What is in one is not in another, be it in another repository or of another server in the same
one: with the memory of the first, moments would be offered that the second cannot restore.
"""

import hashlib

from toolbox.archive.places import FILES, GAPS, REPOSITORY, SEGMENT, STATE, STATUS

_KEPT = (GAPS, FILES, SEGMENT, STATUS)
_DIGITS = 16


def belongs_to(repository: str, archive: str) -> None:
    """Have the files in STATE be those of `archive` in the repository of that identity."""
    identity = hashlib.sha256(f"{repository} {archive}".encode()).hexdigest()
    known = REPOSITORY.read_text().strip() if REPOSITORY.is_file() else ""
    if known == identity:
        return
    if known:
        own = STATE / known[:_DIGITS]
        own.mkdir(exist_ok=True)
        for place in _KEPT:
            if place.is_file():
                place.replace(own / place.name)
        for place in _KEPT:
            before = STATE / identity[:_DIGITS] / place.name
            if before.is_file():
                before.replace(place)
    partial = REPOSITORY.with_suffix(".partial")
    partial.write_text(identity + "\n")
    partial.replace(REPOSITORY)
