"""Which containers are not what the compose files and `.env` say now."""

from collections.abc import Sequence

from scripts.core.errors import OpsError
from scripts.stack.compose import Service, Stack


def changed_services(stack: Stack, containers: Sequence[Service]) -> set[str]:
    """The services whose container is made of something else, or which there are no more.

    Of `containers`, those that Compose has made for good. An image that was built again under
    the same name is no difference. Raises OpsError where Compose cannot read its files.
    """
    done = stack.run("--profile", "*", "config", "--hash", "*", check=False)
    if not done.ok:
        said = f"Compose cannot read its files: {done.last_line}"
        raise OpsError(said, "inv config --check")
    pairs = (line.split() for line in done.stdout.splitlines())
    wanted = {words[0]: words[1] for words in pairs if len(words) == 2}
    made = [s for s in containers if s.configuration and not s.oneoff]
    return {s.service for s in made if wanted.get(s.service, "") != s.configuration}
