"""What the engine says of containers, made of rows as short as those of `docker compose ps`."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from scripts.core.completed import Completed
from scripts.core.errors import OpsError


def listed(line: str, answer: Completed | OpsError) -> Completed | OpsError:
    """What `docker ps` or `docker container inspect` says of the rows in `answer`."""
    if isinstance(answer, OpsError) or not answer.ok:
        return answer
    if "label=com.docker.compose.service=" in line:
        return _says(line.split("label=com.docker.compose.service=")[1].split()[0])
    rows = [json.loads(row) for row in answer.stdout.splitlines() if row]
    if line.startswith("docker ps"):
        return _says("\n".join(str(row["Name"]) for row in rows))
    return _says("\n".join(json.dumps(_inspected(**row)) for row in rows))


def _inspected(
    Service: str = "", Name: str = "", State: str = "running", Health: str = "",  # noqa: N803
    ExitCode: int = 0, Publishers: Sequence[Mapping[str, int]] | None = None,  # noqa: N803
    Labels: str = "", RestartCount: int = 0,  # noqa: N803
) -> dict[str, Any]:  # fmt: skip
    """A container in the form of compose._FACTS, by what `docker compose ps` calls its facts."""
    labels = dict(label.split("=", 1) for label in re.split(r",(?=[a-z.]+=)", Labels) if label)
    ports: dict[str, list[dict[str, str]]] = {}
    for port in Publishers or ():
        bound = [{"HostPort": str(port["PublishedPort"])}] if port["PublishedPort"] else []
        ports.setdefault(f"{port.get('TargetPort', 0)}/tcp", []).extend(bound)
    return {
        "Name": f"/{Name}", "RestartCount": RestartCount, "Ports": ports,
        "Labels": {"com.docker.compose.service": Service, **labels},
        "State": {"Status": State, "ExitCode": ExitCode, "Health": {"Status": Health or "none"}},
    }  # fmt: skip


def _says(stdout: str) -> Completed:
    return Completed((), 0, stdout)
