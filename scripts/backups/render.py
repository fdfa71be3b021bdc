"""Backups as text for people, and as JSON for machines."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

from scripts.backups import attachments
from scripts.backups.retention import Backup
from scripts.core.console import Console
from toolbox.contract.backups import CreatedBackup, Manifest

HEADER: Final = ("id", "time", "database", "Odoo", "files", "size", "added", "")


def rows(backups: Sequence[Backup]) -> list[list[str]]:
    """A row for each, sizes in MB."""
    return [
        [b.id, f"{b.time:%Y-%m-%d %H:%M}", b.database, b.odoo, str(b.files), mb(b.bytes),
         mb(b.added), _remark(b)]
        for b in backups
    ]  # fmt: skip


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
    if as_json:
        console.json(json_of(made))
    elif console.out.isatty():
        console.say(summary(made))
    attachments.warn(made)


def json_of(manifest: Manifest) -> dict[str, Any]:
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
