"""Whether a registry has newer images than those in use. It is asked once a day."""

import json
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from scripts.core.checks import Check, Finding, InapplicableError, Status, run_within
from scripts.core.errors import OpsError
from scripts.core.files import make_folder, write_atomic
from scripts.core.settings import Settings
from scripts.health import limits
from scripts.health.answers import Answers
from scripts.stack import debian, image_names, registry
from scripts.stack.compose import Stack

_FILE: Final = "image-updates.json"
_USED: Final = (*image_names.PULLED, image_names.BACKUP)


@dataclass(frozen=True)
class Known:
    """What the registries said. Moments are in seconds since 1970."""

    at: float = 0.0
    asked: Sequence[str] = ()  # the images that were in use
    digests: Mapping[str, str] = field(default_factory=dict)  # of each image there
    newer: Mapping[str, float] = field(default_factory=dict)  # since when that is another one


def finding(answers: Answers) -> Finding:
    """WARNING where a newer image of the same name has been known for a while.

    Raises InapplicableError where no registry tells of any image in use.
    """
    stack, now = answers.stack, time.time()
    known = _read(stack.settings)
    names = _images(stack)
    lasts = limits.UPDATES_ASKED if known.digests else limits.UPDATES_TRIED
    fresh = now - known.at < lasts and list(known.asked) == names
    if fresh and not known.newer:
        return _finding(known, now)
    # Docker is asked as long as something is newer: it may have been pulled meanwhile.
    present = _present(stack, names)
    digests = known.digests if fresh else _ask(stack, list(present), answers.seconds)
    newer = {
        image: known.newer.get(image, now)
        for image, digest in digests.items()
        if image in present and digest not in present[image]
    }
    found = Known(known.at if fresh else now, names, digests, newer)
    if found != known:
        with suppress(OpsError, OSError):  # it is asked again at the next look
            make_folder(stack.settings.state_folder)
            content = json.dumps(asdict(found)).encode()
            write_atomic(stack.settings.state_folder / _FILE, content)
    return _finding(found, now)


def _finding(known: Known, now: float) -> Finding:
    if not known.digests:
        raise InapplicableError
    late = [i for i, since in known.newer.items() if now - since >= limits.UPDATE_KNOWN]
    if late:
        said = f"newer ones of the same name are there: {', '.join(late)}"
        return Finding(Status.WARNING, said, "inv images --refresh, then: inv up")
    return Finding(Status.OK, ", ".join(known.newer))


def _images(stack: Stack) -> Sequence[str]:
    """Those that may come from a registry, and be another one under the same name one day."""
    used = image_names.effective(stack.settings)
    names = dict.fromkeys(used[name] for name in _USED if name in used)
    fixed = ("@", "localhost/")  # a digest is never another
    return [i for i in names if not debian.is_ours(i) and not any(sign in i for sign in fixed)]


def _present(stack: Stack, images: Sequence[str]) -> dict[str, set[str]]:
    """The digests by which the engine has pulled each; those without any were made here."""
    if not images:
        return {}
    form = "{{json .RepoTags}}\t{{json .RepoDigests}}"
    done = stack.runner.run(["docker", "image", "inspect", "--format", form, *images], check=False)
    found: dict[str, set[str]] = {}
    for line in done.stdout.splitlines():
        tags, _, digests = line.partition("\t")
        pulled = {digest.rpartition("@")[2] for digest in json.loads(digests) or []}
        if pulled:
            found |= {image: pulled for image in json.loads(tags) or [] if image in images}
    return found


def _ask(stack: Stack, images: Sequence[str], seconds: float) -> dict[str, str]:
    """The digest of each in its registry, where one answers in time."""
    found: dict[str, str] = {}
    try:
        engine = registry.engine_socket(stack.runner) if images else Path()
    except OpsError:
        return found

    def ask(image: str) -> Finding:
        found[image] = registry.digest(engine, image, seconds)
        return Finding(Status.OK)

    run_within([Check(image, partial(ask, image)) for image in images], seconds)
    return dict(found)


def _read(settings: Settings) -> Known:
    path = settings.state_folder / _FILE
    try:
        return Known(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):  # none yet, or of another version
        return Known()
