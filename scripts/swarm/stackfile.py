"""What `docker stack deploy` reads: the compose files, merged by Compose, in its own older form."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

_NUMBERS: Final = {"published": 10, "mode": 8, "size": 10}  # Compose writes them as strings
_CREDENTIALS: Final = "/run/backup-credentials"  # see toolbox/backup/restic.py
_OF_BACKUPS: Final = ("backup", "restore", "recovery", "archiver")
# What wants a database, of the version that odoo_init has seen to, and servers of data that stay.
ODOO: Final = ("odoo", "odoo_cron", "odoo_websocket")


def convert(
    merged: Mapping[str, Any], images: Mapping[str, str], root: Path, *, odoo: bool = True
) -> dict[str, Any]:
    """`merged`, as `docker compose config --format json` has it, with the names of this deployment.

    `images`: those to use by those in the files. Secrets and configs are called by their content:
    another content is another secret, which the services that read it are updated for. Without
    `odoo`, only what its servers want to be there before them. Raises OSError where a secret
    cannot be read.
    """
    project = merged["name"]
    services = {
        name: {key: value for key, value in service.items() if value is not None}
        for name, service in merged["services"].items()
    }
    result = {key: value for key, value in merged.items() if key != "name"}
    for kind in ("secrets", "configs"):
        result[kind] = _by_content(merged.get(kind) or {}, f"{project}_")
    credentials = _credentials(root / "secrets" / "backup", f"{project}_")
    result["secrets"] |= credentials
    for name, service in services.items():
        service.pop("build", None)
        service["image"] = images.get(service["image"], service["image"])
        for kind in ("secrets", "configs"):
            given = service.get(kind) or []
            service[kind] = [one for one in given if one["source"] in result[kind]]
        if name in _OF_BACKUPS:
            service["secrets"] += [
                {
                    "source": source,
                    "target": f"{_CREDENTIALS}/{Path(one['file']).name}",
                    "mode": 256,
                }
                for source, one in credentials.items()
            ]
    result["services"] = {
        name: service for name, service in services.items() if odoo or name not in ODOO
    }
    numbered: dict[str, Any] = _numbers(result)
    return numbered


def _by_content(given: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """Those whose file is there, under names that tell their content."""
    return {
        key: {**one, "name": _name(prefix, key, Path(one["file"]))}
        for key, one in given.items()
        if Path(one["file"]).is_file()
    }


def _name(prefix: str, key: str, file: Path) -> str:
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return f"{prefix}{key}_{digest[:12]}"


def _credentials(folder: Path, prefix: str) -> dict[str, Any]:
    """A secret for each file of secrets/backup/, for a repository on another machine."""
    files = sorted(file for file in folder.glob("*") if file.is_file() and file.stat().st_size)
    named = {f"credentials_{number}": file for number, file in enumerate(files)}
    return {
        key: {"file": str(file), "name": _name(prefix, key, file)} for key, file in named.items()
    }


def _numbers(value: Any) -> Any:
    """`value`, with numbers where Docker's own reader wants them."""
    if isinstance(value, list):
        return [_numbers(part) for part in value]
    if not isinstance(value, dict):
        return value
    return {
        key: int(part, _NUMBERS[key])
        if key in _NUMBERS and isinstance(part, str) and part.isdigit()
        else _numbers(part)
        for key, part in value.items()
    }
