"""Backups as text for people, and as JSON for machines."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

from scripts.backups import attachments
from scripts.backups.retention import Backup
from scripts.core.console import Console
from scripts.core.table import Table
from toolbox.contract.backups import CreatedBackup, Manifest

_HEADER: Final = ("id", "time", "database", "Odoo", "files", "size", "added", "")


def table(backups: Sequence[Backup]) -> Table:
    """A row for each, sizes in MB."""
    return Table(_HEADER, [_row(backup) for backup in backups])


def _row(backup: Backup) -> list[str]:
    return [
        backup.id,
        f"{backup.time:%Y-%m-%d %H:%M}",
        backup.database,
        backup.odoo,
        str(backup.files),
        mb(backup.bytes),
        mb(backup.added),
        _remark(backup),
    ]


def _remark(backup: Backup) -> str:
    if not backup.restorable:
        return "cannot be restored"
    return f"without {backup.lost} files" if backup.lost else ""


def as_json(backups: Sequence[Backup]) -> list[dict[str, Any]]:
    """For machines."""
    return [{**asdict(b), "time": b.time.isoformat()} for b in backups]


def mb(count: int) -> str:
    """Bytes for people."""
    return f"{count / 1e6:.1f} MB"


def summary(manifest: Manifest) -> str:
    """One line on a backup that was just made."""
    files = manifest.files
    return (
        f"Backup {manifest.id}: database {mb(manifest.dump.bytes)}, {files.count} files"
        f" {mb(files.bytes)}; {mb(manifest.added_bytes)} added in {manifest.seconds} s"
    )


def show_made(console: Console, made: CreatedBackup, *, as_json: bool) -> None:
    """Say what was made; nothing where nobody watches, as cron wants it.

    Raises WarningError if attachments have no file, or a damaged one.
    """
    console.show(manifest_as_json(made), [summary(made)], as_json=as_json, quiet=True)
    attachments.warn(made)


def manifest_as_json(manifest: Manifest) -> dict[str, Any]:
    """For machines; without the handle, which only another container wants."""
    found = asdict(manifest)
    found.pop("handle", None)
    return found


def details(manifest: Manifest) -> list[str]:
    """A manifest for people."""
    return [
        f"Backup:     {manifest.id} of {manifest.created}",
        f"Database:   {manifest.database}, Odoo {manifest.odoo}, PostgreSQL {manifest.postgresql}",
        f"Modules:    {len(manifest.modules)}: {', '.join(manifest.modules)}",
        f"Rows:       {sum(manifest.rows.values())} in {len(manifest.rows)} tables",
        f"Files:      {manifest.files.count}, {mb(manifest.files.bytes)}",
        *attachments.details(manifest),
        f"Dump:       {mb(manifest.dump.bytes)} by {manifest.pg_dump}",
        *([f"Restorable: no: {manifest.unrestorable}"] if manifest.unrestorable else []),
        f"Added:      {mb(manifest.added_bytes)} in {manifest.seconds} s,"
        f" {manifest.guarded_seconds} s of it guarded",
    ]
