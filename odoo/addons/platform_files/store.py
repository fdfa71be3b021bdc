"""How the file of an attachment is written and removed, for Odoo 18 and 19.

Odoo 18 logs that a file cannot be written, and commits the row without it. Both leave what
they have written so far: the same upload is then refused for good, as it "collides with an
existing file".

With continuous archiving a database can be restored to any moment of the last days, and has
to find the files of that moment. Odoo marks a file that may have become garbage by an empty one
below `checklist`, and removes it at the next garbage collection. Here a mark is due only when
it is older than moments are kept: the filestore itself then has the files of all of them, and
no restore on this machine needs another copy. Of hard links in a second folder the same file
would have to be archived, found and removed in two places.
"""

import contextlib
import errno
import logging
import os
import time
from pathlib import Path

from odoo import _
from odoo.addons.base.models.ir_attachment import IrAttachment
from odoo.exceptions import UserError

_logger = logging.getLogger(__name__)
_NEEDS_A_NAME = (errno.EOPNOTSUPP, errno.EISDIR)  # of file systems without O_TMPFILE
_DAY = 24 * 3600
_MARGIN = _DAY  # between the mark and the end of its transaction, above all
_CHECKLIST, _DUE = "checklist", "checklist/due"  # a folder in it: plain Odoo collects it, too
_odoo_mark_for_gc = IrAttachment._mark_for_gc
_odoo_gc_file_store_unsafe = IrAttachment._gc_file_store_unsafe
_odoo_full_path = IrAttachment._full_path


def install():
    """Put this in the place of Odoo's own, for all databases."""
    IrAttachment._file_write = _file_write
    if seconds := _held_seconds():
        _logger.info("files that no attachment names any more stay for %d days", seconds // _DAY)
        IrAttachment._mark_for_gc = _mark_for_gc
        IrAttachment._gc_file_store_unsafe = _gc_file_store_unsafe
        IrAttachment._full_path = _full_path


def _held_seconds():
    """How long a file that is garbage stays; 0 where Odoo alone decides."""
    if os.environ.get("BACKUP_CONTINUOUS", "").lower() not in ("1", "true", "yes", "on"):
        return 0
    return int(os.environ.get("BACKUP_DAYS") or 14) * _DAY + _MARGIN


def _mark_for_gc(self, fname):
    """Mark it, and note the time of the last mark: the file was named until then, perhaps."""
    _odoo_mark_for_gc(self, fname)
    with contextlib.suppress(FileNotFoundError):
        os.utime(self._full_path(f"{_CHECKLIST}/{fname}"))


def _gc_file_store_unsafe(self):
    """Collect what has been marked for long enough, by Odoo's own method."""
    checklist = Path(self._full_path(_CHECKLIST))
    due = Path(self._full_path(_DUE))
    last = time.time() - _held_seconds()
    for mark in checklist.glob("??/*"):
        if mark.lstat().st_mtime < last:
            (due / mark.parent.name).mkdir(parents=True, exist_ok=True)
            mark.replace(due / mark.parent.name / mark.name)
    return _odoo_gc_file_store_unsafe(self.with_context(platform_files_due=True))


def _full_path(self, path):
    """Where a file is; while garbage is collected, the checklist is the one of what is due."""
    due = path == _CHECKLIST and self.env.context.get("platform_files_due")
    return _odoo_full_path(self, _DUE if due else path)


def _file_write(self, bin_value, checksum):
    """Store `bin_value` and return its name. Raises UserError where that is impossible."""
    try:
        fname, full_path = self._get_path(bin_value, checksum)
        path = Path(full_path)
        if not path.exists():
            # First, so that the file goes if this is where the transaction ends.
            self._mark_for_gc(fname)
            _write(path, bin_value)
    except OSError as error:
        _logger.error("an attachment cannot be stored: %s", error)
        raise UserError(_("The file cannot be stored: %s", error.strerror)) from error
    return fname


def _write(path, content):
    """Make the file `path`: nobody ever sees a part of it, whatever kills this process."""
    try:
        descriptor = os.open(path.parent, os.O_TMPFILE | os.O_WRONLY, 0o644)
    except OSError as error:
        if error.errno not in _NEEDS_A_NAME:
            raise
        _write_in_place(path, content)
        return
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
        stream.flush()
        with contextlib.suppress(FileExistsError):  # somebody stored the same meanwhile
            # Only with a folder does Python follow the link; that of an absolute path is ignored.
            os.link(f"/proc/self/fd/{descriptor}", path, src_dir_fd=descriptor)


def _write_in_place(path, content):
    try:
        path.write_bytes(content)
    except OSError:
        with contextlib.suppress(OSError):
            path.unlink()
        raise
