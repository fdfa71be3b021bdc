"""What the engine says of containers, made of rows as short as those of `docker compose ps`."""

import json
import re
from collections.abc import Mapping
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
    return _says("\n".join(json.dumps(_inspected(row)) for row in rows))


def _inspected(row: Mapping[str, Any]) -> dict[str, Any]:
    """A container in the form of compose._FACTS, by what `docker compose ps` calls its facts."""
    words = re.split(r",(?=[a-z._-]+=)", row.get("Labels", ""))
    labels = dict(label.split("=", 1) for label in words if label)
    ports: dict[str, list[dict[str, str]]] = {}
    for port in row.get("Publishers") or ():
        bound = [{"HostPort": str(port["PublishedPort"])}] if port["PublishedPort"] else []
        ports.setdefault(f"{port.get('TargetPort', 0)}/tcp", []).extend(bound)
    return {
        "Name": f"/{row.get('Name', '')}",
        "RestartCount": row.get("RestartCount", 0),
        "Ports": ports,
        "Command": row.get("Command"),
        "Labels": {"com.docker.compose.service": row.get("Service", ""), **labels},
        "State": {
            "Status": row.get("State", "running"),
            "ExitCode": row.get("ExitCode", 0),
            "StartedAt": row.get("StartedAt", ""),
            "OOMKilled": row.get("OOMKilled", False),
            "Health": {"Status": row.get("Health") or "none"},
        },
    }


def _says(stdout: str) -> Completed:
    return Completed((), 0, stdout)
